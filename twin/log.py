"""The append log of a running site: what was read, estimated, planned, commanded and alarmed, in the order in which it happened.

One SQLite file in write-ahead mode. What belongs to one turn of the loop is written in one transaction, so a process that is killed
leaves whole turns behind and a file that anybody can read, also while it is being written.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from models.errors import SetupError
from models.horizon import require_utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""Behind every record."""
MICROSECOND = timedelta(microseconds=1)
FORGET_AT_MOST = 20_000
"""Records that are dropped at once: half a day of turns, in some tenths of a second."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS records_at ON records (at);
CREATE INDEX IF NOT EXISTS records_kind ON records (kind, at);
"""


class Kind(StrEnum):
    """What a record holds."""

    MEMORY = "memory"
    """What the synchroniser remembers before a turn: a replay may begin here."""
    COLUMNS = "columns"
    """Which point stands where in the readings behind it."""
    READINGS = "readings"
    VERDICT = "verdict"
    """What the estimator made of the sensors."""
    SNAPSHOT = "snapshot"
    MEASURED = "measured"
    """The series that forecasts learn from."""
    FORECAST = "forecast"
    """What a plan expected, with the instant from which it was expected."""
    PLAN = "plan"
    RECEIPTS = "receipts"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry; ``seq`` rises in the order of writing, ``body`` is as :mod:`twin.packing` packed it."""

    seq: int
    at: datetime
    kind: Kind
    body: bytes


class RecordLog(Protocol):
    """Where records go and come from; append only."""

    def append(self, at: datetime, kind: Kind, body: bytes) -> None:
        """Add a record; it is kept for good with the next :meth:`commit`."""
        ...

    def commit(self) -> None:
        """Keep everything that was appended since the last commit, or none of it if the process dies first."""
        ...

    def read(
        self, start: datetime, end: datetime, kinds: Sequence[Kind] = tuple(Kind), after: int = 0
    ) -> Iterator[Record]:
        """Yield the records of ``start <= at < end`` behind the number ``after``, in the order of writing."""
        ...

    def last(self, kind: Kind, until: datetime) -> Record | None:
        """Return the newest record of a kind with ``at <= until``, None where there is none."""
        ...

    def forget(self, before: datetime) -> int:
        """Drop what nobody needs to rebuild ``before`` and what came after it; gone for good with the next :meth:`commit`."""
        ...


class SqliteLog:
    """A :class:`RecordLog` in one SQLite file.

    Raises
    ------
    SetupError
        If the file cannot be opened, or is to be read and is not there.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if read_only and not path.is_file():
            raise SetupError(f"{path}: there is no log; `serve` and `demo --log FILE` write one")
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            source = f"file:{path}?mode=ro" if read_only else str(path)
            self._db = sqlite3.connect(source, uri=read_only, isolation_level=None, check_same_thread=False)
            if not read_only:
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._db.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as problem:
            raise SetupError(f"the log {path} cannot be opened: {problem}") from None

    def append(self, at: datetime, kind: Kind, body: bytes) -> None:
        """Add a record to the transaction of this turn."""
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            self._db.execute("INSERT INTO records (at, kind, body) VALUES (?,?,?)", (_micros(at), kind.value, body))
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from None

    def commit(self) -> None:
        """End the turn's transaction."""
        try:
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from None

    def _unwritable(self, problem: sqlite3.Error) -> SetupError:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        return SetupError(f"the log {self.path} cannot be written ({problem}); this turn is missing in it")

    def read(
        self, start: datetime, end: datetime, kinds: Sequence[Kind] = tuple(Kind), after: int = 0
    ) -> Iterator[Record]:
        """Yield the records of a half-open span in the order of writing."""
        marks = ",".join("?" for _ in kinds)
        query = f"SELECT seq, at, kind, body FROM records WHERE at >= ? AND at < ? AND seq > ? AND kind IN ({marks}) ORDER BY seq"  # noqa: S608 - marks are question marks
        values = (_micros(start), _micros(end), after, *(k.value for k in kinds))
        for seq, at, kind, body in self._db.execute(query, values):
            yield Record(seq, EPOCH + at * MICROSECOND, Kind(kind), body)

    def last(self, kind: Kind, until: datetime) -> Record | None:
        """Return the newest record of a kind that is not behind ``until``."""
        query = "SELECT seq, at, kind, body FROM records WHERE kind = ? AND at <= ? ORDER BY at DESC, seq DESC LIMIT 1"
        row = self._db.execute(query, (kind.value, _micros(until))).fetchone()
        return None if row is None else Record(row[0], EPOCH + row[1] * MICROSECOND, Kind(row[2]), row[3])

    def forget(self, before: datetime) -> int:
        """Drop the records ahead of the last memory that is not behind ``before``, and return how many were dropped.

        A window from ``before`` on is rebuilt as ever. No more than :data:`FORGET_AT_MOST` go at once, so that a turn does not wait for
        a backlog; the file keeps its size and new records take the place.
        """
        memory = self.last(Kind.MEMORY, before)
        if memory is None:
            return 0
        first = self._db.execute("SELECT MIN(seq) FROM records").fetchone()[0]
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN")
            until = min(memory.seq, first + FORGET_AT_MOST)
            return self._db.execute("DELETE FROM records WHERE seq < ?", (until,)).rowcount
        except sqlite3.Error as problem:
            raise self._unwritable(problem) from None

    def span(self) -> tuple[datetime, datetime] | None:
        """Return the first and the last instant on record, None for an empty log."""
        first, last = self._db.execute("SELECT MIN(at), MAX(at) FROM records").fetchone()
        return None if first is None else (EPOCH + first * MICROSECOND, EPOCH + last * MICROSECOND)

    def close(self) -> None:
        """Keep what was appended, as far as that is possible, and close the file."""
        with suppress(SetupError):  # who wrote has been told already
            self.commit()
        self._db.close()


def _micros(instant: datetime) -> int:
    return (require_utc(instant) - EPOCH) // MICROSECOND
