"""Telemetry: points as they come, sealed into compressed blocks, read and averaged over any time."""
