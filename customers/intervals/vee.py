"""Validation and estimation of a table in one go, and what to tell about every customer's data."""

import numpy as np

from customers.intervals.estimate import estimate
from customers.intervals.rules import USUAL_THRESHOLDS, Fault, Thresholds, flag_faults
from customers.intervals.series import MeterTable
from customers.intervals.shift import clock_shifts
from customers.intervals.store import IntervalStore, fault_counts
from customers.intervals.usual import usual
from market.meters import Quality
from models.findings import Finding, Severity, error, warning

LITTLE_SHARE, TOO_LITTLE_SHARE = 0.7, 0.1
WORDS = {
    Fault.GAP: "have no figure",
    Fault.STUCK: "repeat one figure as a stuck meter does",
    Fault.SCALE: "are ten, a hundred or a thousand times what is usual: a decimal point moved",
    Fault.SIGN: "are sent out where as much is drawn otherwise: the sign is turned",
    Fault.SPIKE: "stand far above what is usual and above their neighbours",
}
DONE = {Fault.SCALE: "moved back", Fault.SIGN: "turned back"}


def validate(table: MeterTable, limits: Thresholds = USUAL_THRESHOLDS) -> IntervalStore:
    """Return a table with everything that is wrong in it marked and estimated; the figures that came stay readable."""
    known = usual(table)
    flags = flag_faults(table, known, limits)
    late = clock_shifts(table, known, flags)
    return IntervalStore(table, flags, late, estimate(table, known, flags))


def findings_of(store: IntervalStore) -> list[Finding]:
    """Return what somebody should know about every customer's data, with shares and what was done."""
    counts = {} if store.flags is None else fault_counts(store.flags)
    found = []
    for row, customer in enumerate(store.raw.customers):
        found += _coverage(store.raw, row, customer)
        for fault, words in WORDS.items():
            if number := counts.get(fault, [0] * (row + 1))[row]:
                share = number / store.raw.intervals.count
                done = DONE.get(fault, "estimated from the customer's own days")
                text = f"{number} intervals ({share:.1%}) {words}; {done}"
                found.append(warning(customer, text, customer, value=share))
        found += _late(store, row, customer)
    return found


def _coverage(table: MeterTable, row: int, customer: str) -> list[Finding]:
    share = float((table.quality[row] != Quality.MISSING).mean())
    if share >= LITTLE_SHARE:
        return []
    if share < TOO_LITTLE_SHARE:
        text = f"only {share:.1%} of the intervals have a figure; nothing is concluded from so little, bring more data"
        return [error(customer, text, customer, value=share, limit=TOO_LITTLE_SHARE)]
    text = f"{share:.0%} of the intervals have a figure; what is concluded from them says how unsure it is"
    return [warning(customer, text, customer, value=share, limit=LITTLE_SHARE)]


def _late(store: IntervalStore, row: int, customer: str) -> list[Finding]:
    """Return the suspicion that a clock is off, with the first day and by how much."""
    if store.late_half_hours is None or not store.late_half_hours[row].any():
        return []
    late = store.late_half_hours[row]
    days = np.flatnonzero(late)
    minutes = int(np.median(late[days])) * 30
    when = store.raw.intervals.instant(int(days[0]) * store.raw.per_day).date()
    words = f"{abs(minutes)} min {'late' if minutes > 0 else 'early'}"
    text = f"from {when} on {len(days)} days seem {words}: check the meter's clock and summer time; nothing is changed"
    return [Finding(Severity.WARNING, customer, text, (customer,), float(minutes))]
