"""The oracle: judges an episode by the device's own log and the journal, and by nothing that the bridge says of itself.

Class names: U1 outside limits, U2 applied after the deadline, U3 applied without a record, U4 an older command lands after a newer one,
L1 accepted and without outcome, L2 "applied" and never on the device, L3 "no" and applied, H1 not on the device at the end,
X an exception left the bridge, S a write to a register that is no set-point, R no recovery after the last fault.
"""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from tests.chaos.episode import EPOCH, FRAME_LIFE_S, LENGTH_S, QUIET_S

SLACK_S = 0.01


@dataclass(frozen=True)
class Try:
    """A recorded attempt on the set-point."""

    command: str
    epoch: int
    raw: int
    at: float


def seconds(text):
    return (datetime.fromisoformat(text) - EPOCH).total_seconds()


def violations(evidence):
    """Return every violation as (class, words)."""
    db = sqlite3.connect(evidence.journal)
    commands = {
        name: (round(value * 10), seconds(deadline), epoch)
        for name, value, deadline, epoch in db.execute("SELECT id, value, deadline, epoch FROM commands")
    }
    tries = [
        Try(c, e, json.loads(w)[0], seconds(t))
        for c, e, w, t in db.execute("SELECT command, epoch, words, at FROM attempts")
    ]
    outcomes = {
        name: (outcome, seconds(at)) for name, outcome, at in db.execute("SELECT command, outcome, at FROM outcomes")
    }
    states = dict(db.execute("SELECT command, state FROM events ORDER BY seq"))
    db.close()
    found = [("X", repr(p)) for p in evidence.escaped]
    found += [("S", f"address {raw}") for _, who, raw in evidence.log if who == "stray"]
    found += unsafe(evidence.log, commands, tries)
    found += lost(evidence, commands, outcomes)
    found += held(evidence, commands, states)
    return found


def unsafe(log, commands, tries):
    latest = 0
    for at, who, raw in log:
        if who not in ("bridge", "ignored"):
            continue
        if who == "bridge" and raw != 4000 and not (raw == 0 or 1750 <= raw <= 7000):
            yield "U1", f"{raw} at {at:.2f}"
        mine = [t for t in tries if t.at - SLACK_S <= at <= t.at + FRAME_LIFE_S + SLACK_S]
        matching = [t for t in mine if t.raw == raw or raw == 4000]
        if not matching:
            yield "U3", f"{raw} landed at {at:.2f} without a recorded attempt"
            continue
        if all(at > commands[t.command][1] + SLACK_S for t in matching):
            yield "U2", f"{raw} landed at {at:.2f}, after every deadline"
        epoch = max(t.epoch for t in matching)
        if epoch < latest:
            yield "U4", f"{raw} of epoch {epoch} landed at {at:.2f} after epoch {latest}"
        latest = max(latest, epoch)


def lost(evidence, commands, outcomes):
    for name, (raw, deadline, _) in commands.items():
        shown = [at for at, who, value in evidence.log if value == raw and who != "ignored"]
        landed = [at for at, who, value in evidence.log if who == "bridge" and value == raw]
        if name not in outcomes:
            if deadline + 2.0 < LENGTH_S:
                yield "L1", f"{name} has no outcome"
            continue
        outcome, at = outcomes[name]
        if outcome == "applied" and not any(s <= at + SLACK_S for s in shown) and not near(evidence.log, raw, at):
            yield "L2", f"{name} counts as applied at {at:.2f}, the device never showed {raw}"
        # no client can tell a value that another master overwrote at once from one that was ignored
        overwritten = any(landed and landed[-1] <= s <= at for s, who, _ in evidence.log if who in ("master", "reboot"))
        if outcome == "no" and landed and not overwritten:
            yield "L3", f"{name} counts as not applied, it landed at {landed[0]:.2f}"


def near(log, raw, at):
    """Return whether a value within the deadband stood on the device, so that nothing had to be written."""
    standing = [value for second, who, value in log if second <= at and who != "ignored"]
    return abs(standing[-1] - raw) < 10


def held(evidence, commands, states):
    """The newest confirmed command that still holds has to be on the device at the end."""
    standing = [value for _, who, value in evidence.log if who != "ignored"][-1]
    alive = {n: c for n, c in commands.items() if c[1] > LENGTH_S and n in states}
    if alive:
        newest = max(alive, key=lambda n: alive[n][2])
        if states[newest] in ("confirmed", "diverged", "unknown", "sent") and abs(standing - alive[newest][0]) >= 10:
            yield "H1", f"{newest} ({states[newest]}) wants {alive[newest][0]}, the device shows {standing}"
    if not any(at > LENGTH_S - QUIET_S + 8.0 for at in evidence.good_at):
        yield "R", "the device was not read well again after the last fault"


def recovery_s(evidence):
    """Return the seconds from the end of the last disturbance of the reads to the first good quality."""
    ends = [min(f.end_s, LENGTH_S) for f in evidence.plan.faults] + [end for _, end in evidence.bridge_down]
    if not ends:
        return None
    after = [at for at in evidence.good_at if at >= max(ends)]
    return after[0] - max(ends) if after else float("inf")
