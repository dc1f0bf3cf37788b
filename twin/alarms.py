"""Alarms as an operator can bear them: one per cause, with a priority, and a life from raised to returned.

The states and the flood limits follow ANSI/ISA-18.2: an alarm is unacknowledged, acknowledged, returned (over, but nobody has seen it
yet) or shelved; more than ten new alarms in ten minutes are a flood, fewer than five end it.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

FLOOD_WINDOW = timedelta(minutes=10)
FLOOD_BEGINS = 10
"""More new alarms than this within the window are more than one person can take in."""
FLOOD_ENDS = 5
SHELVED_LONGEST = timedelta(hours=12)
"""A shift: whoever comes next has to decide anew."""


class Priority(IntEnum):
    """How soon somebody has to act; 1 is the most urgent."""

    HIGH = 1
    MEDIUM = 2
    LOW = 3


class AlarmState(StrEnum):
    """Where an alarm is in its life; one that is normal again and seen is no longer kept."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    """The cause is gone, and nobody has acknowledged that it was there."""
    SHELVED = "shelved"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause that somebody has to know of; ``source`` and ``place`` name it, so that it stands once however often it is noticed."""

    id: int
    source: str
    place: str
    priority: Priority
    message: str
    state: AlarmState
    active: bool
    """Whether the cause is still there."""
    raised_at: datetime
    changed_at: datetime
    times: int = 1
    """How often it was raised since it stands in the list."""
    by: str = ""
    """Who acknowledged or shelved it."""
    shelved_until: datetime | None = None
    quiet: bool = False
    """Held back from the operator: of low priority and raised in a flood."""


