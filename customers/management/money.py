"""What contracts earn, and what is owed and for how long; all in whole micro-units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from customers.lifecycle.partners import US
from customers.lifecycle.settlement import Settlement

BUCKETS: tuple[tuple[str, int], ...] = (("not_due", 0), ("days_1_30", 30), ("days_31_60", 60), ("days_61_90", 90))
OLDEST = "days_over_90"
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Margin:
    """What a contract brought and cost; ``margin_micro`` is the revenue less all the rest, ``share`` of the revenue."""

    contract_id: str
    title: str
    revenue_micro: int
    partners_micro: int
    served_micro: int
    work_micro: int
    built_micro: int
    """What its projects cost, as far as the period has worn them off."""
    margin_micro: int
    share: float | None


def margin(
    contract_id: str, title: str, settlements: Sequence[Settlement], *, work_micro: int, built_micro: int
) -> Margin:
    """Return what settled periods of a contract earned, with the work on its assets and the wear of what was built."""
    revenue = sum(s.amount_micro for s in settlements)
    partners = revenue - sum(s.shares_micro.get(US, 0) for s in settlements)
    served = sum(s.cost_micro for s in settlements)
    left = revenue - partners - served - work_micro - built_micro
    share = left / revenue if revenue else None
    return Margin(contract_id, title, revenue, partners, served, work_micro, built_micro, left, share)


def worn_micro(spent_micro: int, start: date, end: date, days: int) -> int:
    """Return how much of what was spent falls on ``days`` of a contract from ``start`` until ``end``, in equal parts per day, rounded down."""
    return spent_micro * min(days, (end - start).days) // (end - start).days


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody owes, and since when."""

    party_id: str
    left_micro: int
    due_on: date


@dataclass(frozen=True, slots=True)
class Receivables:
    """What is owed by age, and how many days of revenue that is."""

    total_micro: int
    by_age_micro: Mapping[str, int]
    by_party_micro: Mapping[str, int]
    days_of_revenue: float | None


def receivables(owed: Sequence[Owed], revenue_micro: int, days: int, today: date) -> Receivables:
    """Return what is owed on a day; ``revenue_micro`` was asked for within the last ``days``."""
    ages = dict.fromkeys([name for name, _ in BUCKETS] + [OLDEST], 0)
    parties: dict[str, int] = {}
    for o in owed:
        if o.left_micro:
            ages[_age(o.due_on, today)] += o.left_micro
            parties[o.party_id] = parties.get(o.party_id, 0) + o.left_micro
    total = sum(ages.values())
    largest_first = dict(sorted(parties.items(), key=lambda p: (-p[1], p[0])))
    return Receivables(total, ages, largest_first, total * days / revenue_micro if revenue_micro else None)


def _age(due_on: date, today: date) -> str:
    late = (today - due_on).days
    return next((name for name, most in BUCKETS if late <= most), OLDEST)
