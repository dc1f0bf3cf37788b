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
from tests.chaos import episode, fleet, fleet_oracle, oracle, provoking
from tests.chaos.fleet import Act, FleetPlan, Trouble
from tests.chaos.shrink import readable, shrink


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
    plan = replace(provoking.two_groups(1), troubles=(noise,), kills=((30.0, 1.0),))
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
    rule("limits", no_limits, provoking.out_of_limits, "U1"),
    rule("deadline guard", no_deadline_guard, provoking.late_at_the_deadline, "U2"),
    rule("record before the frame", no_journal, provoking.lost_replies, "U3"),
    rule("no record, no frame", unrecorded_frames, provoking.no_room, "U3"),
    rule("quarantine of late frames", no_quarantine, provoking.late_requests, "U4"),
    rule("new epoch after a lease", no_new_epoch, provoking.resumed_after_a_lease, "U4"),
    rule("interlock", no_interlock, provoking.in_local_mode, "U5"),
    rule("ramp", no_ramp, provoking.steep, "U6"),
    rule("safe order in groups", no_order, provoking.two_groups, "U7"),
    rule("living start of groups", no_beat_at_the_start, provoking.begun_on_a_memory, "U7"),
    rule("leases", no_leases, provoking.leased, "U8"),
    rule("leases taken meanwhile", no_second_look_at_leases, provoking.leased_midway, "U8"),
    rule("leases outlive a kill", forgetful_leases, provoking.killed_while_leased, "U8"),
    rule("read-back", no_read_back, provoking.ignoring, "L2", "H1"),
    rule("outcome in doubt", no_doubt, provoking.lost_replies, "L3"),
    rule("check of answers", no_check_of_answers, provoking.glued, "L2"),
    rule("double read", no_double_read, provoking.damaged, "L3"),
    rule("heartbeat", no_heartbeat, provoking.replaying, "F1", "L2", "L3"),
    rule("direction of the heartbeat", no_direction_of_the_beat, provoking.old_answers_among_new, "F1"),
    rule("new connection after a time-out", no_reconnect, provoking.late_replies_on_a_serial_line, "F2"),
    rule("re-assertion", no_reassertion, provoking.rebooting, "H1"),
    rule("refresh", no_refresh, provoking.reverting, "H1"),
    rule("counter of pulses", no_counter, provoking.unanswered_pulse, "D1"),
    rule("counter of late pulses", no_counter, provoking.late_pulse, "D1"),
    rule("roll-back", no_roll_back, provoking.deaf_member, "G"),
    rule("roll-back after a kill", no_roll_back_after_a_kill, provoking.killed_midway, "G"),
    rule("what to roll back to", back_to_what_is_shown, provoking.group_beside_half_a_group, "G"),
    rule("insistence on the way back", no_insistence, provoking.deaf_on_the_way_back, "G"),
    rule("groups whole after a lease", one_by_one_after_a_lease, provoking.deaf_after_a_lease, "G"),
    rule("even time", machine_time, provoking.scheduled_while_the_clock_is_set, "P", "U2"),
    rule("even time after a kill", no_memory_of_time, provoking.clock_set_while_the_bridge_is_down, "U2"),
    rule("one bridge per journal", no_fence, provoking.rivalled, "T"),
    rule("one bridge per device", no_fence_round_devices, provoking.rivalled, "T"),
)
