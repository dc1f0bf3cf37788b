"""Decisions as mathematical programs: dispatch, and what explains it."""
