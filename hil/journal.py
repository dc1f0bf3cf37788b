"""The durable record of commands: what was asked, every frame that may have left, and what became of it.

A row is on the disk (SQLite, WAL, ``synchronous=FULL``) before the frame that it authorises leaves and before anybody is told of it,
so a crash at any point leaves either no frame or a frame with its record. What only describes is written at once and reaches the disk
with the next such row: the log is one sequence, and no record overtakes another.
"""

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from hil.clocks import Anchor
from hil.frames import WriteFrame
from hil.retention import drop_over
from models.errors import JouletwinError, SetupError
from models.ports import Command, Outcome, Receipt

DURABLE, DESCRIBING = "FULL", "NORMAL"
"""Whether a record is on the disk when it has been written, or with the next that has to be."""
Held = tuple[str, int, datetime, frozenset[str]]
"""A lease: holder, priority, until, devices."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS commands (
    id TEXT PRIMARY KEY, device TEXT NOT NULL, quantity TEXT NOT NULL, value REAL NOT NULL, issued_at TEXT NOT NULL,
    issued_by TEXT NOT NULL, deadline TEXT NOT NULL, plan_id TEXT NOT NULL, epoch INTEGER NOT NULL, accepted_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, epoch INTEGER NOT NULL, device TEXT NOT NULL,
    unit INTEGER NOT NULL, function INTEGER NOT NULL, address INTEGER NOT NULL, words TEXT NOT NULL, at TEXT NOT NULL, result TEXT);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, command TEXT NOT NULL, at TEXT NOT NULL, state TEXT NOT NULL, words TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    command TEXT PRIMARY KEY, outcome TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, at TEXT NOT NULL, read_back REAL);
CREATE TABLE IF NOT EXISTS groups (
    id TEXT PRIMARY KEY, device TEXT NOT NULL, members TEXT NOT NULL, opened_at TEXT NOT NULL, closed_at TEXT, result TEXT);
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, monotonic_s REAL NOT NULL, now TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (holder TEXT PRIMARY KEY, priority INTEGER NOT NULL, until TEXT NOT NULL, devices TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS commands_epoch ON commands (epoch);
CREATE INDEX IF NOT EXISTS commands_point ON commands (device, quantity, epoch);
CREATE INDEX IF NOT EXISTS attempts_command ON attempts (command);
CREATE INDEX IF NOT EXISTS attempts_register ON attempts (device, address, at);
CREATE INDEX IF NOT EXISTS events_command ON events (command);
"""


class JournalError(JouletwinError):
    """The journal cannot be written; commands are refused until it can, reading goes on."""


@dataclass(frozen=True, slots=True)
class OpenCommand:
    """A command that was under way when the journal was last written."""

    command: Command
    epoch: int
    state: str


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One command of a group and what stood on its point before: the value, and until when somebody wanted it."""

    command: str
    quantity: str
    before: float
    until: datetime


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group whose writes have begun and of which nobody has recorded the end."""

    id: str
    device: str
    members: tuple[GroupMember, ...]


