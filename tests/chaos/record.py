"""The journal as the oracles read it: with a connection of their own, and nothing of the bridge's code."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from hil.faultproxy import Kind
from tests.chaos.life import EPOCH, TIMEOUT_S


@dataclass(frozen=True)
class Try:
    """A recorded attempt."""

    command: str
    epoch: int
    device: str
    address: int
    raw: int
    at: float
    by: str


@dataclass(frozen=True)
class Order:
    """A recorded command."""

    value: float
    accepted: float
    deadline: float
    epoch: int


@dataclass(frozen=True)
class Record:
    """Everything that a journal says."""

    tries: tuple[Try, ...]
    orders: dict[str, Order]
    outcomes: dict[str, tuple[str, str, float]]
    """Command → outcome, code, second."""
    events: tuple[tuple[str, float, str], ...]
    """Command, second and state of every change."""

    @property
    def states(self):
        """Command → the last state that it entered."""
        return self.states_at(float("inf"))

    def states_at(self, second):
        """Command → the state in which it was."""
        return {name: state for name, at, state in self.events if at <= second}


def seconds(text):
    return (datetime.fromisoformat(text) - EPOCH).total_seconds()


def read_journal(path):
    """Return what is in a journal."""
    db = sqlite3.connect(path)
    by = dict(db.execute("SELECT id, issued_by FROM commands"))
    tries = tuple(
        Try(c, e, d, a, json.loads(w)[0], seconds(t), by.get(c, ""))
        for c, e, d, a, w, t in db.execute("SELECT command, epoch, device, address, words, at FROM attempts")
    )
    orders = {
        n: Order(v, seconds(t), seconds(d), e)
        for n, v, t, d, e in db.execute("SELECT id, value, accepted_at, deadline, epoch FROM commands")
    }
    outcomes = {n: (o, c, seconds(t)) for n, o, c, t in db.execute("SELECT command, outcome, code, at FROM outcomes")}
    events = tuple((n, seconds(t), s) for n, t, s in db.execute("SELECT command, at, state FROM events ORDER BY seq"))
    db.close()
    return Record(tries, orders, outcomes, events)


def of_the_bridge_itself(evidence):
    """Yield what is wrong however the devices behaved: exceptions, rivals let in, frozen values that counted as good."""
    for problem in evidence.escaped:
        yield "X", repr(problem)
    for second, where in evidence.let_in:
        yield "T", f"a second bridge was let {where} at {second:.2f}"
    yield from frozen(evidence)
    yield from belated(evidence)


BEAT_S = 0.2
"""What a heartbeat can be older than the answer that shows it."""
FROZEN_S = 5.0
"""A heartbeat that stands for longer than this is found, by 5 polls; a living one moves ten times a second."""


def frozen(evidence):
    """Yield good readings of a heartbeat that has been standing for all of a bridge's life."""
    standing = {}
    for second, _, device, beat in evidence.accepted:
        seen, since = standing.get(device, (None, second))
        born = max([0.0, *(up for _, up in evidence.bridge_down if up <= second)])
        since = max(since, born) if beat == seen else second
        standing[device] = (beat, since)
        if second - since > FROZEN_S:
            yield "F1", f"{device} counts as good at {second:.2f} with a heartbeat that stands since {since:.2f}"
            return


def belated(evidence):
    """Yield good readings that are older than their question, where no fault of the plan alters what the device said."""
    if {Kind.REPLAY, Kind.CORRUPT} & set(evidence.injected):
        return
    for _, measured, device, beat in evidence.accepted:
        if measured - beat / 10 > TIMEOUT_S + BEAT_S:
            yield "F2", f"{device} was read at {measured:.2f} with the heartbeat of {beat / 10:.1f}"
            return
