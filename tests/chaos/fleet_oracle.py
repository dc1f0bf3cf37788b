"""The oracle of fleet episodes: judges by the devices' own logs and the journal.

U2 applied after its deadline, U3 applied without a record, U4 an older command lands after a newer one, U5 applied while an interlock
forbade it, U6 steeper than the ramp, U7 an own rising write leaves a group above its sum, U8 a write of somebody else during a lease,
G a group half-written long after the last trouble, D1 a pulse carried out twice, L1 accepted and without outcome, L2 "applied" and
never on the device, L3 "no" and applied, H1 a value that is in force is lost without a disturbance, S a write to no known point; and
F1, F2, T and X as in :mod:`tests.chaos.oracle`.
"""

from tests.chaos.fleet import LIMITS, PULSE, RAMP_PER_S, RAMPED, RELEASED, REVERTING, SINGLE, SUM_MAX, UNCOUNTED
from tests.chaos.life import FRAME_LIFE_S, LENGTH_S
from tests.chaos.record import of_the_bridge_itself, read_journal

SLACK_S = 0.05
WHOLE_S = 11.0
"""Longest time in which a group may be half-written after everything is well again: its limit, and one write's patience."""
CALM_S = 9.0
"""So long after a disturbance a value in force is not expected to stand again."""
SEEN_S = 1.0 + FRAME_LIFE_S
"""How long after an interlock has fallen a frame may land that left before a poll could show it."""


def violations(evidence):
    """Return every violation as (class, words)."""
    record = read_journal(evidence.journal)
    found = list(of_the_bridge_itself(evidence))
    for k, log in enumerate(evidence.logs):
        mine = [t for t in record.tries if t.device == f"e{k}"]
        found += [*recorded(k, log, mine, record.orders), *sums(k, log), *whole(k, log, evidence)]
        found += [*ramps(k, log), *locked(k, log, evidence.plan), *reverted(k, log, mine, record, evidence)]
        found += newest_last(k, log, mine)
    found += [*leased(evidence, record.tries), *pulses(evidence), *told(evidence, record)]
    return found


def recorded(k, log, tries, orders):
    for at, who, address, raw in log:
        if who == "revert":
            continue
        if address not in (*LIMITS, PULSE, UNCOUNTED, *SINGLE.values()):
            yield "S", f"e{k} address {address} at {at:.2f}"
        early, late = at - FRAME_LIFE_S - SLACK_S, at + SLACK_S
        matching = [t for t in tries if (t.address, t.raw) == (address, raw) and early <= t.at <= late]
        if not matching:
            yield "U3", f"e{k} {address} = {raw} landed at {at:.2f} without a recorded attempt"
        elif all(at > orders[t.command].deadline + SLACK_S for t in matching):
            yield "U2", f"e{k} {address} = {raw} landed at {at:.2f}, after every deadline"


def newest_last(k, log, tries):
    """On points of single values, nothing of an older epoch lands after a newer one."""
    latest = dict.fromkeys(SINGLE.values(), 0)
    for at, who, address, raw in log:
        if who != "bridge" or address not in latest:
            continue
        near = [
            t
            for t in tries
            if (t.address, t.raw) == (address, raw) and at - FRAME_LIFE_S - SLACK_S <= t.at <= at + SLACK_S
        ]
        epoch = max((t.epoch for t in near), default=latest[address])
        if epoch < latest[address]:
            yield "U4", f"e{k} {address} = {raw} of epoch {epoch} landed at {at:.2f} after epoch {latest[address]}"
        latest[address] = max(latest[address], epoch)


def reverted(k, log, tries, record, evidence):
    """A device with a revert timer never falls back while a command stands, nobody else holds a lease and nothing disturbs anybody."""
    spans = [*evidence.plan.disturbances(k), *((s, s + d) for s, d, _, device in evidence.leases if device == k)]
    for at, who, _, _ in log:
        if who != "revert" or any(s - 1.0 < at and e > at - CALM_S for s, e in spans):
            continue
        shown = [raw for second, by, address, raw in log if by == "bridge" and address == REVERTING and second < at][-1]
        states = record.states_at(at)
        for t in tries:
            order = record.orders[t.command]
            if (
                (t.address, t.raw) == (REVERTING, shown)
                and order.deadline > at
                and states.get(t.command) == "confirmed"
            ):
                yield "H1", f"e{k} fell back at {at:.2f} while {t.command} stood"
                break


def ramps(k, log):
    """No rising step is higher than what the value before has stood for."""
    shown, since = 0, 0.0
    for at, who, address, raw in log:
        if who != "bridge" or address != RAMPED or raw == shown:
            continue
        reach = RAMP_PER_S * (at - since)
        if raw - shown > reach + 1.0:
            yield "U6", f"e{k} went from {shown} to {raw} at {at:.2f}; {reach:.0f} was allowed"
        shown, since = raw, at


def locked(k, log, plan):
    """Nothing but 0 lands while the release has been away for longer than a poll and a frame's life."""
    spells = [(t.start_s, t.end_s) for t in plan.troubles if t.local and t.device == k]
    for at, who, address, raw in log:
        if who == "bridge" and address == RELEASED and raw and any(s + SEEN_S < at < e for s, e in spells):
            yield "U5", f"e{k} was set to {raw} at {at:.2f} in local mode"


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
    ends += [s + d for s, d in plan.full_disks] + [up for _, up in evidence.bridge_down]
    calm = max([0.0, *ends, *(a.second for a in acts)])
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
    for start, length, holder, k in evidence.leases:
        begun = max([start, *(up for down, up in evidence.bridge_down if down <= start < up)])
        for at, _, address, raw in evidence.logs[k]:
            if not begun + FRAME_LIFE_S <= at < start + length:
                continue
            matching = [
                t for t in tries if (t.device, t.address, t.raw) == (f"e{k}", address, raw) and t.at <= at + SLACK_S
            ]
            last = max(matching, key=lambda t: t.at, default=None)
            if last is not None and last.at > begun + SLACK_S and last.by not in (holder, "bridge"):
                yield "U8", f"e{k} {address} = {raw} of {last.by} landed at {at:.2f} during the lease of {holder}"


def pulses(evidence):
    for k, log in enumerate(evidence.logs):
        for address, kind in ((PULSE, "start"), (UNCOUNTED, "reset")):
            asked = sum(1 for a in evidence.plan.acts if a.kind == kind and a.device == k)
            done = sum(1 for _, who, a, _ in log if who == "bridge" and a == address)
            if done > asked:
                yield "D1", f"e{k} {kind} was asked for {asked} times and carried out {done} times"


def told(evidence, record):
    for name, order in record.orders.items():
        if name not in record.outcomes and order.deadline + 2.0 < LENGTH_S and not name.endswith("/back"):
            yield "L1", f"{name} has no outcome"
    for n, act in enumerate(evidence.plan.acts):
        landed = {(a, r) for _, who, a, r in evidence.logs[act.device] if who == "bridge"}
        members = []
        if act.kind == "group":
            members = [(f"a{n}.{i}", LIMITS[i], v) for i, v in enumerate(act.values)]
        elif act.kind in SINGLE:
            members = [(f"a{n}", SINGLE[act.kind], act.values[0])]
        for name, address, value in members:
            outcome, code, _ = record.outcomes.get(name, ("", "", 0.0))
            if outcome == "applied" and (address, value) not in landed:
                yield "L2", f"{name} counts as applied and never landed"
            if outcome == "no" and code != "rolled_back" and (address, value) in landed:
                yield "L3", f"{name} counts as not applied ({code}) and landed"
    yield from told_of_pulses(evidence, record.outcomes)


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