class AlarmAct(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    GONE = "gone"
    """Normal again, and seen."""


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One step in an alarm's life, for the record and for the page."""

    at: datetime
    act: AlarmAct
    alarm: Alarm


def unheard(change: AlarmChange) -> None:
    """Listen to nothing."""
    del change


class AlarmBook:
    """All alarms that stand; may be fed by one thread and worked on by others.

    Whatever notices a cause says so as often as it likes: an alarm that stands already only takes the newest words.
    """

    def __init__(self, listener: Callable[[AlarmChange], None] = unheard) -> None:
        self._tell = listener
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._raised: deque[datetime] = deque()
        self._flooded = False
        self._lock = threading.RLock()
        self._last_id = 0

    def raise_(self, source: str, place: str, priority: Priority, message: str, at: datetime) -> None:
        """Say that a cause is there."""
        with self._lock:
            before = self._alarms.get((source, place))
            if before is not None and (before.active or before.state is AlarmState.SHELVED):
                self._alarms[source, place] = replace(before, message=message, priority=priority, active=True)
                return
            self._count(at)
            quiet = self._flooded and priority is Priority.LOW
            if before is None:
                self._last_id += 1
                made = Alarm(
                    self._last_id,
                    source,
                    place,
                    priority,
                    message,
                    AlarmState.UNACKNOWLEDGED,
                    True,
                    at,
                    at,
                    quiet=quiet,
                )
            else:
                made = replace(
                    before,
                    message=message,
                    priority=priority,
                    state=AlarmState.UNACKNOWLEDGED,
                    active=True,
                    changed_at=at,
                    times=before.times + 1,
                    quiet=quiet,
                )
            self._keep(made, AlarmAct.RAISED, at)

    def clear(self, source: str, place: str, at: datetime) -> None:
        """Say that a cause is gone; nothing happens where it was not there."""
        with self._lock:
            before = self._alarms.get((source, place))
            if before is None or not before.active:
                return
            if before.state is AlarmState.UNACKNOWLEDGED:
                returned = replace(before, active=False, state=AlarmState.RETURNED, changed_at=at)
                self._keep(returned, AlarmAct.RETURNED, at)
            elif before.state is AlarmState.SHELVED:
                self._alarms[source, place] = replace(before, active=False)
            else:
                self._drop(replace(before, active=False), at)

    def clear_others(self, source: str, still: set[str], at: datetime) -> None:
        """Clear every alarm of a source whose place is not in ``still``."""
        with self._lock:
            for known_source, place in list(self._alarms):
                if known_source == source and place not in still:
                    self.clear(source, place, at)

    def acknowledge(self, alarm_id: int, by: str, at: datetime) -> Alarm:
        """Say that somebody has seen an alarm; one that has returned leaves the list. KeyError where none has that id."""
        with self._lock:
            found = self._by_id(alarm_id)
            if found.state is AlarmState.RETURNED:
                return self._drop(replace(found, by=by), at)
            if found.state is not AlarmState.UNACKNOWLEDGED:
                return found
            seen = replace(found, state=AlarmState.ACKNOWLEDGED, by=by, changed_at=at)
            return self._keep(seen, AlarmAct.ACKNOWLEDGED, at)

    def shelve(self, alarm_id: int, by: str, until: datetime, at: datetime) -> Alarm:
        """Put an alarm aside until ``until``, a shift at most; KeyError where none has that id.

        Raises
        ------
        ValueError
            If ``until`` is past, or further away than a shift.
        """
        if not at < until <= at + SHELVED_LONGEST:
            hours = SHELVED_LONGEST / timedelta(hours=1)
            raise ValueError(f"an alarm can be shelved until up to {hours:g} h from now, not until {until.isoformat()}")
        with self._lock:
            shelved = replace(
                self._by_id(alarm_id), state=AlarmState.SHELVED, by=by, shelved_until=until, changed_at=at
            )
            return self._keep(shelved, AlarmAct.SHELVED, at)

    def unshelve(self, alarm_id: int, by: str, at: datetime) -> Alarm:
        """Bring a shelved alarm back before its time; KeyError where none has that id."""
        with self._lock:
            found = self._by_id(alarm_id)
            return self._back(replace(found, by=by), at) if found.state is AlarmState.SHELVED else found

    def tick(self, at: datetime) -> None:
        """Let shelved alarms whose time is over come back, and a flood end."""
        with self._lock:
            for alarm in list(self._alarms.values()):
                if alarm.shelved_until is not None and alarm.shelved_until <= at:
                    self._back(alarm, at)
            self._count(None, at)

    def standing(self) -> tuple[Alarm, ...]:
        """Return every alarm, the most urgent and newest first; shelved ones last."""
        order = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.ACKNOWLEDGED, AlarmState.SHELVED)
        with self._lock:
            alarms = tuple(self._alarms.values())
        return tuple(sorted(alarms, key=lambda a: (order.index(a.state), a.quiet, a.priority, -a.id)))

    @property
    def flooded(self) -> bool:
        """Whether more alarms come in than one person can take in; those of low priority are held back meanwhile."""
        return self._flooded

    def _by_id(self, alarm_id: int) -> Alarm:
        found = next((a for a in self._alarms.values() if a.id == alarm_id), None)
        if found is None:
            raise KeyError(alarm_id)
        return found

    def _keep(self, alarm: Alarm, act: AlarmAct, at: datetime) -> Alarm:
        self._alarms[alarm.source, alarm.place] = alarm
        self._tell(AlarmChange(at, act, alarm))
        return alarm

    def _drop(self, alarm: Alarm, at: datetime) -> Alarm:
        del self._alarms[alarm.source, alarm.place]
        gone = replace(alarm, changed_at=at)
        self._tell(AlarmChange(at, AlarmAct.GONE, gone))
        return gone

    def _back(self, alarm: Alarm, at: datetime) -> Alarm:
        """End a shelf: what is still there has to be seen, what is gone has been."""
        if not alarm.active:
            return self._drop(replace(alarm, shelved_until=None), at)
        back = replace(alarm, state=AlarmState.UNACKNOWLEDGED, shelved_until=None, changed_at=at)
        return self._keep(back, AlarmAct.UNSHELVED, at)

    def _count(self, raised: datetime | None, at: datetime | None = None) -> None:
        """Count a new alarm in, let old ones fall out, and see whether a flood begins or ends."""
        now = raised or at
        if raised is not None:
            self._raised.append(raised)
        while self._raised and now is not None and now - self._raised[0] >= FLOOD_WINDOW:
            self._raised.popleft()
        if len(self._raised) > FLOOD_BEGINS:
            self._flooded = True
        elif len(self._raised) < FLOOD_ENDS and self._flooded:
            self._flooded = False
            self._alarms = {k: replace(a, quiet=False) for k, a in self._alarms.items()}
