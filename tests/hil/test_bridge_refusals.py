"""What is not carried out: refused with a code and in words, nothing sent, and recorded in the journal."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge, ConfirmationWanted, Lease, Mode
from hil.clocks import RealClock
from models.ports import Command, Outcome

MAP = """
format: jouletwin-map/1
name: worn
title: Unit whose set-point sits in flash memory, with a revert timer and a start pulse
source: made for tests
kinds: [chp]
points:
  - {quantity: heartbeat, address: 0, heartbeat: true}
  - {quantity: electricity_kw, address: 1, unit: kW}
  - {quantity: heat_kw, address: 2, unit: kW}
  - {quantity: gas_kw, address: 3, unit: kW, positive: draws}
  - {quantity: setpoint_kw, address: 10, unit: kW, access: readwrite, write_budget_per_day: 2, group: limits}
  - {quantity: limit_kw, address: 11, unit: kW, access: readwrite, group: limits, revert_s: 0.6, revert_to: 0}
  - {quantity: start, address: 12, access: write, pulse: true}
"""


def wanted(name, value=350.0, quantity="setpoint_kw", by="planner", issued=None):
    now = datetime.now(UTC)
    return Command(name, "chp", quantity, value, issued or now, by, now + timedelta(seconds=60))


def played(bench, tmp_path, act, **options):
    """Run ``act(bridge, device)`` against the worn unit; return its result, the device, the journal's outcomes and events."""

    async def scenario():
        path = tmp_path / "worn.yaml"
        path.write_text(MAP)
        scripted, _ = await bench.add("chp", poll_s=0.05, map_name=str(path))
        async with Bridge(bench.site, RealClock(), tmp_path / "journal.sqlite", frame_life_s=0.1, **options) as bridge:
            found = await act(bridge, scripted)
            outcomes = dict(bridge.journal.rows("SELECT command, code FROM outcomes"))
            events = bridge.journal.rows("SELECT command, state, words FROM events")
        await scripted.stop()
        return found, scripted, outcomes, events

    return asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize(("mode", "code"), [(Mode.OFF, "refused_mode"), (Mode.SHADOW, "shadow")])
def test_modes_off_and_shadow_send_no_write_of_any_kind(mode, code, bench, tmp_path):
    async def act(bridge, _):
        group = [wanted("g1"), wanted("g2", 100.0, "limit_kw")]
        receipts = [await bridge.write(wanted("c1")), await bridge.write(wanted("p1", 1.0, "start"))]
        receipts += await bridge.write_group(group)
        await asyncio.sleep(0.7)  # as long as a refresh would take to come
        return [r.code for r in receipts]

    codes, scripted, outcomes, events = played(bench, tmp_path, act, mode=mode)
    assert codes == [code] * 4
    assert scripted.writes == []
    assert set(outcomes.values()) == {code}
    assert ("shadowed" in {state for _, state, _ in events}) is (mode is Mode.SHADOW)


def test_the_wear_budget_of_a_register_is_kept_over_a_restart(bench, tmp_path):
    async def twice(bridge, _):
        return [(await bridge.write(wanted(f"c{k}", 300.0 + k))).code for k in range(2)]

    async def once_more(bridge, _):
        return (await bridge.write(wanted("c3", 400.0))).code

    assert played(bench, tmp_path, twice)[0] == ["applied"] * 2
    code, scripted, outcomes, _ = played(bench, tmp_path, once_more)
    assert (code, scripted.writes, outcomes["c3"]) == ("refused_budget", [], "refused_budget")


def test_a_value_with_a_revert_timer_is_written_again_at_half_of_it(bench, tmp_path):
    async def act(bridge, _):
        await bridge.write(wanted("c1", 100.0, "limit_kw"))
        await asyncio.sleep(1.0)
        return bridge.stats.refreshes

    refreshes, scripted, _, _ = played(bench, tmp_path, act)
    assert refreshes >= 2
    assert {words for _, address, words in scripted.writes if address == 11} == {(100,)}


