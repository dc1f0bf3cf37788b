"""Each protective rule of the bridge, switched off: which class of violation then appears, and in how many of its own episodes.

A rule whose class does not appear is a rule that nothing tests.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import hil.journal
from hil.bridge import driver, groups, hindrances, keeper, link, polled, wayback, writer
from hil.bridge.driver import Driver
from hil.bridge.fence import Fence
from hil.bridge.groups import Groups
from hil.bridge.keeper import Keeper
from hil.bridge.leases import Leases
from hil.bridge.link import Link
from hil.bridge.polled import PolledDevice
from hil.bridge.pulses import Pulses
from hil.clocks import RealClock
from hil.faultproxy import Fault, Kind
from hil.journal import Journal, JournalError
from models.ports import Quality
from tests.chaos import episode, fleet, fleet_oracle, oracle
from tests.chaos.episode import Plan, Spell
from tests.chaos.fleet import LIMITS, Act, FleetPlan, Trouble
from tests.chaos.life import FRAME_LIFE_S
from tests.chaos.shrink import readable, shrink

LOW, HIGH, STEP = (100, 900, 200, 800, 300, 700), (850, 150, 750, 250, 650, 350), (1557, 318, 155, 362, 106, 99)


# plans: one per rule, the seed moves what happens in time


def out_of_limits(seed):
    return Plan(seed=seed, commands=((3.0, 720.0 + seed, 90.0),))


def ignoring(seed):
    return Plan(seed=seed, spells=(Spell("ignore", 2.0, 20.0),), commands=((3.0 + seed % 10, 300.0, 90.0),))


def rebooting(seed):
    return Plan(seed=seed, reboots=(10.0 + seed % 15,), commands=((3.0, 300.0, 90.0),))


def late_at_the_deadline(seed):
    late = Fault(Kind.DELAY_REQUEST, 4.9, 9.0, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,))
    return Plan(seed=seed, faults=(late,), commands=((5.0, 300.0 + seed, 0.5 + 0.1 * (seed % 9)),))


def lost_replies(seed):
    lost = Fault(Kind.DROP_REPLY, 4.9, 7.0 + 0.2 * (seed % 10), 1.0, functions=(6,))
    return Plan(seed=seed, faults=(lost,), commands=((5.0, 300.0, 90.0),))


def late_requests(seed):
    """A frame is late in a gateway while the value changes behind it."""
    late = Fault(Kind.DELAY_REQUEST, 4.9, 5.4, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,))
    follows = 5.7 + 0.02 * (seed % 10)
    return Plan(seed=seed, faults=(late,), commands=((5.0, 300.0, 90.0), (follows, 400.0, 90.0), (14.0, 500.0, 6.0)))


def replaying(seed):
    replay = Fault(Kind.REPLAY, 4.0, 30.0, 1.0)
    return Plan(seed=seed, faults=(replay,), commands=((2.0, 250.0, 90.0), (10.0 + seed % 10, 300.0, 90.0)))


def glued(seed):
    """On a serial line the echo of a write comes once more in front of the read-back, from a device that ignores writes."""
    at = 5.3 + seed % 20
    slow = Fault(Kind.DELAY_REPLY, at - 0.1, at + 0.1, 1.0, delay_s=0.2, functions=(6,))
    glue = Fault(Kind.GLUE, at + 0.1, at + 0.3, 1.0, functions=(3,))
    deaf = Spell("ignore", 4.0, 40.0)
    return Plan(seed=seed, framer="rtu", faults=(slow, glue), spells=(deaf,), commands=((at, 300.0, 90.0),))


def damaged(seed):
    bent = Fault(Kind.CORRUPT, 4.0, 30.0, 0.5, functions=(3,))
    return Plan(seed=seed, faults=(bent,), commands=tuple((5.0 + 4 * k, 300.0 + 20 * k + seed, 90.0) for k in range(5)))


def late_replies_on_a_serial_line(seed):
    late = Fault(Kind.DELAY_REPLY, 5.0, 14.0, 0.7, delay_s=0.85 + 0.01 * (seed % 10))
    return FleetPlan(seed=seed, framer="rtu", troubles=(Trouble(0, late),), acts=(Act(3.0, 0, "released", (100,)),))


def no_room(seed):
    return Plan(seed=seed, full_disks=((4.0, 8.0),), commands=((5.0 + seed % 6, 300.0, 90.0),))


def scheduled_while_the_clock_is_set(seed):
    by = (-3600.0, 3600.0, -40.0, 15.0)[seed % 4]
    return Plan(seed=seed, jumps=((7.0 + seed % 20, by),), steps=episode.unique_kw(episode.random.Random(seed), 9))


def clock_set_while_the_bridge_is_down(seed):
    killed = ((6.0, 2.0),)
    return Plan(
        seed=seed, kills=killed, jumps=((7.0, -3600.0),), reboots=(20.0 + seed % 8,), commands=((3.0, 300.0, 12.0),)
    )


def rivalled(seed):
    return Plan(seed=seed, rivals=(5.0 + seed % 30,), commands=((3.0, 300.0, 90.0),))


def two_groups(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0, 0, "group", LOW), Act(8.0 + seed % 20, 0, "group", HIGH)))


def deaf_member(seed):
    deaf = Trouble(0, deaf=(LIMITS[seed % 6],), start_s=6.0, end_s=14.0)
    return FleetPlan(seed=seed, troubles=(deaf,), acts=(Act(3.0, 0, "group", LOW), Act(8.0, 0, "group", HIGH)))


def killed_midway(seed):
    slow = Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 15.0, 1.0, delay_s=0.3, functions=(6,)))
    return replace(deaf_member(seed), troubles=(slow,), kills=((9.9 + 0.3 * (seed % 6), 1.0),))


def group_beside_half_a_group(seed):
    """A group fails, one of its points is deaf on the way back, and the next group fails on the same point."""
    deaf = (
        Trouble(0, deaf=(LIMITS[3],), start_s=9.0, end_s=13.5),
        Trouble(0, deaf=(LIMITS[1],), start_s=11.4, end_s=20.0),
    )
    third = Act(14.0 + 0.2 * (seed % 10), 0, "group", STEP, 20.0)
    acts = (Act(3.0, 0, "group", LOW), Act(10.0, 0, "group", HIGH, 20.0), third)
    return FleetPlan(seed=seed, troubles=deaf, acts=acts)


def deaf_on_the_way_back(seed):
    deaf = (
        Trouble(0, deaf=(LIMITS[3],), start_s=9.0, end_s=13.0),
        Trouble(0, deaf=(LIMITS[1],), start_s=11.4, end_s=16.0 + seed % 15),
    )
    return FleetPlan(seed=seed, troubles=deaf, acts=(Act(3.0, 0, "group", LOW), Act(10.0, 0, "group", HIGH, 20.0)))


def deaf_after_a_lease(seed):
    """A group gives way to the one of whoever holds a lease; when that ends, one of its points is deaf."""
    deaf = Trouble(0, deaf=(LIMITS[seed % 6],), start_s=17.5, end_s=22.0)
    acts = (Act(3.0, 0, "group", LOW), Act(12.0, 0, "group", HIGH, 6.0, "operator"))
    return FleetPlan(seed=seed, troubles=(deaf,), acts=acts, leases=((10.0, 8.0, "operator", 0),))


def begun_on_a_memory(seed):
    """A gateway begins to answer from its memory just before a group is begun."""
    at = 12.0 + seed % 20
    memory = Trouble(0, Fault(Kind.REPLAY, at - 1.0, at + 4.0, 1.0))
    return FleetPlan(seed=seed, troubles=(memory,), acts=(Act(3.0, 0, "group", LOW, 6.0), Act(at, 0, "group", STEP)))


def leased_midway(seed):
    """Somebody takes a lease while a group is being begun or written."""
    slow = Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 14.0, 1.0, delay_s=0.2, functions=(6,)))
    lease = (8.3 + 0.15 * (seed % 16), 12.0, "operator", 0)
    return FleetPlan(seed=seed, troubles=(slow,), acts=two_groups(0).acts, leases=(lease,))


def old_answers_among_new(seed):
    """A gateway mixes what it remembers with what the device says, and loses half of it."""
    lost, memory = Fault(Kind.TRUNCATE, 4.0, 14.0, 0.6), Fault(Kind.REPLAY, 2.3, 20.0, 0.6)
    return Plan(seed=seed + 6, faults=(lost, memory))


def late_pulse(seed):
    late = Fault(Kind.DELAY_REQUEST, 4.9, 5.5, 1.0, delay_s=0.9 + 0.1 * (seed % 5), functions=(6,))
    return FleetPlan(seed=seed, acts=(Act(5.0, 0, "start"),), troubles=(Trouble(0, late),))


def unanswered_pulse(seed):
    lost = Fault(Kind.DROP_REPLY, 4.9, 5.6 + 0.1 * (seed % 10), 1.0, functions=(6,))
    return FleetPlan(seed=seed, acts=(Act(5.0, 0, "start"), Act(20.0, 0, "reset")), troubles=(Trouble(0, lost),))


def leased(seed):
    acts = (Act(5.0 + seed % 8, 0, "group", LOW), Act(9.0, 0, "start"))
    return FleetPlan(seed=seed, acts=acts, leases=((4.0, 12.0, "operator", 0),))


def killed_while_leased(seed):
    """The planner's value is overridden by whoever holds the lease; then the bridge dies, and its memory with it."""
    acts = (Act(3.0, 0, "released", (100,)), Act(13.0 + seed % 5, 0, "released", (50 + seed,)))
    return FleetPlan(seed=seed, acts=acts, leases=((6.0, 20.0, "operator", 0),), kills=((10.0, 1.0),))


