"""Telemetry over the interface: points in, points and means out, as JSON, CSV or Parquet."""
