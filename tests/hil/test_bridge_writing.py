import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge, CommandState, FrameShadowed, Mode, driver
from hil.clocks import RealClock
from models.errors import MapError, SetupError
from models.ports import Command, Outcome, Quality


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(driver, "PATIENCE_S", 0.6)


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 30))


def command(device, value, quantity="setpoint_kw", seconds=60.0, name="c1"):
    now = datetime.now(UTC)
    return Command(name, device, quantity, value, now, "planner", now + timedelta(seconds=seconds))


async def until(condition, seconds=5.0):
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


def one_write(bench, wanted, asset="chp", framer="socket", prepare=lambda scripted: None, **options):
    """Write once to a scripted device; returns receipt, device, bridge statistics."""

    async def scenario():
        scripted, found = await bench.add(asset, framer=framer)
        async with Bridge(bench.site, RealClock(), timeout_s=0.15, frame_life_s=0.4, **options) as bridge:
            prepare(scripted)
            receipt = await bridge.write(command(*wanted))
            stats = bridge.stats
            attempts = bridge.journal.rows("SELECT function, address, words, result FROM attempts")
        await scripted.stop()
        return receipt, scripted, found, stats, attempts

    return run(scenario())


def test_a_set_point_is_written_once_and_proven_by_read_back(bench):
    receipt, scripted, _, _, attempts = one_write(bench, ("chp", 350.0))
    assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.APPLIED, "applied", 350.0)
    assert scripted.writes == [(6, 0x4102, (3500,))]
    assert attempts == [(6, 0x4102, "[3500]", "echoed")]


def test_a_battery_is_switched_to_the_mode_in_which_its_set_point_counts(bench):
    receipt, scripted, found, _, _ = one_write(bench, ("battery", -250.0), asset="battery")
    assert receipt.outcome is Outcome.APPLIED
    assert [a for _, a, _ in scripted.writes] == [
        found.point(q).address for q in ("setpoint_mode", "setpoint_revert_s", "setpoint_enabled", "setpoint_kw")
    ]
    assert scripted.tables[3][40220] << 16 | scripted.tables[3][40221] == 2**32 - 250_000


def test_an_acknowledgement_without_effect_is_found_by_the_read_back(bench):
    receipt, scripted, _, stats, _ = one_write(
        bench, ("chp", 350.0), prepare=lambda d: setattr(d, "ignore_writes", True)
    )
    assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.NO, "differs", 0.0)
    assert "reads 0 after writing 350" in receipt.message
    assert stats.differences == 1
    assert len(scripted.writes) == 1


def test_a_device_that_clamps_is_quoted(bench):
    receipt, *_ = one_write(bench, ("chp", 700.0), prepare=lambda d: setattr(d, "clamp", 5000))
    assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.NO, "differs", 500.0)


def test_a_refusal_by_the_device_is_a_receipt(bench):
    receipt, *_ = one_write(bench, ("chp", 350.0), prepare=lambda d: d.refuse.update({(6, 0x4102): 3}))
    assert (receipt.outcome, receipt.code) == (Outcome.NO, "refused_device")
    assert "exception 0x03" in receipt.message


def test_a_wrong_echo_is_not_believed_but_the_read_back_is(bench):
    def bend(answer):
        return answer[:1] + bytes([0x03, 0xE7, 0x03, 0xE7]) if answer[0] == 6 else answer

    receipt, scripted, _, stats, attempts = one_write(bench, ("chp", 350.0), prepare=lambda d: setattr(d, "bend", bend))
    assert (receipt.outcome, receipt.read_back) == (Outcome.APPLIED, 350.0)
    assert stats.misfits == 1
    assert len(scripted.writes) == 1
    assert attempts[0][3].startswith("unknown")


def test_a_lost_acknowledgement_is_resolved_by_reading_not_by_writing_again(bench):
    def drop_write_answers(scripted):
        answer = scripted._answer

        def quiet(body):
            done = answer(body)
            return None if body[0] == 6 else done

        scripted._answer = quiet

    receipt, scripted, _, _, _ = one_write(bench, ("chp", 350.0), prepare=drop_write_answers)
    assert (receipt.outcome, receipt.code) == (Outcome.APPLIED, "applied")
    assert len(scripted.writes) == 1