def resumed_after_a_lease(seed):
    acts = (Act(3.0, 0, "released", (100,)), Act(7.0 + seed % 4, 0, "released", (200,), by="operator"))
    return FleetPlan(seed=seed, acts=acts, leases=((6.0, 8.0, "operator", 0),))


def steep(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0, 0, "ramped", (60,)), Act(4.0 + 0.1 * (seed % 10), 0, "ramped", (390,))))


def in_local_mode(seed):
    local = Trouble(0, local=True, start_s=3.0, end_s=30.0)
    return FleetPlan(seed=seed, troubles=(local,), acts=(Act(8.0 + seed % 20, 0, "released", (100,)),))


def reverting(seed):
    return FleetPlan(seed=seed, acts=(Act(3.0 + seed % 10, 0, "reverting", (100,)),))


# rules: how each is switched off


def no_limits(patch):
    patch.setattr(writer, "refuse_command", lambda *_: None)


def no_read_back(patch):
    async def echo(self, target, device):
        return target.frame.words

    patch.setattr(Driver, "_read_back", echo)


def no_reassertion(patch):
    patch.setattr(Keeper, "_shows_otherwise", lambda *_: False)


def no_deadline_guard(patch):
    for module in (driver, writer, keeper):
        patch.setattr(module, "refuse_late", lambda *_: None)


