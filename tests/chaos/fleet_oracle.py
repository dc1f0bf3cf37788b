"""The oracle of fleet episodes: judges by the devices' own logs and the journal.

U3 applied without a record, U7 an own rising write leaves a group above its sum, U8 a write of somebody else during a lease,
G a group half-written long after the last trouble, D1 a pulse carried out twice, L1 accepted and without outcome,
L2 "applied" and never on the device, L3 "no" and applied, X an exception left the bridge, S a write to no known point.
"""

import json
import sqlite3
from datetime import datetime

from tests.chaos.episode import EPOCH, FRAME_LIFE_S, LENGTH_S
from tests.chaos.fleet import LIMITS, PULSE, SUM_MAX, UNCOUNTED

SLACK_S = 0.01
WHOLE_S = 11.0
"""Longest time in which a group may be half-written after everything is well again: its limit, and one write's patience."""


def seconds(text):
    return (datetime.fromisoformat(text) - EPOCH).total_seconds()


def violations(evidence):
    """Return every violation as (class, words)."""
    db = sqlite3.connect(evidence.journal)
    tries = [
        (device, address, json.loads(words)[0], seconds(at), by, command)
        for device, address, words, at, by, command in db.execute(
            "SELECT a.device, a.address, a.words, a.at, c.issued_by, c.id FROM attempts a JOIN commands c ON c.id = a.command"
        )
    ]
    outcomes = {n: (o, c, seconds(t)) for n, o, c, t in db.execute("SELECT command, outcome, code, at FROM outcomes")}
    accepted = {n: seconds(d) for n, d in db.execute("SELECT id, deadline FROM commands")}
    db.close()
    found = [("X", repr(p)) for p in evidence.escaped]
    for k, log in enumerate(evidence.logs):
        mine = [t for t in tries if t[0] == f"e{k}"]
        found += [*recorded(k, log, mine), *sums(k, log), *whole(k, log, evidence)]
    found += [*leased(evidence, tries), *pulses(evidence), *told(evidence, outcomes, accepted)]
    return found


def recorded(k, log, tries):
    for at, _, address, raw in log:
        if address not in (*LIMITS, PULSE, UNCOUNTED):
            yield "S", f"e{k} address {address} at {at:.2f}"
        early, late = at - FRAME_LIFE_S - SLACK_S, at + SLACK_S
        if not any(a == address and r == raw and early <= t <= late for _, a, r, t, _, _ in tries):
            yield "U3", f"e{k} {address} = {raw} landed at {at:.2f} without a recorded attempt"


def sums(k, log):
    shown = dict.fromkeys(LIMITS, 0)
    for at, who, address, raw in log:
        if who != "bridge" or address not in LIMITS:
            continue
        rises, shown[address] = raw > shown[address], raw
        if rises and sum(shown.values()) > SUM_MAX:
            yield "U7", f"e{k} adds up to {sum(shown.values())} at {at:.2f}"


def whole(k, log, evidence):
    """At the end the six limits are those of one group, or of none: all values of an episode are unique."""
    plan = evidence.plan
    acts = [a for a in plan.acts if a.kind == "group" and a.device == k]
    ends = [t.fault.end_s if t.fault else t.end_s for t in plan.troubles if t.device == k]
    calm = max([0.0, *ends, *(e for _, e in evidence.bridge_down), *(a.second for a in acts)])
    if calm + WHOLE_S > LENGTH_S - 0.5:
        return
    shown = dict.fromkeys(LIMITS, 0)
    for _, who, address, raw in log:
        if who == "bridge" and address in LIMITS:
            shown[address] = raw
    if tuple(shown.values()) not in {(0,) * 6, *(a.values for a in acts)}:
        yield "G", f"e{k} shows {tuple(shown.values())}, which is no group"


def leased(evidence, tries):
    """While somebody holds a lease, nobody else's command may land; frames sent before may, for their life."""
    for start, length, holder, k in evidence.plan.leases:
        downs = [end for _, end in evidence.bridge_down if end > start]
        for at, _, address, raw in evidence.logs[k]:
            if not start + FRAME_LIFE_S <= at < start + length or any(at >= d - 0.5 for d in downs):
                continue
            matching = [t for t in tries if t[0] == f"e{k}" and t[1:3] == (address, raw) and t[3] <= at + SLACK_S]
            last = max(matching, key=lambda t: t[3], default=None)
            if last is not None and last[3] > start + SLACK_S and last[4] not in (holder, "bridge"):
                yield "U8", f"e{k} {address} = {raw} of {last[4]} landed at {at:.2f} during the lease of {holder}"


def pulses(evidence):
    for k, log in enumerate(evidence.logs):
        for address, kind in ((PULSE, "start"), (UNCOUNTED, "reset")):
            asked = sum(1 for a in evidence.plan.acts if a.kind == kind and a.device == k)
            done = sum(1 for _, who, a, _ in log if who == "bridge" and a == address)
            if done > asked:
                yield "D1", f"e{k} {kind} was asked for {asked} times and carried out {done} times"


def told(evidence, outcomes, accepted):
    for name, deadline in accepted.items():
        if name not in outcomes and deadline + 2.0 < LENGTH_S and not name.endswith("/back"):
            yield "L1", f"{name} has no outcome"
    for n, act in enumerate(evidence.plan.acts):
        landed = {(a, r) for _, who, a, r in evidence.logs[act.device] if who == "bridge"}
        if act.kind == "group":
            members = [(f"a{n}.{i}", LIMITS[i], v) for i, v in enumerate(act.values)]
        else:
            members = []
        for name, address, value in members:
            outcome, code, _ = outcomes.get(name, ("", "", 0.0))
            if outcome == "applied" and (address, value) not in landed:
                yield "L2", f"{name} counts as applied and never landed"
            if outcome == "no" and code != "rolled_back" and (address, value) in landed:
                yield "L3", f"{name} counts as not applied ({code}) and landed"
    yield from told_of_pulses(evidence, outcomes)


def told_of_pulses(evidence, outcomes):
    """Pulses of one kind look alike, so they are counted: at least the applied ones, at most those not denied."""
    for k, log in enumerate(evidence.logs):
        for address, kind in ((PULSE, "start"), (UNCOUNTED, "reset")):
            names = [f"a{n}" for n, a in enumerate(evidence.plan.acts) if a.kind == kind and a.device == k]
            heard = [outcomes[n][0] for n in names if n in outcomes]
            done = sum(1 for _, who, a, _ in log if who == "bridge" and a == address)
            if done < heard.count("applied"):
                yield "L2", f"e{k} {kind}: {heard.count('applied')} count as applied, {done} were"
            if done > len(names) - heard.count("no"):
                yield "L3", f"e{k} {kind}: {heard.count('no')} of {len(names)} count as not applied, {done} were"
