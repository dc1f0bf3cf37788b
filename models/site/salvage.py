"""What can still be checked in a site file that is partly malformed: everything else in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic_core import ErrorDetails

from models.findings import Finding, errors_in

LISTS = ("nodes", "assets", "contracts", "customers", "devices")
STAND_INS: Mapping[str, Any] = {
    "name": "site",
    "title": "",
    "notice": "",
    "currency": "XXX",
    "location": {"latitude_deg": 0.0, "longitude_deg": 0.0, "time_zone": "UTC"},
}
"""What stands for a field at the top while the rest is checked."""
UNKNOWN_FIELD = ("extra_forbidden", "unexpected_keyword_argument")


def salvaged(document: Mapping[str, Any], problems: Sequence[ErrorDetails]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a copy of a document without what is malformed in it, and the names that went with it.

    Unknown fields go alone; with any other problem goes the list entry or the network that has it.
    """
    rest, names = deepcopy(dict(document)), set[str]()
    entries = {key: set[int]() for key in LISTS}
    for problem in problems:
        top, *inside = problem["loc"]
        if problem["type"] in UNKNOWN_FIELD and _without_field(rest, problem["loc"]):
            continue
        if top in entries and inside and isinstance(inside[0], int):
            entries[str(top)].add(inside[0])
        elif top in STAND_INS:
            rest[str(top)] = deepcopy(STAND_INS[str(top)])
        else:
            names |= _names(rest.pop(str(top), None))
    for key, numbers in ((k, n) for k, n in entries.items() if k in rest):
        for number in sorted(numbers, reverse=True):
            names |= _names(rest[key].pop(number))
    return rest, frozenset(names)


def not_consequences(findings: Iterable[Finding], before: Iterable[Finding], names: frozenset[str]) -> list[Finding]:
    """Return the errors among ``findings`` that would be there without what was left out before: those that name none of it."""
    known = {f.place for f in before}
    return [f for f in errors_in(findings) if f.place not in known and not names & _words(f)]


def _without_field(rest: dict[str, Any], loc: Sequence[int | str]) -> bool:
    """Take an unknown field out of the document; False when it is not found."""
    here: Any = rest
    for step in loc[:-1]:
        inside = _step_into(here, step)
        if inside is not None:
            here = inside
        elif not isinstance(here, dict) or step != here.get("kind"):
            return False
    return isinstance(here, dict) and here.pop(loc[-1], here) is not here


def _step_into(here: Any, step: int | str) -> Any:
    """Return what stands one step further in, None where the document has no such level."""
    if isinstance(here, list):
        return here[step] if isinstance(step, int) else None
    return here.get(step) if isinstance(here, dict) else None


def _names(part: Any) -> set[str]:
    """Return every id in a part of a document, and the asset that a device serves."""
    if isinstance(part, dict):
        own = {str(part[key]) for key in ("id", "asset") if key in part}
        return own.union(*(_names(value) for value in part.values()))
    if isinstance(part, list):
        return set[str]().union(*(_names(value) for value in part))
    return set()


def _words(finding: Finding) -> set[str]:
    return {*finding.ids, *re.findall(r"[\w-]+", f"{finding.place} {finding.message}")}
