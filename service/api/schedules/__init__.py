"""Schedules, and the chain from a plan to what became of its commands."""
