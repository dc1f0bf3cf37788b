"""Benchmarks: cases and phases, each measured beside its reference in the same run. See docs/benchmarks.md."""