def test_a_device_that_falls_silent_at_the_write_leaves_the_outcome_open(bench):
    def silent_from_the_write_on(scripted):
        answer = scripted._answer

        def quiet(body):
            if body[0] == 6:
                scripted.silent = True
            return answer(body)

        scripted._answer = quiet

    receipt, scripted, _, _, _ = one_write(bench, ("chp", 350.0), prepare=silent_from_the_write_on)
    assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.MAYBE, "unknown", None)
    assert len(scripted.writes) >= 1


def test_an_open_outcome_is_settled_when_the_device_is_back(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        answer = scripted._answer

        def quiet(body):
            if body[0] == 6 and not scripted.writes:
                scripted.silent = True
            return answer(body)

        scripted._answer = quiet
        events = []
        async with Bridge(bench.site, RealClock(), listener=events.append, timeout_s=0.1, frame_life_s=0.3) as bridge:
            wanted = command("chp", 350.0)
            receipt = await bridge.write(wanted)
            assert receipt.outcome is Outcome.MAYBE
            scripted.silent = False
            assert await until(lambda: bridge.journal.receipt_of(wanted).outcome is Outcome.APPLIED)
        await scripted.stop()
        return scripted.tables[3][0x4102]

    assert run(scenario()) == 3500


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        (("chp", 900.0), "refused_limit", "can be set from 0 to 700 kW"),
        (("chp", 60.0), "refused_limit", "runs from 175 kW up"),
        (("chp", float("nan")), "refused_limit", "not a number"),
        (("chp", 350.0, "setpoint_kw", -1), "refused_expired", "deadline passed"),
        (("chp", 350.0, "setpoint_kw", 0.3), "refused_expired", "could land after the deadline"),
        (("chp", 1.0, "heat_kw"), "refused_point", "cannot|no heat_kw that can be written"),
        (("nobody", 1.0), "refused_point", "no device nobody"),
    ],
)
def test_what_must_not_be_written_is_refused_in_words_and_nothing_is_sent(bench, fields, code, words):
    receipt, scripted, *_ = one_write(bench, fields)
    assert (receipt.outcome, receipt.code) == (Outcome.NO, code)
    assert any(part in receipt.message for part in words.split("|"))
    assert scripted.writes == []


