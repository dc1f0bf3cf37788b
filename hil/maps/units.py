"""The door for units: what devices count in, and what a quantity's name promises inside."""

from typing import NamedTuple


class Linear(NamedTuple):
    """``inside = raw * factor + offset``."""

    factor: float
    offset: float


SUFFIXES = ("m3_per_h", "kwh", "kvar", "kw", "m3", "degc", "kpa", "share", "pu", "hz", "v", "a", "s", "h")
"""Endings of quantity names that are units; longest first, so that ``_m3_per_h`` is not read as hours."""

UNITS: dict[str, dict[str, Linear]] = {
    "kw": {"W": Linear(1e-3, 0), "kW": Linear(1, 0), "MW": Linear(1e3, 0)},
    "kwh": {
        "Wh": Linear(1e-3, 0),
        "kWh": Linear(1, 0),
        "MWh": Linear(1e3, 0),
        "MJ": Linear(1 / 3.6, 0),
        "GJ": Linear(1e3 / 3.6, 0),
    },
    "kvar": {"var": Linear(1e-3, 0), "kvar": Linear(1, 0)},
    "m3_per_h": {"m3/h": Linear(1, 0), "l/h": Linear(1e-3, 0), "l/min": Linear(0.06, 0)},
    "m3": {"m3": Linear(1, 0), "l": Linear(1e-3, 0)},
    "degc": {"degC": Linear(1, 0), "K": Linear(1, -273.15), "degF": Linear(5 / 9, -160 / 9)},
    "kpa": {
        "Pa": Linear(1e-3, 0),
        "hPa": Linear(0.1, 0),
        "kPa": Linear(1, 0),
        "mbar": Linear(0.1, 0),
        "bar": Linear(100, 0),
    },
    "share": {"%": Linear(1e-2, 0), "share": Linear(1, 0)},
    "pu": {"pu": Linear(1, 0), "%": Linear(1e-2, 0)},
    "hz": {"Hz": Linear(1, 0), "mHz": Linear(1e-3, 0)},
    "v": {"V": Linear(1, 0), "kV": Linear(1e3, 0)},
    "a": {"A": Linear(1, 0), "mA": Linear(1e-3, 0)},
    "s": {"s": Linear(1, 0), "ms": Linear(1e-3, 0), "min": Linear(60, 0)},
    "h": {"h": Linear(1, 0), "min": Linear(1 / 60, 0), "s": Linear(1 / 3600, 0)},
    "1": {"1": Linear(1, 0)},
}
"""Inner unit → what devices use for it, with the way in."""

KNOWN = frozenset(u for units in UNITS.values() for u in units)


def canonical_unit(quantity: str) -> str:
    """Return the unit that a quantity's name ends in, ``1`` for counts and flags."""
    return next((s for s in SUFFIXES if quantity.endswith(f"_{s}")), "1")


def to_canonical(unit: str, inner: str) -> Linear:
    """Return how a number in the device's ``unit`` becomes one in ``inner``.

    Raises
    ------
    ValueError
        If the unit is unknown or belongs to another kind of quantity.
    """
    try:
        return UNITS[inner][unit]
    except KeyError:
        expected = ", ".join(UNITS[inner])
        known = "is not a unit known here" if unit not in KNOWN else "is a unit of something else"
        raise ValueError(f"{unit} {known}; expected one of {expected}") from None