def no_journal(patch):
    numbers = itertools.count(1)
    patch.setattr(Journal, "attempt", lambda *_: next(numbers))


def no_doubt(patch):
    async def denied(self, target, device, sent, problem):
        return driver.not_done("differs", "taken as not done")

    settle = Keeper.settle

    def sure(self, target, verdict):
        target.doubtful = False
        return settle(self, target, verdict)

    patch.setattr(driver, "unread", lambda device: driver.not_done("unreachable", "taken as not done"))
    patch.setattr(Driver, "_denied", denied)
    patch.setattr(driver, "PATIENCE_S", -1.0)
    patch.setattr(Keeper, "settle", sure)


def no_quarantine(patch):
    async def at_once(self, target):
        return None

    patch.setattr(Driver, "_wait_out", at_once)


def no_heartbeat(patch):
    async def trusting(self, device):
        return False

    patch.setattr(writer.Writer, "_stands_still", trusting)
    patch.setattr(PolledDevice, "quality", lambda self, now: Quality.GOOD)
    patch.setattr(Driver, "_read_alive", Driver._read_back)


def no_check_of_answers(patch):
    async def ask(self, request, function):
        try:
            answer = await request
        except (link.ModbusException, OSError) as problem:
            self._fail()
            raise link.UnreachableError(str(problem)) from None
        if answer.isError():
            raise link.RefusedError("refused", answer.exception_code)
        return answer

    patch.setattr(Link, "_ask", ask)
    patch.setattr(Link, "_checked_read", lambda self, answer, table, count: list(answer.registers))
    patch.setattr(link, "_echoes", lambda answer, frame: True)


def no_double_read(patch):
    async def once(self, target, device):
        return await self.words(device, target.point)

    patch.setattr(Driver, "_read_back", once)
    patch.setattr(Driver, "_read_alive", once)