def test_a_value_within_the_deadband_is_left_alone_but_stopping_never_is(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        scripted.tables[3][0x4102] = 3500
        async with Bridge(bench.site, RealClock()) as bridge:
            near = await bridge.write(command("chp", 350.4, name="near"))
            scripted.tables[3][0x4102] = 5
            await asyncio.sleep(0.2)
            stop = await bridge.write(command("chp", 0.0, name="stop"))
        await scripted.stop()
        return near, stop, scripted

    near, stop, scripted = run(scenario())
    assert (near.outcome, near.code, near.read_back) == (Outcome.APPLIED, "unchanged", 350.0)
    assert stop.code == "applied"
    assert scripted.writes[-1] == (6, 0x4102, (0,))


def test_a_frozen_device_is_not_commanded(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        async with Bridge(bench.site, RealClock()) as bridge:
            scripted.heart = None
            assert await until(lambda: bridge.quality("chp") is Quality.STALE, 6)
            receipt = await bridge.write(command("chp", 350.0))
        await scripted.stop()
        return receipt, scripted

    receipt, scripted = run(scenario())
    assert (receipt.outcome, receipt.code) == (Outcome.NO, "refused_stale")
    assert scripted.writes == []


def test_an_unreachable_device_is_a_receipt_with_proof_that_nothing_was_sent(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        await scripted.stop()
        async with Bridge(bench.site, RealClock(), timeout_s=0.1) as bridge:
            return await bridge.write(command("chp", 350.0))

    receipt = run(scenario())
    assert (receipt.outcome, receipt.code) == (Outcome.NO, "unreachable")


def test_another_masters_write_is_put_right_and_a_stubborn_one_is_left_with_words(bench):
    async def scenario():
        events = []
        scripted, _ = await bench.add("chp", poll_s=0.05)
        async with Bridge(bench.site, RealClock(), listener=events.append) as bridge:
            await bridge.write(command("chp", 350.0))
            for k in range(4):
                scripted.tables[3][0x4102] = 2000 + k
                await asyncio.sleep(0.4)
            stats = bridge.stats
        await scripted.stop()
        return scripted, stats, events

    scripted, stats, events = run(scenario())
    assert stats.reassertions == 3
    assert scripted.tables[3][0x4102] == 2003
    assert "somebody else controls it" in [e for e in events if isinstance(e, CommandState)][-1].words


def test_shadow_mode_shows_every_frame_and_sends_none(bench):
    async def scenario():
        events = []
        scripted, _ = await bench.add("battery")
        async with Bridge(bench.site, RealClock(), listener=events.append, mode=Mode.SHADOW) as bridge:
            receipt = await bridge.write(command("battery", 100.0))
            await asyncio.sleep(0.3)
        await scripted.stop()
        return receipt, scripted, events

    receipt, scripted, events = run(scenario())
    assert (receipt.outcome, receipt.code) == (Outcome.NO, "shadow")
    assert scripted.writes == []
    frames = [e.frame for e in events if isinstance(e, FrameShadowed)]
    assert len(frames) == 4
    assert frames[-1] == bytes.fromhex("0000 0000 000b 01 10 9d1c 0002 04 000186a0")


def test_advise_mode_waits_for_the_operator(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        async with Bridge(bench.site, RealClock(), mode=Mode.ADVISE) as bridge:
            waiting = await bridge.write(command("chp", 350.0))
            before = list(scripted.writes)
            done = await bridge.confirm("c1", "operator")
        await scripted.stop()
        return waiting, before, done

    waiting, before, done = run(scenario())
    assert (waiting.outcome, waiting.code, before) == (Outcome.NO, "waiting", [])
    assert done.outcome is Outcome.APPLIED


def test_only_the_newest_command_of_a_point_waits_for_the_operator(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        async with Bridge(bench.site, RealClock(), mode=Mode.ADVISE, frame_life_s=0.01) as bridge:
            for name, value in (("c1", 350.0), ("c2", 400.0)):
                await bridge.write(command("chp", value, name=name))
            await bridge.write(command("chp", 300.0, name="short", seconds=0.3))
            await asyncio.sleep(0.32)
            over = bridge.writer.waiting()
            await bridge.write(command("chp", 450.0, name="c3"))
            waiting = [c.id for c in bridge.writer.waiting()]
            with pytest.raises(KeyError):
                await bridge.confirm("c1", "operator")
            done = await bridge.confirm("c3", "operator")
            events = bridge.journal.rows("SELECT command, state FROM events WHERE state IN ('waiting', 'superseded')")
        await scripted.stop()
        return over, waiting, done, events

    over, waiting, done, events = run(scenario())
    assert (over, waiting, done.outcome) == ((), ["c3"], Outcome.APPLIED)
    assert events[:3] == [("c1", "waiting"), ("c1", "superseded"), ("c2", "waiting")]


def test_the_same_command_twice_is_carried_out_once(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        wanted = command("chp", 350.0)
        async with Bridge(bench.site, RealClock()) as bridge:
            first = await bridge.write(wanted)
            second = await bridge.write(wanted)
        await scripted.stop()
        return first, second, scripted

    first, second, scripted = run(scenario())
    assert first == second
    assert len(scripted.writes) == 1


def test_a_restarted_bridge_takes_up_what_the_journal_says(bench, tmp_path):
    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        async with Bridge(bench.site, RealClock(), tmp_path / "journal.sqlite") as bridge:
            await bridge.write(command("chp", 350.0))
        scripted.tables[3][0x4102] = 0  # the device rebooted while nobody looked
        async with Bridge(bench.site, RealClock(), tmp_path / "journal.sqlite", frame_life_s=0.2):
            assert await until(lambda: scripted.tables[3][0x4102] == 3500)
        await scripted.stop()

    run(scenario())


def test_nothing_is_written_after_the_deadline(bench):
    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        async with Bridge(bench.site, RealClock(), frame_life_s=0.1) as bridge:
            await bridge.write(command("chp", 350.0, seconds=0.8))
            await asyncio.sleep(0.9)
            scripted.tables[3][0x4102] = 0
            await asyncio.sleep(0.4)
        await scripted.stop()
        return scripted

    assert len(run(scenario()).writes) == 1


def test_two_bridges_cannot_share_a_journal(small_site, tmp_path):
    async def scenario():
        first = Bridge(small_site(), RealClock(), tmp_path / "journal.sqlite")
        with pytest.raises(SetupError, match="another bridge holds the journal"):
            Bridge(small_site(), RealClock(), tmp_path / "journal.sqlite")
        first.journal.close()

    run(scenario())


def test_a_site_with_wrong_devices_gets_no_bridge(small_site):
    from models.site import Device

    devices = (Device(id="a", asset="chp", map="no_such_map"), Device(id="b", asset="chp", map="sunspec_battery"))
    with pytest.raises(MapError) as caught:
        Bridge(small_site(*devices), RealClock())
    assert len(caught.value.findings) == 3
