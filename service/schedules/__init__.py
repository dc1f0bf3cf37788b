"""Schedules: set-points that people want, approved, applied for a while under a lease, and carried out."""
