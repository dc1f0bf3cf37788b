"""Forecasts: what the loop expects, and when it was expected."""

from models.forecast.forecast import Forecast

__all__ = ["Forecast"]
