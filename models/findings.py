"""Findings: what is wrong with data, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The data cannot be used."""
    WARNING = "warning"
    """The data can be used; the result may surprise."""
    INFO = "info"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing somebody should know about data or a plan.

    ``place`` is a dotted path in the file or the id of an element; ``message`` gives the fact and the way on;
    ``value`` and ``limit`` hold the figures behind it, in the unit named by the message, where there are any.
    """

    severity: Severity
    place: str
    message: str
    ids: tuple[str, ...] = ()
    value: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.place}: {self.message}"


def error(place: str, message: str, *ids: str, value: float | None = None, limit: float | None = None) -> Finding:
    """Return a finding that stops the data from being used."""
    return Finding(Severity.ERROR, place, message, ids, value, limit)


def warning(place: str, message: str, *ids: str, value: float | None = None, limit: float | None = None) -> Finding:
    """Return a finding that lets the data pass."""
    return Finding(Severity.WARNING, place, message, ids, value, limit)


def errors_in(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return only the findings that stop the data from being used."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)
