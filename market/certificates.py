"""Green certificates: issued once for metered energy, passed on, retired; no energy is counted twice, no certificate used twice.

One certificate stands for one MWh. Certificates of one issue are numbered through, and ranges of them move. What is left of a period
below one MWh is carried to the next issue of the same device. Every event carries the digest of the one before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from market.products import WH_PER_MWH, MarketError
from models.chain import FIRST, chained
from models.findings import Finding, error
from models.horizon import require_utc


class Act(StrEnum):
    """What is done with certificates."""

    ISSUE = "issue"
    TRANSFER = "transfer"
    RETIRE = "retire"


@dataclass(frozen=True, slots=True)
class Generated:
    """Energy of a device in ``start <= t < end``, whole Wh, from a source that may have certificates."""

    device: str
    start: datetime
    end: datetime
    wh: int
    source: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Certificates ``first`` to ``last`` (both included) of a device that somebody holds; retired ones have their purpose."""

    device: str
    first: int
    last: int
    holder: str
    retired_for: str = ""

    @property
    def count(self) -> int:
        """How many certificates, each of one MWh."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Event:
    """One act, with the digest of everything in it and of the event before.

    An issue carries the energy that it counts; where that fills no MWh yet, ``last`` is ``first - 1``.
    """

    act: Act
    at: datetime
    device: str
    first: int
    last: int
    who: str
    """To whom certificates are issued or passed; who retires them."""
    purpose: str
    generated: Generated | None
    previous: str
    digest: str

    @property
    def told(self) -> tuple[object, ...]:
        """Everything that the digest covers but the digest before."""
        at, g = require_utc(self.at).isoformat(), self.generated
        span = None if g is None else [require_utc(t).isoformat() for t in (g.start, g.end)]
        energy = None if g is None else [g.device, span, g.wh, g.source]
        return self.act.value, at, self.device, self.first, self.last, self.who, self.purpose, energy


class Registry:
    """Who holds which certificates, and every act since the first.

    A registry may go on from acts that are kept elsewhere, the last with digest ``head``; every one of the devices that are asked about is
    in ``earlier``.
    """

    def __init__(self, *, earlier: Iterable[Event] = (), head: str = FIRST) -> None:
        self._events: list[Event] = []
        self._before = head
        self._holdings: list[Holding] = []
        self._counted: dict[str, list[Generated]] = {}
        self._next: dict[str, tuple[int, int]] = {}
        """Per device the next number and the Wh that are left below one MWh."""
        for event in earlier:
            self._replay(event)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every act that was done here, oldest first."""
        return tuple(self._events)

    def holdings(self, holder: str | None = None) -> tuple[Holding, ...]:
        """Return what somebody, or everybody, holds or has retired, by device and number."""
        mine = (h for h in self._holdings if holder in (None, h.holder))
        return tuple(sorted(mine, key=lambda h: (h.device, h.first)))

    def issue(self, generated: Generated, holder: str, at: datetime) -> Holding | None:
        """Issue certificates for energy; None where it is less than one MWh with what was left before.

        Raises
        ------
        MarketError
            If the energy is no whole positive number, or some of its time has been counted before.
        """
        if found := list(self._uncountable(generated, at)):
            raise MarketError(found)
        holding = self._count(generated, holder)
        self._record(Act.ISSUE, at, holding, holder, generated.source, generated)
        return holding if holding.count else None

    def _count(self, generated: Generated, holder: str) -> Holding:
        """Return the certificates that energy fills, which may be none."""
        first, left = self._next.get(generated.device, (1, 0))
        count, left = divmod(left + generated.wh, WH_PER_MWH)
        self._counted.setdefault(generated.device, []).append(generated)
        self._next[generated.device] = first + count, left
        holding = Holding(generated.device, first, first + count - 1, holder)
        if count:
            self._holdings.append(holding)
        return holding

    def _replay(self, e: Event) -> None:
        """Do again what an earlier act did."""
        if e.generated is not None:
            self._count(e.generated, e.who)
            return
        there = next(h for h in self._holdings if h.device == e.device and h.first <= e.first <= e.last <= h.last)
        taken = self._taken(e.device, e.first, e.last, there.holder)
        self._holdings.append(replace(taken, holder=e.who, retired_for=e.purpose))

    def transfer(self, device: str, first: int, last: int, holder: str, to: str, at: datetime) -> Holding:
        """Pass certificates on.

        Raises
        ------
        MarketError
            If the holder does not hold every one of them, or some are retired.
        """
        moved = replace(self._taken(device, first, last, holder), holder=to)
        self._holdings.append(moved)
        self._record(Act.TRANSFER, at, moved, to, "")
        return moved

    def retire(self, device: str, first: int, last: int, holder: str, purpose: str, at: datetime) -> Holding:
        """Use certificates up for a purpose, for good.

        Raises
        ------
        MarketError
            If the holder does not hold every one of them, some are retired already, or no purpose is given.
        """
        if not purpose:
            raise MarketError(
                [error(device, "certificates are retired for a purpose; name it (whose use, which period)")]
            )
        used = replace(self._taken(device, first, last, holder), retired_for=purpose)
        self._holdings.append(used)
        self._record(Act.RETIRE, at, used, holder, purpose)
        return used

    def _uncountable(self, g: Generated, at: datetime) -> Iterator[Finding]:
        if any(t.tzinfo is None for t in (g.start, g.end, at)) or g.start >= g.end or g.end > at:
            yield error(g.device, "energy is certified for a time with zone, that begins before it ends and is over")
            return
        if type(g.wh) is not int or g.wh <= 0:
            yield error(g.device, f"{g.wh} Wh cannot be certified; bring whole Wh above zero")
        for there in self._counted.get(g.device, ()):
            if g.start < there.end and there.start < g.end:
                span = f"{there.start.isoformat()} to {there.end.isoformat()}"
                yield error(g.device, f"{span} is certified already; no energy is counted twice")

    def _taken(self, device: str, first: int, last: int, holder: str) -> Holding:
        """Take a range out of a holding and return it; the rest stays."""
        there = next((h for h in self._holdings if h.device == device and h.first <= first <= last <= h.last), None)
        if there is None:
            raise MarketError(
                [error(device, f"certificates {first} to {last} are not in one holding; ask range by range")]
            )
        if there.retired_for:
            raise MarketError([error(device, f"certificates {first} to {last} were retired for {there.retired_for}")])
        if there.holder != holder:
            raise MarketError(
                [error(device, f"certificates {first} to {last} are held by {there.holder}, not by {holder}")]
            )
        self._holdings.remove(there)
        rest = replace(there, last=first - 1), replace(there, first=last + 1)
        self._holdings += [h for h in rest if h.count > 0]
        return replace(there, first=first, last=last)

    def _record(
        self, act: Act, at: datetime, h: Holding, who: str, purpose: str, generated: Generated | None = None
    ) -> None:
        previous = self._events[-1].digest if self._events else self._before
        event = Event(act, at, h.device, h.first, h.last, who, purpose, generated, previous, "")
        self._events.append(replace(event, digest=chained(event.told, previous)))


def check_events(events: Sequence[Event]) -> Iterator[Finding]:
    """Give every event that was changed or does not follow the one before."""
    before = FIRST
    for number, e in enumerate(events, start=1):
        if e.previous != before or chained(e.told, e.previous) != e.digest:
            yield error(f"certificates/{number}", "was changed, or does not follow the event before it")
        before = e.digest