def no_reconnect(patch):
    def go_on(self):
        self.stats.failures += 1

    patch.setattr(Link, "_fail", go_on)


def unrecorded_frames(patch):
    attempt = Journal.attempt

    def anyway(self, *values):
        try:
            return attempt(self, *values)
        except JournalError:
            return 0

    patch.setattr(Journal, "attempt", anyway)
    patch.setattr(Journal, "accept", lambda self, command, at: 1)
    patch.setattr(Journal, "receipt_of", lambda self, command: None)


def machine_time(patch):
    patch.setattr(RealClock, "now", lambda self: self._wall())


def no_memory_of_time(patch):
    patch.setattr(RealClock, "go_on_from", lambda self, anchor: None)


def no_fence(patch):
    def held(path):
        return Path(f"{path}.lock").open("w")

    patch.setattr(hil.journal, "_held", held)


def no_fence_round_devices(patch):
    patch.setattr(Fence, "_take", lambda self, device: True)


def no_order(patch):
    patch.setattr(groups, "safe_order", lambda steps, back=False: list(steps))
    patch.setattr(hindrances, "refuse_sum", lambda *_: None)


def no_roll_back(patch):
    async def give_up(self, device, name, steps):
        self._journal.close_group(name, self._clock.now(), "given up")
        return tuple(self._given_up(s, None) for s in steps)

    async def idle(self, target, device):
        """Look after nothing."""

    patch.setattr(Groups, "_take_back", give_up)
    patch.setattr(Keeper, "_look_after", idle)


def back_to_what_is_shown(patch):
    patch.setattr(Groups, "_wanted", lambda self, step, older, torn: step.shown)


def no_insistence(patch):
    patch.setattr(wayback, "INSISTENCE", 0)


def one_by_one_after_a_lease(patch):
    async def singly(self, device):
        for targets in self._keeper.woken_groups(device):
            for target in targets:
                self._keeper.put(self._keeper.renewed(target))
                self._keeper.enter(target, groups.State.UNKNOWN, "taken up alone")

    patch.setattr(Groups, "_write_again", singly)


def no_roll_back_after_a_kill(patch):
    patch.setattr(Groups, "resume", lambda self: None)


def no_counter(patch):
    async def trusting(self, device, target, counter):
        for _ in range(4):
            sent, _ = await self._driver.send(target, device, target.frame)
            if sent.value == "echoed":
                break
            await asyncio.sleep(0.7)
        return groups.Verdict(groups.State.COMPLETED, groups.Outcome.APPLIED, "applied", "as echoed")

    patch.setattr(Pulses, "_counted", trusting)


def no_beat_at_the_start(patch):
    patch.setattr(driver, "_beat_beside", lambda *_: None)
    no_direction_of_the_beat(patch)  # which alone finds a memory of long ago


def no_direction_of_the_beat(patch):
    patch.setattr(polled, "_goes_back", lambda *_: False)


def no_second_look_at_leases(patch):
    patch.setattr(Driver, "leased_away", lambda *_: None)


def no_leases(patch):
    patch.setattr(Leases, "refuse", lambda *_: None)


def forgetful_leases(patch):
    patch.setattr(Journal, "leases", lambda self: [])


def no_new_epoch(patch):
    def same(self, command):
        return self.rows("SELECT epoch FROM commands WHERE id = ?", command)[0][0]

    patch.setattr(Journal, "renew", same)


def no_ramp(patch):
    patch.setattr(hindrances, "refuse_step", lambda *_: None)


def no_interlock(patch):
    patch.setattr(hindrances, "refuse_interlock", lambda *_: None)


def no_refresh(patch):
    patch.setattr(keeper.Target, "refresh_due", lambda self: float("inf"))


@dataclass(frozen=True)
class Rule:
    """A rule, how to do without it, the plan that needs it, and the classes of which one has to appear without it."""

    name: str
    off: Callable
    plan: Callable
    classes: frozenset

    def seen(self, seeds, folder):
        """Return, per episode, the classes of its violations."""
        return [self.classes_of(self.plan(seed), folder) for seed in seeds]

    def seen_without(self, seeds, folder):
        """The same with the rule switched off."""
        with without(self):
            return self.seen(seeds, folder)

    def classes_of(self, plan, folder):
        """Return the classes of an episode's violations."""
        for left in folder.glob("*.sqlite*"):
            left.unlink()
        runner, judge = (fleet, fleet_oracle) if isinstance(plan, FleetPlan) else (episode, oracle)
        return {kind for kind, _ in judge.violations(runner.run(plan, folder))}