def test_a_stale_plan_does_not_overtake_a_newer_one(bench, tmp_path):
    async def act(bridge, _):
        early = datetime.now(UTC) - timedelta(seconds=5)
        await bridge.write(wanted("new", 300.0))
        return await bridge.write(wanted("old", 200.0, issued=early))

    receipt, scripted, outcomes, events = played(bench, tmp_path, act)
    assert (receipt.outcome, receipt.code) == (Outcome.NO, "refused_overtaken")
    assert "a stale plan is not carried out" in receipt.message
    assert [words for _, _, words in scripted.writes] == [(300,)]
    assert outcomes["old"] == "refused_overtaken"
    assert any(command == "old" and state == "refused" for command, state, _ in events)


def test_leases_that_have_ended_or_are_taken_are_refused_and_recorded(bench, tmp_path):
    async def act(bridge, _):
        now = datetime.now(UTC)
        ended = bridge.lease(Lease("operator", 5, now - timedelta(seconds=1)))
        first = bridge.lease(Lease("operator", 5, now + timedelta(seconds=60), frozenset(["chp"])))
        second = bridge.lease(Lease("somebody", 5, now + timedelta(seconds=60), frozenset(["chp"])))
        return ended, first, second, (await bridge.write(wanted("c1", by="somebody"))).code

    (ended, first, second, code), scripted, _, events = played(bench, tmp_path, act)
    assert "before it was asked for" in ended
    assert first is None
    assert "operator holds chp" in second
    assert (code, scripted.writes) == ("refused_lease", [])
    told = [(who, state) for who, state, _ in events if who.startswith("lease/")]
    assert told == [("lease/operator", "refused"), ("lease/operator", "granted"), ("lease/somebody", "refused")]


def test_leases_outlive_the_bridge(bench, tmp_path):
    async def take(bridge, _):
        return bridge.lease(Lease("operator", 5, datetime.now(UTC) + timedelta(seconds=60)))

    async def command(bridge, _):
        return (await bridge.write(wanted("c1"))).code

    assert played(bench, tmp_path, take)[0] is None
    assert played(bench, tmp_path, command)[0] == "refused_lease"


def test_advise_asks_for_every_command_and_takes_each_confirmation_once(bench, tmp_path):
    events = []

    async def act(bridge, scripted):
        waiting = [(await bridge.write(wanted(f"c{k}", 300.0 + k))).code for k in range(2)]
        before = list(scripted.writes)
        done = await bridge.confirm("c1", "operator")
        with pytest.raises(KeyError):
            await bridge.confirm("c1", "somebody else")
        return waiting, before, done.code

    found, scripted, _, kept = played(bench, tmp_path, act, mode=Mode.ADVISE, listener=events.append)
    assert found == (["waiting"] * 2, [], "applied")
    assert [words for _, _, words in scripted.writes] == [(301,)]
    assert [e.command for e in events if isinstance(e, ConfirmationWanted)] == ["c0", "c1"]
    assert ("c1", "confirmed_by", "operator") in kept


def test_units_behind_one_connection_are_told_apart(bench, tmp_path):
    """Two unit ids share a gateway; each command reaches its own, and both are read over one connection."""

    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        units = []
        frame = scripted._frame

        async def noting(reader):
            found = await frame(reader)
            units.append((found[1], found[2][0]))
            return found

        scripted._frame = noting
        device = bench.devices["chp"][0]
        second = {f: getattr(device, f) for f in device.__slots__} | {"id": "chp2", "unit_id": 7}
        site = bench.site
        both = (device, type(device)(**second))
        async with Bridge(
            type(site)(**{f: getattr(site, f) for f in site.__slots__} | {"devices": both}), RealClock()
        ) as bridge:
            now = datetime.now(UTC)
            wanted = Command("c", "chp2", "setpoint_kw", 300.0, now, "planner", now + timedelta(seconds=60))
            receipt = await bridge.write(wanted)
            connects = bridge.stats.connects
        await scripted.stop()
        return receipt, connects, units

    receipt, connects, units = asyncio.run(asyncio.wait_for(scenario(), 20))
    assert (receipt.outcome, connects) == (Outcome.APPLIED, 1)
    assert {unit for unit, function in units if function == 6} == {7}
    assert {unit for unit, function in units if function == 3} == {1, 7}
