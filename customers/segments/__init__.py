"""Segments: groups of alike customers, as many as are stable, under names that last."""
