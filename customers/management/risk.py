"""Customers that may leave: a score with the reasons that make it up, so that somebody can do something about each of them.

The score adds points for what precedes a cancellation and is no probability: nothing here has been fitted to customers who left.
The points are this company's judgement, one table, and a reader sees which of them were given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MOST = 100
SOON = timedelta(days=180)
SILENCE = timedelta(days=120)
POINTS: Mapping[str, int] = {
    "ends_soon": 35,
    "overdue": 20,
    "complaint": 20,
    "late_answer": 15,
    "silence": 10,
}
"""Points of each reason; together they are the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a customer with a contract in force, on the day it is asked."""

    party_id: str
    name: str
    until: date
    """When the last of its contracts ends."""
    overdue_micro: int = 0
    complaints: int = 0
    """Complaints of the last year."""
    late_answers: int = 0
    """Cases whose promised answer was late, or is."""
    last_spoken: date | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why points were given."""

    name: str
    points: int
    words: str


@dataclass(frozen=True, slots=True)
class Risk:
    """A customer's score, 0..100, and its reasons, the heaviest first."""

    party_id: str
    name: str
    score: int
    reasons: tuple[Reason, ...]


def risks(customers: Sequence[Standing], today: date) -> tuple[Risk, ...]:
    """Return every customer's risk, the highest first; among equal ones by name."""
    found = []
    for standing in customers:
        reasons = sorted(_reasons(standing, today), key=lambda r: (-r.points, r.name))
        found.append(Risk(standing.party_id, standing.name, sum(r.points for r in reasons), tuple(reasons)))
    return tuple(sorted(found, key=lambda r: (-r.score, r.name, r.party_id)))


def _reasons(s: Standing, today: date) -> Iterator[Reason]:
    left = s.until - today
    if left < SOON:
        points = POINTS["ends_soon"] * min(SOON, SOON - left) // SOON
        yield Reason("ends_soon", points, f"the contract ends in {max(left.days, 0)} days and none follows it")
    if s.overdue_micro > 0:
        yield Reason("overdue", POINTS["overdue"], f"{s.overdue_micro / 1e6:,.2f} are overdue")
    if s.complaints:
        points = POINTS["complaint"] * min(s.complaints, 2) // 2
        yield Reason("complaint", points, f"{s.complaints} complaints within a year")
    if s.late_answers:
        points = POINTS["late_answer"] * min(s.late_answers, 3) // 3
        yield Reason("late_answer", points, f"{s.late_answers} answers came later than promised")
    if s.last_spoken is None or today - s.last_spoken > SILENCE:
        since = "ever" if s.last_spoken is None else f"since {s.last_spoken}"
        yield Reason("silence", POINTS["silence"], f"nobody has spoken with them {since}")
