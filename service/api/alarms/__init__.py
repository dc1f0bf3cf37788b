"""Alarms: what stands, and what operators do about it."""
