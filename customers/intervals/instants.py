"""Instants as meter files write them: with a zone, or on the local clock with its missing and its repeated hour."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from models.findings import Finding, error

HOUR_S = 3600
DAY_S = 24 * HOUR_S
MONTH_S = 27 * DAY_S
FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%Y%m%d %H:%M",
    "%Y%m%d%H%M",
)


@dataclass(frozen=True, slots=True)
class Told:
    """Instants in seconds since 1970 UTC by row, None where a row's was not understood, and what is wrong."""

    seconds: Sequence[int | None]
    findings: Sequence[Finding]


def read_instants(cells: Sequence[object], rows: Sequence[int], zone: str) -> Told:
    """Return the instants of a column; ``rows`` are the numbers that a spreadsheet gives them, ``zone`` that of times without one.

    Rows stand in the order of time where a local hour is repeated: its first run is summer time, its second standard time.
    """
    naive: list[tuple[int, datetime]] = []
    seconds: list[int | None] = [None] * len(cells)
    findings: list[Finding] = []
    for k, cell in enumerate(cells):
        at = _instant(cell)
        if at is None:
            text = f"{str(cell)[:40]!r} is no instant; write 2026-01-31T13:45:00+08:00 (or 2026-01-31 13:45 with a stated zone)"
            findings.append(error(f"row {rows[k]}", text))
        elif at.tzinfo is None:
            naive.append((k, at))
        else:
            seconds[k] = int(at.timestamp())
    if naive and not zone:
        text = f"{len(naive)} times have no zone, the first in row {rows[naive[0][0]]}; state the zone, for example Asia/Shanghai"
        return Told(seconds, [*findings, error(f"row {rows[naive[0][0]]}", text)])
    findings += _localised(naive, rows, zone, seconds)
    return Told(seconds, findings)


def _instant(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    text = str(cell).strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is stated for the whole file
        except ValueError:
            continue
    return None


def _localised(
    naive: Sequence[tuple[int, datetime]], rows: Sequence[int], zone: str, seconds: list[int | None]
) -> Iterator[Finding]:
    """Fill in the instants of local times, and yield those that the local clock never shows."""
    clock = ZoneInfo(zone) if zone else UTC
    passed: dict[datetime, int] = {}
    missing: list[int] = []
    for k, local in naive:
        first = local.replace(tzinfo=clock, fold=0)
        again = local.replace(tzinfo=clock, fold=1)
        if first.utcoffset() == again.utcoffset():
            seconds[k] = int(first.timestamp())
            continue
        if first.astimezone(UTC).astimezone(clock).replace(tzinfo=None) != local:
            missing.append(rows[k])
            continue
        passed[local] = passed.get(local, 0) + 1
        seconds[k] = int((first if passed[local] == 1 else again).timestamp())
    if missing:
        text = (
            f"{len(missing)} local times do not exist in {zone}: the clock jumps over them, the first in row {missing[0]}; "
            "a meter that does not follow summer time needs its fixed offset (for example Etc/GMT-1)"
        )
        yield error(f"row {missing[0]}", text)


def step_of(seconds: Sequence[int]) -> int:
    """Return the most frequent distance between neighbouring instants, in seconds; 0 for fewer than two."""
    apart: dict[int, int] = {}
    for a, b in pairwise(seconds):
        if b > a:
            apart[b - a] = apart.get(b - a, 0) + 1
    return max(apart, key=lambda s: (apart[s], -s)) if apart else 0


def lasting_s(
    name: str, begins: Sequence[int | None], ends: Sequence[int | None], rows: Sequence[int]
) -> tuple[int, list[Finding]]:
    """Return how long intervals with a stated end last, 0 for none, and the rows that end too early, too late, or last otherwise than most."""
    stated = sorted(
        (b, e, row) for b, e, row in zip(begins, ends, rows, strict=True) if b is not None and e is not None
    )
    often = Counter(e - b for b, e, _ in stated if e > b)
    usual = max(often, key=lambda s: (often[s], -s)) if often else 0
    wrong = {
        "end before they begin": [row for b, e, row in stated if e <= b],
        "end after the next one has begun; intervals may not overlap": [
            row for (b, e, row), (following, _, _) in pairwise(stated) if b < following < e
        ],
        f"do not last {usual // 60} min as most do": [
            row for b, e, row in stated if e > b and not _alike(e - b, usual)
        ],
    }
    found = [
        error(name, f"{len(these)} intervals {words}, the first in row {these[0]}", name)
        for words, these in wrong.items()
        if these
    ]
    return usual, found


def _alike(seconds: int, usual: int) -> bool:
    """Return whether two lengths are the same; local days differ by an hour, months by three days."""
    room = 0 if usual <= HOUR_S else HOUR_S if usual < MONTH_S else 3 * DAY_S + HOUR_S
    return abs(seconds - usual) <= room


def written(second: int) -> str:
    """Return an instant as people read it, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
