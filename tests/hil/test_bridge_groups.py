"""Groups: six limits under one sum stand together or not at all."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bridge import Bridge, GroupTorn, Mode, driver, wayback
from hil.bridge.groups import Step, safe_order
from hil.bridge.target import State
from hil.bridge.verdict import Verdict
from hil.clocks import RealClock
from hil.maps.load import parse_map
from models.ports import Command, Outcome
from tests.chaos.fleet import LIMIT, LIMITS, MAP

TEXT = MAP.format(
    name="sixfold", fc16="false", limits="\n".join(LIMIT.format(k=k + 1, a=a) for k, a in enumerate(LIMITS))
)
FULL = (500,) * 6


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(driver, "PATIENCE_S", 0.6)
    monkeypatch.setattr(driver, "BEAT_S", 0.1)


def group(values, name="g", quantities=None, by="planner"):
    now = datetime.now(UTC)
    quantities = quantities or [f"limit{k + 1}_kw" for k in range(len(values))]
    return [
        Command(f"{name}{k}", "chp", q, float(v), now, by, now + timedelta(seconds=60))
        for k, (q, v) in enumerate(zip(quantities, values, strict=True))
    ]


def scene(bench, folder, work, before=(0,) * 6, poll_s=0.1, **options):
    """Run ``work(bridge, scripted)`` against a device whose six limits stand at ``before``."""
    path = folder / "sixfold.yaml"
    path.write_text(TEXT)

    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=poll_s, map_name=str(path))
        scripted.tables[3].update(dict(zip(LIMITS, before, strict=True)))
        async with Bridge(bench.site, RealClock(), timeout_s=0.2, frame_life_s=0.4, **options) as bridge:
            done = await work(bridge, scripted)
            groups = bridge.journal.rows("SELECT id, result FROM groups")
        await scripted.stop()
        return done, scripted, groups

    return asyncio.run(asyncio.wait_for(scenario(), 30))


def write(values, **how):
    async def work(bridge, scripted):
        return await bridge.write_group(group(values, **how))

    return work


def test_what_falls_is_written_before_what_rises(bench, tmp_path):
    receipts, scripted, groups = scene(bench, tmp_path, write((900, 100, 800, 100, 900, 200)), before=FULL)
    assert {r.outcome for r in receipts} == {Outcome.APPLIED}
    assert [a - 0x20 for _, a, _ in scripted.writes] == [1, 3, 5, 0, 2, 4]
    assert groups == [("g0", "applied")]


def test_a_member_that_fails_takes_the_others_back(bench, tmp_path):
    async def work(bridge, scripted):
        scripted.refuse[6, 0x22] = 3
        return await bridge.write_group(group((400, 300, 600, 500, 500, 500)))

    receipts, scripted, groups = scene(bench, tmp_path, work, before=FULL)
    assert {(r.outcome, r.code) for r in receipts} == {(Outcome.NO, "rolled_back")}
    assert [scripted.tables[3][a] for a in LIMITS] == list(FULL)
    assert groups == [("g0", "rolled back")]
    assert "500 stands again" in receipts[0].message


def test_a_group_that_stays_torn_is_restored_when_the_device_answers_again(bench, tmp_path):
    async def work(bridge, scripted):
        answer = scripted._answer

        def dies_after_two(body):
            done = answer(body)
            scripted.silent = scripted.silent or len(scripted.writes) == 2
            return done

        scripted._answer = dies_after_two
        receipts = await bridge.write_group(group((400, 300, 600, 500, 500, 500)))
        torn = [scripted.tables[3][a] for a in LIMITS]
        scripted._answer = answer
        scripted.silent = False
        for _ in range(100):
            if [scripted.tables[3][a] for a in LIMITS] == list(FULL):
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        return receipts, torn

    (receipts, torn), scripted, groups = scene(bench, tmp_path, work, before=FULL)
    assert torn[:2] == [400, 300]
    assert {r.code for r in receipts} == {"rolled_back"}
    assert Outcome.MAYBE in {r.outcome for r in receipts}
    assert [scripted.tables[3][a] for a in LIMITS] == list(FULL)
    assert groups == [("g0", "rolled back")]


def test_what_a_device_does_not_take_back_is_told_and_not_commanded_singly(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(wayback, "INSISTENCE", 2)
    monkeypatch.setattr(wayback, "LONGEST_PAUSE_S", 0.05)
    told = []

    async def work(bridge, scripted):
        answer = scripted._answer

        def locks_itself_after_two(body):
            done = answer(body)
            if len(scripted.writes) == 2:
                scripted.refuse.update({(6, a): 3 for a in LIMITS})
            return done

        scripted._answer = locks_itself_after_two
        await bridge.write_group(group((400, 300, 600, 500, 500, 500)))
        single = await bridge.write(group((450,), name="single")[0])
        for _ in range(200):
            if any(isinstance(event, GroupTorn) for event in told):
                break
            await asyncio.sleep(0.05)
        return single

    single, scripted, groups = scene(bench, tmp_path, work, before=FULL, listener=told.append)
    assert (single.outcome, single.code) == (Outcome.NO, "refused_group")
    assert "limit1_kw of chp is being taken back to 500" in single.message
    (torn,) = (event for event in told if isinstance(event, GroupTorn))
    assert torn.group == "g0"
    assert "chp does not take limit1_kw, limit2_kw back" in torn.words
    assert groups == [("g0", "half-written")]
    assert [scripted.tables[3][a] for a in LIMITS[:3]] == [400, 300, 500]


@pytest.mark.parametrize(
    ("values", "how", "words"),
    [
        ((900, 900, 900, 900, 0, 0), {}, "3000 is the most"),
        ((1, 2), {"quantities": ["limit1_kw", "limit1_kw"]}, "different points of one group"),
        ((1, 200), {"quantities": ["limit1_kw", "setpoint_kw"]}, "different points of one group"),
        ((1, 70000), {}, "70000"),
    ],
)
def test_what_is_no_sound_group_is_refused_whole(values, how, words, bench, tmp_path):
    receipts, scripted, groups = scene(bench, tmp_path, write(values, **how))
    assert {r.outcome for r in receipts} == {Outcome.NO}
    assert any(words in r.message for r in receipts)
    assert scripted.writes == []
    assert groups == []


def test_one_command_cannot_break_the_sum_of_its_group(bench, tmp_path):
    async def work(bridge, scripted):
        return await bridge.write(group((600,))[0])

    receipt, scripted, _ = scene(bench, tmp_path, work, before=FULL)
    assert receipt.code == "refused_limit"
    assert scripted.writes == []


def test_a_group_does_not_begin_on_values_beside_a_heartbeat_that_stands(bench, tmp_path):
    async def work(bridge, scripted):
        scripted.heart = None
        return await bridge.write_group(group((400, 300, 600, 500, 500, 500)))

    receipts, scripted, groups = scene(bench, tmp_path, work, before=FULL)
    assert {(r.outcome, r.code) for r in receipts} == {(Outcome.NO, "unreachable")}
    assert "while the device lived" in receipts[0].message
    assert (scripted.writes, groups) == ([], [])


def test_a_part_of_a_group_is_reckoned_with_what_the_rest_shows_now(bench, tmp_path):
    """Somebody else has raised the other limits since the last poll."""

    async def work(bridge, scripted):
        scripted.tables[3].update(dict.fromkeys(LIMITS[2:], 700))
        return await bridge.write_group(group((400, 300)))

    receipts, scripted, _ = scene(bench, tmp_path, work, before=(100,) * 6, poll_s=30.0)
    assert {r.code for r in receipts} == {"refused_limit"}
    assert scripted.writes == []


@pytest.mark.parametrize(
    ("mode", "code"), [(Mode.SHADOW, "shadow"), (Mode.OFF, "refused_mode"), (Mode.ADVISE, "refused_mode")]
)
def test_other_modes_keep_a_group_from_the_wire(mode, code, bench, tmp_path):
    receipts, scripted, _ = scene(bench, tmp_path, write((1, 2, 3, 4, 5, 6)), mode=mode)
    assert {r.code for r in receipts} == {code}
    assert scripted.writes == []


def test_a_group_submitted_twice_is_written_once(bench, tmp_path):
    commands = group((1, 2, 3, 4, 5, 6))

    async def work(bridge, scripted):
        return await bridge.write_group(commands), await bridge.write_group(commands)

    (first, second), scripted, _ = scene(bench, tmp_path, work)
    assert [r.code for r in first] == [r.code for r in second] == ["applied"] * 6
    assert len(scripted.writes) == 6


SIX = st.lists(st.integers(0, 1000), min_size=6, max_size=6)


@settings(deadline=None)
@given(before=SIX, after=SIX)
def test_every_prefix_of_a_group_adds_up_to_no_more_than_one_of_its_ends(before, after):
    found, _ = parse_map(TEXT, "sixfold")
    commands = group(after)
    for back in (False, True):
        written = Verdict(State.CONFIRMED, Outcome.APPLIED, "applied", "") if back else None
        steps = [Step(c, found.point(c.quantity), b, b, verdict=written) for c, b in zip(commands, before, strict=True)]
        standing = dict(zip([c.quantity for c in commands], after if back else before, strict=True))
        for step in safe_order(steps, back=back):
            standing[step.point.quantity] = step.was if back else step.command.value
            assert sum(standing.values()) <= max(sum(before), sum(after))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("group_max: {strings: 3000}", "group_max: {valves: 3}"), "fewer than two points"),
        (("unit: kW, access: readwrite, group", "unit: kW, group"), "readable, writable and polled"),
        (("counted_by: starts", "counted_by: toasts"), "not a readable point"),
        (("pulse: true}", "pulse: true, refresh_s: 5}"), "not refreshed"),
        (("counter: true}", "counter: true, counted_by: heat_kw}"), "only a pulse is counted"),
    ],
)
def test_a_map_whose_groups_or_pulses_make_no_sense_is_refused(change, words):
    _, findings = parse_map(TEXT.replace(*change), "sixfold")
    assert any(words in f.message for f in findings), findings
