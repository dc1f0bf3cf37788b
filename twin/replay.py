"""Any past window of the twin, rebuilt from the log and compared with what was seen then, bit for bit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from models.errors import SetupError
from models.ports import Reading
from models.site import Site
from models.state import Snapshot
from models.tariffs.time_of_use import PeriodFinder
from twin.log import LAST, MICROSECOND, Kind, Record, RecordLog
from twin.packing import Column, digest, made, unpack, unpack_readings, unpack_snapshot
from twin.sync import Synchroniser, SyncMemory
from twin.watch import Verdict, marked

REBUILDING = (Kind.MEMORY, Kind.COLUMNS, Kind.VERDICT, Kind.READINGS, Kind.SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Moment:
    """One turn of the loop as it was: what was read, the state rebuilt from it, and whether that is the state that was seen then."""

    snapshot: Snapshot
    readings: tuple[Reading, ...]
    same: bool


def replay(
    log: RecordLog, site: Site, start: datetime, end: datetime, billing_period: PeriodFinder | None = None
) -> Iterator[Moment]:
    """Yield every turn of ``start <= t < end``, rebuilt by the synchroniser from the readings on record.

    The rebuilding begins at the last memory on record before ``start``. ``billing_period`` has to be what the run used.

    Raises
    ------
    SetupError
        If the log has no memory to begin from at or before ``start``, or belongs to another site.
    """
    # a memory is of the instant behind its own turn, so only an earlier one helps with the turn at `start`
    memory = log.last(Kind.MEMORY, start - MICROSECOND) or _first_memory(log, start, end)
    if memory is None:
        raise SetupError(f"the log has nothing to begin from between {start.isoformat()} and {end.isoformat()}")
    rebuilding = _Rebuilding(site, billing_period)
    for record in log.read(memory.at, end, REBUILDING, after=memory.seq - 1):
        found = rebuilding.take(record)
        if found is not None and found.snapshot.at >= start:
            yield found


def memory_at_end(log: RecordLog, site: Site, billing_period: PeriodFinder | None = None) -> SyncMemory | None:
    """Return what a synchroniser knew at the end of the log, so that a new one can go on; None for a log without a memory.

    Raises
    ------
    SetupError
        If the log belongs to another site.
    """
    memory = log.last(Kind.MEMORY, LAST)
    if memory is None:
        return None
    rebuilding = _Rebuilding(site, billing_period)
    for record in log.read(memory.at, LAST, REBUILDING, after=memory.seq - 1):
        rebuilding.take(record)
    return rebuilding.memory


def _first_memory(log: RecordLog, start: datetime, end: datetime) -> Record | None:
    return next(iter(log.read(start, end, (Kind.MEMORY,))), None)


class _Rebuilding:
    """Takes records in their order and gives a moment whenever a turn is complete."""

    def __init__(self, site: Site, billing_period: PeriodFinder | None) -> None:
        self._site, self._billing_period = site, billing_period
        self._synchroniser = Synchroniser(site, billing_period=billing_period)
        self._columns: tuple[Column, ...] = ()
        self._verdict: Verdict | None = None
        self._readings: tuple[Reading, ...] = ()
        self._snapshot: Snapshot | None = None

    @property
    def memory(self) -> SyncMemory:
        """What the synchroniser remembers by now."""
        return self._synchroniser.memory

    def take(self, record: Record) -> Moment | None:
        """Take the next record; return the turn that it completes."""
        match record.kind:
            case Kind.MEMORY:
                self._recall(record)
            case Kind.COLUMNS:
                self._columns = tuple((d, q) for d, q in unpack(record.body))
            case Kind.VERDICT:
                self._verdict = made(Verdict, unpack(record.body))
            case Kind.READINGS:
                self._readings = unpack_readings(record.body, record.at, self._columns)
                self._snapshot = self._synchroniser.snapshot(self._readings, record.at)
            case Kind.SNAPSHOT if self._snapshot is not None:
                rebuilt = marked(self._snapshot, self._verdict)
                same = digest(rebuilt) == unpack_snapshot(record.body, record.at).digest
                return Moment(rebuilt, self._readings, same)
        return None

    def _recall(self, record: Record) -> None:
        """Begin anew from a memory: of a run that has just started, or of one that goes on and must agree with it."""
        found = unpack(record.body)
        if found["site"] != self._site.name:
            raise SetupError(f"the log is of the site {found['site']}, not of {self._site.name}; give its file")
        self._synchroniser.recall(made(SyncMemory, found["memory"]))
        self._verdict = None if found["verdict"] is None else made(Verdict, found["verdict"])