class Journal:
    """Commands, attempts, events and outcomes of one bridge; ``path`` None keeps them in memory.

    Raises
    ------
    SetupError
        If another bridge holds the journal, or its folder cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = _held(path) if path is not None else None
        self._synchronous = ""
        try:
            self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as problem:
            raise SetupError(f"the journal {path} cannot be opened: {problem}") from None

    def close(self) -> None:
        """Close the file and let another bridge have it."""
        self._db.close()
        if self._lock is not None:
            self._lock.close()

    def keep_time(self, anchor: Anchor | None) -> None:
        """Record where the clock stands, None when the bridge ends in order and the next may ask the machine."""
        with self._writing():
            self._db.execute("DELETE FROM clock")
            if anchor is not None:
                row = (anchor.boot, anchor.monotonic_s, _text(anchor.now))
                self._db.execute("INSERT INTO clock VALUES (1,?,?,?)", row)

    def time_kept(self) -> Anchor | None:
        """Return where the clock of a bridge stood that ended without warning, None after an orderly end."""
        row = self._db.execute("SELECT boot, monotonic_s, now FROM clock").fetchone()
        return None if row is None else Anchor(row[0], row[1], datetime.fromisoformat(row[2]))

    def keep_leases(self, leases: Sequence[Held]) -> None:
        """Record who holds what; these leases take the place of all before."""
        with self._writing():
            self._db.execute("DELETE FROM leases")
            for holder, priority, until, devices in leases:
                row = (holder, priority, _text(until), json.dumps(sorted(devices)))
                self._db.execute("INSERT INTO leases VALUES (?,?,?,?)", row)

    def leases(self) -> list[Held]:
        """Return the leases recorded last."""
        rows = self._db.execute("SELECT holder, priority, until, devices FROM leases").fetchall()
        return [(h, p, datetime.fromisoformat(u), frozenset(json.loads(d))) for h, p, u, d in rows]

    def accept(self, command: Command, at: datetime) -> int:
        """Record a command and return its epoch; commands of later epochs win over earlier ones.

        A command that is known already keeps its epoch: the issuer's id makes a repeated submission harmless. The record reaches the
        disk with the attempt or the outcome that follows it, of which nobody hears before.
        """
        with self._writing(DESCRIBING):
            known = self._db.execute("SELECT epoch FROM commands WHERE id = ?", (command.id,)).fetchone()
            if known:
                return int(known[0])
            epoch = self._next_epoch()
            row = (
                command.id,
                command.device,
                command.quantity,
                command.value,
                _text(command.issued_at),
                command.issued_by,
            )
            rest = (_text(command.deadline), command.plan_id, epoch, _text(at))
            self._db.execute("INSERT INTO commands VALUES (?,?,?,?,?,?,?,?,?,?)", row + rest)
            return epoch

    def prolong(self, command: Command) -> None:
        """Record the deadline of a command that was accepted before with an earlier one."""
        with self._writing():
            self._db.execute(
                "UPDATE commands SET deadline = ? WHERE id = ? AND deadline < ?",
                (_text(command.deadline), command.id, _text(command.deadline)),
            )

    def renew(self, command_id: str) -> int:
        """Give a resumed command a new epoch, so that nothing sent meanwhile counts as newer."""
        with self._writing():
            epoch = self._next_epoch()
            self._db.execute("UPDATE commands SET epoch = ? WHERE id = ?", (epoch, command_id))
            return epoch

    def attempt(self, command: Command, epoch: int, frame: WriteFrame, at: datetime) -> int:
        """Record a frame that is about to leave and return the attempt's number."""
        with self._writing():
            row = (
                command.id,
                epoch,
                command.device,
                frame.unit,
                frame.function,
                frame.address,
                json.dumps(frame.words),
                _text(at),
            )
            cursor = self._db.execute(
                "INSERT INTO attempts (command, epoch, device, unit, function, address, words, at) VALUES (?,?,?,?,?,?,?,?)",
                row,
            )
            return int(cursor.lastrowid or 0)

    def result(self, attempt: int, result: str) -> None:
        """Record what the device answered to an attempt; one whose result is lost counts as unknown."""
        with self._writing(DESCRIBING):
            self._db.execute("UPDATE attempts SET result = ? WHERE seq = ?", (result, attempt))

    def event(self, command_id: str, at: datetime, state: str, words: str = "") -> None:
        """Record that a command changed its state."""
        with self._writing(DESCRIBING):
            self._db.execute(
                "INSERT INTO events (command, at, state, words) VALUES (?,?,?,?)", (command_id, _text(at), state, words)
            )

    def outcome(self, receipt: Receipt) -> None:
        """Record what became of a command; a later, better-founded outcome replaces an earlier one."""
        row = (
            receipt.command.id,
            receipt.outcome.value,
            receipt.code,
            receipt.message,
            _text(receipt.at),
            receipt.read_back,
        )
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO outcomes VALUES (?,?,?,?,?,?)", row)

    def receipt_of(self, command: Command) -> Receipt | None:
        """Return the recorded outcome of a command, None while it is open or unknown."""
        row = self._db.execute(
            "SELECT outcome, code, message, at, read_back FROM outcomes WHERE command = ?", (command.id,)
        ).fetchone()
        if row is None:
            return None
        return Receipt(command, Outcome(row[0]), row[1], row[2], datetime.fromisoformat(row[3]), row[4])

    def unresolved(self, now: datetime) -> tuple[OpenCommand, ...]:
        """Return the newest command of every point whose deadline has not passed and that may stand on the device, oldest epoch first."""
        rows = self._db.execute(
            """SELECT c.id, c.device, c.quantity, c.value, c.issued_at, c.issued_by, c.deadline, c.plan_id, c.epoch,
                      (SELECT state FROM events e WHERE e.command = c.id ORDER BY seq DESC LIMIT 1)
               FROM commands c
               WHERE c.deadline > ? AND EXISTS (SELECT 1 FROM attempts a WHERE a.command = c.id)
                 AND c.epoch = (SELECT MAX(d.epoch) FROM commands d WHERE d.device = c.device AND d.quantity = c.quantity
                                AND EXISTS (SELECT 1 FROM attempts a WHERE a.command = d.id))
               ORDER BY c.epoch""",
            (_text(now),),
        ).fetchall()
        return tuple(OpenCommand(_command(row), int(row[8]), row[9] or "") for row in rows)

    def close_orphans(self, now: datetime) -> int:
        """Give an outcome to commands that a dead bridge left without one; returns how many there were.

        Nothing of a command without an attempt ever left; what had an attempt may have landed.
        """
        with self._writing():
            rows = self._db.execute(
                """SELECT id, EXISTS (SELECT 1 FROM attempts a WHERE a.command = id) FROM commands
                   WHERE id NOT IN (SELECT command FROM outcomes)"""
            ).fetchall()
            for command, tried in rows:
                outcome = Outcome.MAYBE if tried else Outcome.NO
                words = (
                    "the bridge stopped before the outcome was known"
                    if tried
                    else "the bridge stopped before it was sent"
                )
                row = (command, outcome.value, "unknown" if tried else "unreachable", words, _text(now), None)
                self._db.execute("INSERT INTO outcomes VALUES (?,?,?,?,?,?)", row)
        return len(rows)

    def open_group(self, group: OpenGroup, at: datetime) -> None:
        """Record, before its first frame, which commands stand or fall together and what to go back to."""
        members = json.dumps([(m.command, m.quantity, m.before, _text(m.until)) for m in group.members])
        with self._writing():
            self._db.execute(
                "INSERT INTO groups (id, device, members, opened_at) VALUES (?,?,?,?)",
                (group.id, group.device, members, _text(at)),
            )

    def close_group(self, group_id: str, at: datetime, result: str) -> None:
        """Record that a group is whole again: ``applied`` or ``rolled back``."""
        with self._writing():
            self._db.execute("UPDATE groups SET closed_at = ?, result = ? WHERE id = ?", (_text(at), result, group_id))

    def open_groups(self) -> tuple[OpenGroup, ...]:
        """Return the groups that may be half-written, oldest first."""
        rows = self._db.execute(
            "SELECT id, device, members FROM groups WHERE closed_at IS NULL ORDER BY rowid"
        ).fetchall()
        return tuple(
            OpenGroup(i, d, tuple(GroupMember(c, q, b, datetime.fromisoformat(u)) for c, q, b, u in json.loads(m)))
            for i, d, m in rows
        )

    def forget(self, before: datetime) -> int:
        """Drop some of the commands that were over before an instant; see :mod:`hil.retention` for what is kept whatever its age."""
        with self._writing():
            return drop_over(self._db, _text(before))

    def newest(self, device: str, quantity: str) -> str:
        """Return the id of the command that was accepted last on a point, empty when there was none."""
        query = "SELECT id FROM commands WHERE device = ? AND quantity = ? ORDER BY epoch DESC LIMIT 1"
        row = self._db.execute(query, (device, quantity)).fetchone()
        return "" if row is None else str(row[0])

    def writes_since(self, device: str, address: int, since: datetime) -> int:
        """Return how many frames to one register have been recorded since an instant."""
        query = "SELECT COUNT(*) FROM attempts WHERE device = ? AND address = ? AND at >= ?"
        return int(self._db.execute(query, (device, address, _text(since))).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds."""
        tables = ("commands", "attempts", "events", "outcomes", "groups")
        return {t: int(self._db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]) for t in tables}  # noqa: S608 - fixed names

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Return the rows of a read-only query, for audits and tests."""
        return self._db.execute(query, values).fetchall()

    def _next_epoch(self) -> int:
        highest = self._db.execute("SELECT MAX(epoch) FROM commands").fetchone()[0]
        return int(highest or 0) + 1

    @contextmanager
    def _writing(self, synchronous: str = DURABLE) -> Iterator[None]:
        """Run statements as one transaction."""
        try:
            if synchronous != self._synchronous:
                self._db.execute(f"PRAGMA synchronous={synchronous}")
                self._synchronous = synchronous
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as problem:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise JournalError(f"the journal cannot be written ({problem}); no command is carried out") from None


def _held(path: Path) -> TextIO:
    """Return the lock file beside the journal, held by this process alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = Path(f"{path}.lock").open("w")  # noqa: SIM115 - held until the journal closes
    except OSError as problem:
        raise SetupError(f"the journal {path} cannot be written: {problem.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise SetupError(f"another bridge holds the journal {path}; stop it first, or give this one its own") from None
    return handle


def _text(instant: datetime) -> str:
    return instant.isoformat()


def _command(row: tuple[str, ...]) -> Command:
    return Command(
        id=row[0],
        device=row[1],
        quantity=row[2],
        value=float(row[3]),
        issued_at=datetime.fromisoformat(row[4]),
        issued_by=row[5],
        deadline=datetime.fromisoformat(row[6]),
        plan_id=row[7],
    )
