"""Tariffs: prices as contracts state them, compiled to what a bill and an optimizer need."""
