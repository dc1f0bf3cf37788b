"""Efficiency services: benchmarking in the segment, performance indicators, anomalies and measures, and savings that are proven."""
