"""Groups, pulses, leases, function 16 and several devices under faults: a quick slice, and an ablation for each rule."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hil.bridge import groups
from hil.bridge.gate import refuse_sum
from hil.bridge.groups import Groups
from hil.bridge.keeper import Keeper
from hil.bridge.leases import Leases
from hil.bridge.polled import PolledDevice
from hil.bridge.pulses import Pulses
from hil.faultproxy import Fault, Kind
from hil.maps.load import parse_map
from models.ports import Quality, Reading
from models.site import Device
from tests.chaos.fleet import LIMIT, LIMITS, MAP, Act, FleetPlan, Trouble, draw, run
from tests.chaos.fleet_oracle import violations
from tests.chaos.shrink import readable, shrink

EPISODES = 2
LOW, HIGH = (100, 900, 200, 800, 300, 700), (850, 150, 750, 250, 650, 350)


@pytest.mark.parametrize("block", range(2))
def test_random_fleets_hold_every_promise(block, tmp_path):
    for seed in range(block * 6, block * 6 + 6):
        plan = draw(seed)
        assert violations(run(plan, tmp_path)) == [], readable(plan)


def test_a_bridge_killed_between_the_record_of_a_group_and_its_first_frame_comes_back(tmp_path):
    assert violations(run(draw(1109), tmp_path)) == []


def test_the_same_seed_leaves_the_same_trace(tmp_path):
    def digest(folder):
        folder.mkdir()
        evidence = run(draw(8), folder)
        return hashlib.sha256(repr((evidence.logs, evidence.receipts)).encode()).hexdigest()

    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def two_groups(seed):
    return FleetPlan(seed, acts=(Act(3.0, 0, "group", LOW), Act(8.0 + seed, 0, "group", HIGH)))


def deaf_member(seed):
    deaf = Trouble(0, deaf=(LIMITS[seed % 6],), start_s=6.0, end_s=14.0)
    return replace(two_groups(seed), troubles=(deaf,), acts=(Act(3.0, 0, "group", LOW), Act(8.0, 0, "group", HIGH)))


def killed_midway(seed):
    slow = Trouble(0, Fault(Kind.DELAY_REPLY, 7.9, 14.0, 1.0, delay_s=0.3, functions=(6,)))
    return replace(deaf_member(seed), troubles=(slow,), kills=((8.7 + 0.3 * seed, 1.0),))


def late_pulse(seed):
    late = Trouble(0, Fault(Kind.DELAY_REQUEST, 4.9, 5.5, 1.0, delay_s=0.9 + 0.1 * seed, functions=(6,)))
    return FleetPlan(seed, acts=(Act(5.0, 0, "start"),), troubles=(late,))


def unanswered_pulse(seed):
    lost = Trouble(0, Fault(Kind.DROP_REPLY, 4.9, 5.6 + 0.1 * seed, 1.0, functions=(6,)))
    return FleetPlan(seed, acts=(Act(5.0, 0, "start"), Act(20.0, 0, "reset")), troubles=(lost,))


def leased(seed):
    return FleetPlan(
        seed, acts=(Act(5.0 + seed, 0, "group", LOW), Act(9.0, 0, "start")), leases=((4.0, 12.0, "operator", 0),)
    )


def switch_off(patch, rule):
    """Switch off one rule of the bridge."""
    if rule == "safe order":
        patch.setattr(groups, "safe_order", lambda steps, back=False: list(steps))
        patch.setattr("hil.bridge.keeper.refuse_sum", lambda *_: None)
    elif rule == "roll-back":

        async def give_up(self, device, name, steps):
            self._close(name, "given up")
            return tuple(self._given_up(s, None) for s in steps)

        patch.setattr(Groups, "_take_back", give_up)
        patch.setattr(Keeper, "_look_after", idle)
    elif rule == "roll-back after a kill":
        patch.setattr(Groups, "resume", lambda self: None)
    elif rule == "counter":

        async def trusting(self, device, target, counter):
            for _ in range(4):
                sent, _ = await self._driver.send(target, device, target.frame)
                if sent.value == "echoed":
                    break
                await asyncio.sleep(0.7)
            return groups.Verdict(groups.State.COMPLETED, groups.Outcome.APPLIED, "applied", "as echoed")

        patch.setattr(Pulses, "_counted", trusting)
    elif rule == "lease":
        patch.setattr(Leases, "refuse", lambda *_: None)


async def idle(self, target, device):
    """Look after nothing."""


@pytest.mark.parametrize(
    ("rule", "plan", "expected"),
    [
        ("safe order", two_groups, "U7"),
        ("roll-back", deaf_member, "G"),
        ("roll-back after a kill", killed_midway, "G"),
        ("counter", unanswered_pulse, "D1"),
        ("counter", late_pulse, "D1"),
        ("lease", leased, "U8"),
    ],
)
def test_without_the_rule_its_class_appears_and_with_it_none(rule, plan, expected, tmp_path, monkeypatch):
    plans = [plan(seed) for seed in range(EPISODES)]
    assert [violations(run(p, tmp_path)) for p in plans] == [[]] * EPISODES
    switch_off(monkeypatch, rule)
    seen = [{kind for kind, _ in violations(run(p, tmp_path))} for p in plans]
    assert any(expected in kinds for kinds in seen), seen


def test_a_failing_plan_shrinks_to_what_matters(tmp_path, monkeypatch):
    noise = Trouble(0, Fault(Kind.DUPLICATE, 20.0, 25.0, 0.3))
    plan = replace(
        two_groups(1), troubles=(noise,), acts=(*two_groups(1).acts, Act(20.0, 0, "start")), kills=((30.0, 1.0),)
    )
    switch_off(monkeypatch, "safe order")
    small, runs = shrink(plan, tmp_path, "U7")
    assert (small.troubles, small.kills, len(small.acts)) == ((), (), 2)
    assert runs <= 12
    assert readable(small).count("\n") == 2


def test_the_guard_of_the_sum_counts_what_may_still_land():
    text = MAP.format(name="two", fc16="false", limits="\n".join(LIMIT.format(k=k, a=LIMITS[k]) for k in (1, 2)))
    found, _ = parse_map(text, "two")
    device = PolledDevice(Device(id="d", asset="d", map="two", port=1), found)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    device.index["limit1_kw"] = Reading("d", "limit1_kw", 1000.0, at, at, Quality.GOOD)
    first = found.point("limit1_kw")
    assert refuse_sum(device, first, 2000.0, lambda p: 1000.0) is None
    assert refuse_sum(device, first, 2000.0, lambda p: 1500.0).code == "refused_limit"
    assert refuse_sum(device, first, 900.0, lambda p: 2900.0) is None
    assert refuse_sum(device, first, 2000.0, lambda p: None).code == "refused_stale"
