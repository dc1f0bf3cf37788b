"""Exact money: integers of a millionth of the currency, energy in whole watt-hours, and one rule for rounding."""

from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MICRO = 1_000_000
"""Micro-units of one unit of currency."""
CENT_MICRO = 10_000
"""Micro-units of a hundredth of the currency, what most bills round their lines to."""
KILO = 1_000
"""Wh per kWh, W per kW, VA per kVA."""
PPM = 1_000_000
PRODUCT_LIMIT = 2**62
"""Products that might exceed this are taken with Python's unbounded integers."""


def micro(value: Decimal | int | str | float) -> int:
    """Return a price or an amount of currency in micro-units, rounded half to even where it has more than six decimals.

    A float is read by its shortest decimal form, so 0.1 means one tenth.

    Raises
    ------
    ValueError
        If the value is no finite number.
    """
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value} is no amount of money; write a finite number")
    return int((number * MICRO).to_integral_value(ROUND_HALF_EVEN))


def rounded(numerator: Ints, divisor: int) -> Ints:
    """Return ``numerator / divisor`` as integers, halves away from zero; ``divisor`` > 0."""
    whole: Ints = np.where(numerator < 0, -1, 1) * ((2 * np.abs(numerator) + divisor) // (2 * divisor))
    return whole


def amount_micro(quantity: Ints, price_micro: int | Ints, line_unit_micro: int, per: int = KILO) -> Ints:
    """Return ``quantity * price / per`` rounded once to whole ``line_unit_micro``, in micro-units.

    ``quantity`` is in Wh, W or VA where the price is per kWh, kW or kVA (``per`` = 1000).
    """
    return scaled(quantity, price_micro, per * line_unit_micro) * line_unit_micro


def scaled(value: Ints, factor: int | Ints, divisor: int) -> Ints:
    """Return ``value * factor / divisor`` rounded once, halves away from zero, however large the product is."""
    largest = int(np.abs(value).max(initial=0)) * int(np.abs(factor).max(initial=0))
    if 2 * largest + divisor < PRODUCT_LIMIT:
        return rounded(value * factor, divisor)
    great = value.astype(object) * (factor if isinstance(factor, int) else factor.astype(object))
    return np.asarray(rounded(great, divisor), dtype=np.int64)


def proportion(part: Ints, whole: Ints, of: Ints) -> Ints:
    """Return ``part * of // whole`` without overflow, 0 where ``whole`` is 0; all values >= 0."""
    safe = np.maximum(whole, 1)
    if part.size and int(part.max()) * int(of.max()) > PRODUCT_LIMIT:
        return np.asarray(part.astype(object) * of.astype(object) // safe.astype(object), dtype=np.int64)
    exact: Ints = part * of // safe
    return exact


def text(amount: int, decimals: int = 2) -> str:
    """Return micro-units as people write them, for example 1234500 as 1.23 (halves away from zero)."""
    step = 10 ** (6 - decimals)
    whole = int(rounded(np.array([amount], dtype=np.int64), step)[0])
    return f"{Decimal(whole).scaleb(-decimals):.{decimals}f}"
