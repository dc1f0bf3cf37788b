"""Snapshots of the past."""
