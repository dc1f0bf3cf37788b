"""Devices and forecasts over the interface: what measures the site, and what is expected of it."""
