"""Names of series as people read them: what it is, and its unit."""

from collections.abc import Mapping

UNITS: Mapping[str, str] = {
    "_m3_per_h": "m³/h",
    "_w_per_m2": "W/m²",
    "_cny_per_kwh": "CNY/kWh",
    "_degc": "°C",
    "_kw": "kW",
    "_pu": "pu",
}
"""Unit by the end of a series' name; a longer end before one that it holds."""


def series_words(name: str) -> tuple[str, str]:
    """Return a series' name in words and its unit, "" where the name states none: ``electricity_office_kw`` is electricity office in kW."""
    end = next((e for e in UNITS if name.endswith(e)), "")
    return name.removesuffix(end).replace("_", " "), UNITS.get(end, "")


def figure_words(value: float) -> str:
    """Return a value in about three digits, without an exponent: 1,254, 74.9, 0.059."""
    return f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:.3g}" if abs(value) >= 1.0 else f"{value:.3f}"
