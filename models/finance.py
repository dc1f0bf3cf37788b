"""Money over years: present value, annuity, internal rate of return, payback.

Payments are one per year, the first one (year 0) today; a payment is positive when it comes in. Source of the formulas: Short, Packey and Holt, A
Manual for the Economic Evaluation of Energy Efficiency and Renewable Energy Technologies (NREL/TP-462-5173), chapters 2 and 3.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RATE_TOLERANCE = 1e-9


def discount_factors(rate: float, years: int) -> Floats:
    """Return what a payment at the end of year 0, 1, ... ``years`` is worth today; shape (years + 1,).

    ``rate`` is per year and above -1.
    """
    if rate <= -1.0:
        raise ValueError(f"a rate of {rate:g} per year has no present value; it must be above -1")
    factors: Floats = (1.0 + rate) ** -np.arange(years + 1.0)
    return factors


def present_value(rate: float, payments: Sequence[float] | Floats) -> float:
    """Return the sum of all payments, each discounted to today."""
    return float(np.asarray(payments, float) @ discount_factors(rate, len(payments) - 1))


def annuity_factor(rate: float, years: float) -> float:
    """Return the equal yearly payment, at the end of each of ``years`` years, that is worth 1 today."""
    if years <= 0:
        raise ValueError(f"an annuity over {years:g} years is no payment; it must run longer than 0")
    if abs(rate) < RATE_TOLERANCE:
        return 1.0 / years
    return float(rate / (1.0 - (1.0 + rate) ** -years))


def rates_of_return(payments: Sequence[float] | Floats) -> tuple[float, ...]:
    """Return every rate above -1 at which the payments are worth nothing today, in rising order.

    Payments that change their sign once have one such rate at most; with more changes there may be several, and then none of them
    alone says whether the investment is good: use the present value.
    """
    flows = np.trim_zeros(np.asarray(payments, float), "b")
    if len(flows) < 2 or not ((flows > 0).any() and (flows < 0).any()):
        return ()
    roots = np.roots(flows[::-1])
    real = roots[np.abs(roots.imag) < RATE_TOLERANCE * (1.0 + np.abs(roots))].real
    rates = sorted({round(1.0 / float(x) - 1.0, 12) for x in real if x > RATE_TOLERANCE})
    return tuple(rates)


def rate_of_return(payments: Sequence[float] | Floats) -> float | None:
    """Return the internal rate of return; None when there is none, or more than one."""
    rates = rates_of_return(payments)
    return rates[0] if len(rates) == 1 else None


def payback_years(payments: Sequence[float] | Floats, rate: float = 0.0) -> float | None:
    """Return after how many years the payments so far have come back for good, linear within a year; None when they never do.

    With a ``rate`` it is the discounted payback.
    """
    flows = np.asarray(payments, float) * discount_factors(rate, len(payments) - 1)
    total = np.cumsum(flows)
    nothing = RATE_TOLERANCE * float(np.abs(flows).sum())
    if total[-1] < -nothing:
        return None
    short = np.flatnonzero(total < -nothing)
    if not len(short):
        return 0.0
    last = int(short[-1])
    return float(last + -total[last] / flows[last + 1])
