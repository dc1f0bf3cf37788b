"""What the map allows a set-point: ramp, rate and interlocks, each refused in words with nothing sent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bridge import Bridge
from hil.bridge.gate import refuse_step
from hil.bridge.polled import PolledDevice
from hil.clocks import RealClock
from hil.maps.load import parse_map
from models.ports import Command, Outcome, Quality, Reading
from models.site import Device

ENGINE = """
format: jouletwin-map/1
name: engine
title: An engine
source: made for a test
kinds: [chp]
points:
  - {quantity: heartbeat, address: 0, heartbeat: true}
  - {quantity: remote, address: 1, type: bits, bit: 0}
  - {quantity: electricity_kw, address: 2, unit: kW}
  - {quantity: heat_kw, address: 3, unit: kW}
  - {quantity: gas_kw, address: 4, unit: kW, positive: draws}
  - {quantity: setpoint_kw, address: 5, unit: kW, access: readwrite%s}
"""


def command(name, value):
    now = datetime.now(UTC)
    return Command(name, "chp", "setpoint_kw", value, now, "planner", now + timedelta(seconds=60))


def receipts_of(bench, folder, extra, values, remote=1, wait_s=0.0):
    """Write values one after another to an engine whose set-point has ``extra`` in its map."""
    path = folder / "engine.yaml"
    path.write_text(ENGINE % extra)

    async def scenario():
        scripted, _ = await bench.add("chp", map_name=str(path))
        scripted.tables[3][1] = remote
        async with Bridge(bench.site, RealClock(), timeout_s=0.3, frame_life_s=0.4) as bridge:
            receipts = []
            for k, value in enumerate(values):
                receipts.append(await bridge.write(command(f"c{k}", value)))
                await asyncio.sleep(wait_s)
        await scripted.stop()
        return receipts, [words[0] for _, _, words in scripted.writes]

    return asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_step_steeper_than_the_ramp_is_refused_and_stopping_is_not(bench, tmp_path):
    receipts, written = receipts_of(bench, tmp_path, ", ramp_per_s: 0.001", [400.0, 0.0])
    assert [(r.outcome, r.code) for r in receipts] == [(Outcome.NO, "refused_ramp"), (Outcome.APPLIED, "unchanged")]
    assert "too far" in receipts[0].message
    assert written == []


def test_a_step_within_the_ramp_passes(bench, tmp_path):
    receipts, written = receipts_of(bench, tmp_path, ", ramp_per_s: 1.0e+9", [0.0, 400.0, 300.0], wait_s=0.1)
    assert [r.code for r in receipts] == ["unchanged", "applied", "applied"]
    assert written == [400, 300]


def test_a_point_rests_between_two_writes_but_stops_at_once(bench, tmp_path):
    receipts, written = receipts_of(bench, tmp_path, ", write_interval_s: 30", [400.0, 300.0, 0.0])
    assert [r.code for r in receipts] == ["applied", "refused_rate", "applied"]
    assert "once in 30 s" in receipts[1].message
    assert written == [400, 0]


@pytest.mark.parametrize(("remote", "codes"), [(1, ["applied"]), (0, ["refused_interlock"])])
def test_another_point_may_forbid_a_write(remote, codes, bench, tmp_path):
    receipts, _ = receipts_of(bench, tmp_path, ", needs: {remote: 1}", [400.0], remote=remote)
    assert [r.code for r in receipts] == codes


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (", needs: {door: 1}", "not a point of this map"),
        (", write_interval_s: 60, revert_s: 100", "must lie between two writes"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(extra, words):
    _, findings = parse_map(ENGINE % extra, "engine")
    assert any(words in f.message for f in findings)


def polled(value, since):
    found, _ = parse_map(ENGINE % ", ramp_per_s: 2.0", "engine")
    device = PolledDevice(Device(id="chp", asset="chp", map="engine", port=1), found)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    device.index["setpoint_kw"] = Reading("chp", "setpoint_kw", value, at, at, Quality.GOOD)
    device.stood_since["setpoint_kw"] = since
    return device, found.point("setpoint_kw")


KW = st.floats(-1000, 1000)


@given(before=KW, value=KW, landing=KW, stood_s=st.floats(0, 500))
def test_no_step_passes_that_leaves_any_possible_value_by_more_than_the_ramp(before, value, landing, stood_s):
    device, point = polled(before, 100.0)
    if refuse_step(device, point, value, 100.0 + stood_s, [landing]) is None:
        for possible in (before, landing):
            towards_zero = value * possible >= 0 and abs(value) <= abs(possible)
            assert towards_zero or abs(value - possible) <= 2.0 * stood_s + 1e-5
