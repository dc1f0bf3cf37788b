"""Matching: what customers need and what providers can build, brought together within capacities and feeders, and explained."""
