"""Health for machines: alive, ready, and figures for Prometheus."""
