"""Monitoring: what the site is, does and holds."""
