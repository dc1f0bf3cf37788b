"""Each protective rule, switched off: the oracle has to see its class, or the rule is untested."""

import itertools

import pytest

from hil.bridge import driver, keeper, link, writer
from hil.bridge.driver import Driver
from hil.bridge.keeper import Keeper
from hil.bridge.link import Link
from hil.bridge.polled import PolledDevice
from hil.faultproxy import Fault, Kind
from hil.journal import Journal
from models.ports import Outcome, Quality
from tests.chaos.episode import FRAME_LIFE_S, Plan, Spell, run
from tests.chaos.oracle import violations

EPISODES = 5


def classes(plans, folder):
    """Return, per class, in how many episodes it was seen."""
    seen = {}
    for plan in plans:
        for kind in {kind for kind, _ in violations(run(plan, folder))}:
            seen[kind] = seen.get(kind, 0) + 1
    return seen


def ignoring(seed):
    return Plan(seed=seed, spells=(Spell("ignore", 2.0, 20.0),), commands=((3.0 + seed, 300.0, 90.0),))


def late_requests(seed):
    """A frame is late in a gateway while the value changes behind it."""
    return Plan(
        seed=seed,
        faults=(Fault(Kind.DELAY_REQUEST, 4.9, 5.4, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,)),),
        commands=((5.0, 300.0, 90.0), (5.7 + 0.02 * seed, 400.0, 90.0), (8.0 + seed, 500.0, 6.0)),
    )


def late_at_the_deadline(seed):
    return Plan(
        seed=seed,
        faults=(Fault(Kind.DELAY_REQUEST, 4.9, 9.0, 1.0, delay_s=FRAME_LIFE_S - 0.1, functions=(6,)),),
        commands=((5.0, 300.0 + seed, 0.5 + 0.1 * seed),),
    )


def rebooting(seed):
    return Plan(seed=seed, reboots=(10.0 + seed,), commands=((3.0, 300.0, 90.0),))


def lost_replies(seed):
    return Plan(
        seed=seed,
        faults=(Fault(Kind.DROP_REPLY, 4.9, 7.0 + 0.2 * seed, 1.0, functions=(6,)),),
        commands=((5.0, 300.0, 90.0),),
    )


def replaying(seed):
    return Plan(
        seed=seed,
        faults=(Fault(Kind.REPLAY, 4.0, 30.0, 1.0),),
        commands=((2.0, 250.0, 90.0), (10.0 + seed, 300.0, 90.0)),
    )


def out_of_limits(seed):
    return Plan(seed=seed, commands=((3.0, 720.0 + seed, 90.0),))


def switch_off(patch, rule):
    """Switch off one rule of the bridge."""
    if rule == "limits":
        patch.setattr(writer, "refuse_command", lambda *_: None)
    elif rule == "read-back":

        async def echo(self, target, device):
            return target.frame.words

        patch.setattr(Driver, "_read_back", echo)
    elif rule == "re-assert":
        patch.setattr(Keeper, "_shows_otherwise", lambda *_: False)
    elif rule == "deadline guard":
        patch.setattr(driver, "refuse_late", lambda *_: None)
        patch.setattr(writer, "refuse_late", lambda *_: None)
        patch.setattr(keeper, "refuse_late", lambda *_: None)
    elif rule == "journal first":
        numbers = itertools.count(1)
        patch.setattr(Journal, "attempt", lambda *_: next(numbers))
    elif rule == "outcome in doubt":

        async def denied(self, target, device, sent, problem):
            return driver.not_done("differs", "taken as not done")

        patch.setattr(driver, "unread", lambda device: driver.not_done("unreachable", "taken as not done"))
        patch.setattr(Driver, "_denied", denied)
        patch.setattr(driver, "PATIENCE_S", -1.0)
        settle = Keeper.settle

        def sure(self, target, verdict):
            target.doubtful = False
            return settle(self, target, verdict)

        patch.setattr(Keeper, "settle", sure)
    elif rule == "quarantine":

        async def at_once(self, target):
            return None

        patch.setattr(Driver, "_wait_out", at_once)
    elif rule == "heartbeat":

        async def trusting(self, device):
            return False

        patch.setattr(writer.Writer, "_stands_still", trusting)
        patch.setattr(PolledDevice, "quality", lambda self, now: Quality.GOOD)
        patch.setattr(Driver, "_read_alive", Driver._read_back)
    elif rule == "resending":
        write = Link.write

        async def stubborn(self, frame):
            for _ in range(3):
                try:
                    return await write(self, frame)
                except link.UnreachableError:
                    continue
            return None

        patch.setattr(Link, "write", stubborn)


@pytest.mark.parametrize(
    ("rule", "plan", "expected"),
    [
        ("limits", out_of_limits, {"U1"}),
        ("read-back", ignoring, {"L2", "H1"}),
        ("re-assert", rebooting, {"H1"}),
        ("deadline guard", late_at_the_deadline, {"U2"}),
        ("journal first", lost_replies, {"U3"}),
        ("outcome in doubt", lost_replies, {"L3"}),
        ("quarantine", late_requests, {"U4"}),
        ("heartbeat", replaying, {"L2", "L3", "H1"}),
    ],
)
def test_without_the_rule_its_class_appears_and_with_it_none(rule, plan, expected, tmp_path, monkeypatch):
    plans = [plan(seed) for seed in range(EPISODES)]
    with_rule, without = tmp_path / "with", tmp_path / "without"
    with_rule.mkdir()
    without.mkdir()
    assert classes(plans, with_rule) == {}
    switch_off(monkeypatch, rule)
    seen = classes(plans, without)
    assert any(seen.get(kind, 0) >= 1 for kind in expected), seen


def test_outcomes_are_three_valued():
    assert {o.value for o in Outcome} == {"applied", "no", "maybe"}
