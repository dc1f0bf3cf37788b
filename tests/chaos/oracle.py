"""The oracle: judges an episode by the device's own log and the journal, and by nothing that the bridge says of itself.

Class names: U1 outside limits, U2 applied after the deadline, U3 applied without a record, U4 an older command lands after a newer one,
L1 accepted and without outcome, L2 "applied" and never on the device, L3 "no" and applied, H1 not on the device at the end, P a step
of the schedule missed or done twice, F1 a frozen value
accepted, F2 an answer accepted that is older than its question, T a second bridge let in, X an exception left the bridge, S a write to
a register that is no set-point, R no recovery after the last fault.
"""

from tests.chaos.episode import GRACE_S, STEP_S
from tests.chaos.life import FRAME_LIFE_S, LENGTH_S, QUIET_S
from tests.chaos.record import of_the_bridge_itself, read_journal

SLACK_S = 0.05
ON_TIME_S = FRAME_LIFE_S + 1.0
"""A step is on the device this long after it began: a frame's life and a cycle."""
PATIENCE_S = 8.0
"""A register that is back on target later than this counts as never."""
STANDING = ("confirmed", "diverged", "unknown", "sent")
NEAR = 10
"""Raw counts within the deadband of the set-point."""


def raw_of(order):
    return round(order.value * 10)


def violations(evidence):
    """Return every violation as (class, words)."""
    record = read_journal(evidence.journal)
    log = [(at, who, raw) for at, who, _, raw in evidence.logs[0]]
    found = [("S", f"address {address}") for _, who, address, _ in evidence.logs[0] if who == "stray"]
    found += of_the_bridge_itself(evidence)
    found += unsafe(log, record)
    found += lost(log, record)
    found += held(evidence, log, record)
    found += followed(evidence.plan, log)
    return found


def unsafe(log, record):
    latest = 0
    for at, who, raw in log:
        if who not in ("bridge", "ignored"):
            continue
        if who == "bridge" and raw != 4000 and not (raw == 0 or 1750 <= raw <= 7000):
            yield "U1", f"{raw} at {at:.2f}"
        mine = [t for t in record.tries if t.at - SLACK_S <= at <= t.at + FRAME_LIFE_S + SLACK_S]
        matching = [t for t in mine if t.raw == raw or raw == 4000]
        owners = [o for o in record.orders.values() if raw_of(o) == raw]
        if owners and all(at > o.deadline + SLACK_S for o in owners):
            yield "U2", f"{raw} landed at {at:.2f}, after the deadline of whoever asked for it"
        if not matching:
            yield "U3", f"{raw} landed at {at:.2f} without a recorded attempt"
            continue
        if all(at > record.orders[t.command].deadline + SLACK_S for t in matching):
            yield "U2", f"{raw} landed at {at:.2f}, after every deadline"
        epoch = max(t.epoch for t in matching)
        if epoch < latest:
            yield "U4", f"{raw} of epoch {epoch} landed at {at:.2f} after epoch {latest}"
        latest = max(latest, epoch)


def lost(log, record):
    for name, order in record.orders.items():
        raw = raw_of(order)
        shown = [at for at, who, value in log if value == raw and who != "ignored"]
        landed = [at for at, who, value in log if who == "bridge" and value == raw]
        if name not in record.outcomes:
            if order.deadline + 2.0 < LENGTH_S:
                yield "L1", f"{name} has no outcome"
            continue
        outcome, _, at = record.outcomes[name]
        if outcome == "applied" and not any(s <= at + SLACK_S for s in shown) and not near(log, raw, at):
            yield "L2", f"{name} counts as applied at {at:.2f}, the device never showed {raw}"
        # no client can tell a value that another master overwrote at once from one that was ignored
        overwritten = any(landed and landed[-1] <= s <= at for s, who, _ in log if who in ("master", "reboot"))
        mine = [t for t in landed if sender(record, raw, t) == name]
        if outcome == "no" and mine and not overwritten:
            yield "L3", f"{name} counts as not applied, it landed at {mine[0]:.2f}"


def sender(record, raw, at):
    """Return whose frame it was that landed: a step may be commanded twice, before and after a kill."""
    tries = [t for t in record.tries if t.raw == raw and t.at - SLACK_S <= at <= t.at + FRAME_LIFE_S + SLACK_S]
    return max(tries, key=lambda t: t.at).command if tries else None


def near(log, raw, at):
    """Return whether a value within the deadband stood on the device, so that nothing had to be written."""
    standing = [value for second, who, value in log if second <= at and who != "ignored"]
    return bool(standing) and abs(standing[-1] - raw) < NEAR


def wanted_at(record, second):
    """Return the newest command that the journal says stands at a second, None when there is none."""
    states = record.states_at(second)
    alive = {n: o for n, o in record.orders.items() if o.accepted <= second < o.deadline and n in states}
    newest = max(alive, key=lambda n: alive[n].epoch, default=None)
    return newest if newest is not None and states[newest] in STANDING else None


def held(evidence, log, record):
    """The newest confirmed command that still holds has to be on the device at the end."""
    standing = [value for _, who, value in log if who != "ignored"][-1]
    newest = wanted_at(record, LENGTH_S)
    if newest is not None and abs(standing - raw_of(record.orders[newest])) >= NEAR:
        words = f"{newest} ({record.states[newest]}) wants {raw_of(record.orders[newest])}, the device shows {standing}"
        yield "H1", words
    if not any(at > LENGTH_S - QUIET_S + 8.0 for at, _, _, _ in evidence.accepted):
        yield "R", "the device was not read well again after the last fault"


def followed(plan, log):
    """Every undisturbed step of a schedule is on the device in time, and none comes back after the next."""
    raws = [round(kw * 10) for kw in plan.steps]
    order = [raws.index(raw) for _, who, raw in log if who == "bridge" and raw in raws]
    if order != sorted(order):
        yield "P", f"steps landed in the order {order}"
    for k, raw in enumerate(raws):
        start = k * STEP_S
        disturbed = any(s < start + ON_TIME_S and e > start - GRACE_S for s, e in plan.disturbances)
        if k and not disturbed and start + STEP_S <= LENGTH_S and not near(log, raw, start + ON_TIME_S):
            yield "P", f"step {k} ({raw}) was not on the device at {start + ON_TIME_S:.1f}"


def recovery_s(evidence):
    """Return the seconds from the end of the last disturbance of the reads to the first good quality."""
    ends = [min(f.end_s, LENGTH_S) for f in evidence.plan.faults] + [end for _, end in evidence.bridge_down]
    if not ends:
        return None
    after = [at for at, _, _, _ in evidence.accepted if at >= max(ends)]
    return after[0] - max(ends) if after else float("inf")


def target_recovery_s(evidence):
    """Return the seconds from the end of the last disturbance until the register shows again what it should.

    None when nothing disturbed the device, or nothing was in force all the time in which it could have come back.
    """
    plan, record = evidence.plan, read_journal(evidence.journal)
    last = max((end for _, end in plan.disturbances), default=None)
    if last is None or last + PATIENCE_S > LENGTH_S:
        return None
    newest = wanted_at(record, last + PATIENCE_S)
    if newest is None or any(last < o.accepted < last + PATIENCE_S for o in record.orders.values()):
        return None
    raw = raw_of(record.orders[newest])
    log = [(at, who, value) for at, who, _, value in evidence.logs[0]]
    if near(log, raw, last):
        return 0.0
    return next(
        (at - last for at, who, value in log if at > last and who != "ignored" and abs(value - raw) < NEAR), 99.0
    )