@contextmanager
def without(rule):
    """Switch a rule off."""
    with pytest.MonkeyPatch.context() as patch:
        rule.off(patch)
        yield


def rule(name, off, plan, *classes):
    return Rule(name, off, plan, frozenset(classes))


def shrunk_to_what_matters(folder):
    """Return the smallest plan in which groups written in file order exceed their sum, the runs it took, and its words."""
    noise = Trouble(0, Fault(Kind.DUPLICATE, 20.0, 25.0, 0.3))
    plan = replace(two_groups(1), troubles=(noise,), kills=((30.0, 1.0),))
    plan = replace(plan, acts=(*plan.acts, Act(20.0, 0, "start")))
    unordered = next(r for r in RULES if r.off is no_order)
    with without(unordered):
        small, runs = shrink(plan, lambda p: "U7" in unordered.classes_of(p, folder))
    return small, runs, readable(small)


def table(episodes: int, folder: Path) -> Iterator[tuple[Rule, int, int]]:
    """Yield a line per rule: its name, the class, violations with the rule, and episodes that show the class without it."""
    for one in RULES:
        seeds = range(episodes)
        clean = sum(bool(found) for found in one.seen(seeds, folder))
        shown = sum(bool(one.classes & found) for found in one.seen_without(seeds, folder))
        yield one, clean, shown


RULES = (
    rule("limits", no_limits, out_of_limits, "U1"),
    rule("deadline guard", no_deadline_guard, late_at_the_deadline, "U2"),
    rule("record before the frame", no_journal, lost_replies, "U3"),
    rule("no record, no frame", unrecorded_frames, no_room, "U3"),
    rule("quarantine of late frames", no_quarantine, late_requests, "U4"),
    rule("new epoch after a lease", no_new_epoch, resumed_after_a_lease, "U4"),
    rule("interlock", no_interlock, in_local_mode, "U5"),
    rule("ramp", no_ramp, steep, "U6"),
    rule("safe order in groups", no_order, two_groups, "U7"),
    rule("living start of groups", no_beat_at_the_start, begun_on_a_memory, "U7"),
    rule("leases", no_leases, leased, "U8"),
    rule("leases taken meanwhile", no_second_look_at_leases, leased_midway, "U8"),
    rule("leases outlive a kill", forgetful_leases, killed_while_leased, "U8"),
    rule("read-back", no_read_back, ignoring, "L2", "H1"),
    rule("outcome in doubt", no_doubt, lost_replies, "L3"),
    rule("check of answers", no_check_of_answers, glued, "L2"),
    rule("double read", no_double_read, damaged, "L3"),
    rule("heartbeat", no_heartbeat, replaying, "F1", "L2", "L3"),
    rule("direction of the heartbeat", no_direction_of_the_beat, old_answers_among_new, "F1"),
    rule("new connection after a time-out", no_reconnect, late_replies_on_a_serial_line, "F2"),
    rule("re-assertion", no_reassertion, rebooting, "H1"),
    rule("refresh", no_refresh, reverting, "H1"),
    rule("counter of pulses", no_counter, unanswered_pulse, "D1"),
    rule("counter of late pulses", no_counter, late_pulse, "D1"),
    rule("roll-back", no_roll_back, deaf_member, "G"),
    rule("roll-back after a kill", no_roll_back_after_a_kill, killed_midway, "G"),
    rule("what to roll back to", back_to_what_is_shown, group_beside_half_a_group, "G"),
    rule("insistence on the way back", no_insistence, deaf_on_the_way_back, "G"),
    rule("groups whole after a lease", one_by_one_after_a_lease, deaf_after_a_lease, "G"),
    rule("even time", machine_time, scheduled_while_the_clock_is_set, "P", "U2"),
    rule("even time after a kill", no_memory_of_time, clock_set_while_the_bridge_is_down, "U2"),
    rule("one bridge per journal", no_fence, rivalled, "T"),
    rule("one bridge per device", no_fence_round_devices, rivalled, "T"),
)
