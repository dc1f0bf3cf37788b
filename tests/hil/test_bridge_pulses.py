"""Pulses: against the device's count, or once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge, pulses
from hil.clocks import RealClock
from models.ports import Command, Outcome
from tests.chaos.fleet import COUNTED, LIMIT, LIMITS, MAP, PULSE

TEXT = MAP.format(
    name="sixfold", fc16="false", limits="\n".join(LIMIT.format(k=k + 1, a=a) for k, a in enumerate(LIMITS))
)


def pulse(bench, folder, quantity, spoil=lambda body, answer: answer, times=1):
    """Send a pulse to a device that counts its start pulses; ``spoil`` makes of (request, answer) what goes out."""
    path = folder / "sixfold.yaml"
    path.write_text(TEXT)
    now = datetime.now(UTC)
    command = Command("p", "chp", quantity, 1.0, now, "planner", now + timedelta(seconds=60))

    async def scenario():
        scripted, _ = await bench.add("chp", map_name=str(path))
        answer = scripted._answer

        def counting(body):
            lost = spoil(body, None)
            if lost == b"":
                return None
            done = answer(body)
            if body[0] == 6 and int.from_bytes(body[1:3], "big") == PULSE:
                scripted.tables[3][COUNTED] += 1
            return spoil(body, done)

        scripted._answer = counting
        async with Bridge(bench.site, RealClock(), timeout_s=0.5, frame_life_s=0.6) as bridge:
            receipts = await asyncio.gather(*(bridge.write(command) for _ in range(times)))
        await scripted.stop()
        return receipts, len(scripted.writes)

    return asyncio.run(asyncio.wait_for(scenario(), 40))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(pulses, "PATIENCE_S", 0.5)


def test_a_counted_pulse_is_proven_by_the_count(bench, tmp_path):
    (receipt,), writes = pulse(bench, tmp_path, "start")
    assert (receipt.outcome, receipt.code, writes) == (Outcome.APPLIED, "applied", 1)
    assert "from 0 to 1" in receipt.message


def test_a_counted_pulse_whose_answer_is_lost_is_not_sent_again(bench, tmp_path):
    (receipt,), writes = pulse(bench, tmp_path, "start", lambda body, answer: None if body[0] == 6 else answer)
    assert (receipt.outcome, writes) == (Outcome.APPLIED, 1)


def test_a_counted_pulse_that_got_lost_is_sent_again(bench, tmp_path):
    asked = []

    def lose_the_first(body, answer):
        if body[0] == 6 and answer is None:
            asked.append(body)
            return b"" if len(asked) == 1 else None
        return answer

    (receipt,), writes = pulse(bench, tmp_path, "start", lose_the_first)
    assert (receipt.outcome, writes, len(asked)) == (Outcome.APPLIED, 1, 2)


def test_a_pulse_without_a_count_is_sent_once_and_stays_in_doubt(bench, tmp_path):
    for spoil in (lambda body, answer: answer, lambda body, answer: None if body[0] == 6 else answer):
        (receipt,), writes = pulse(bench, tmp_path, "reset", spoil)
        assert (receipt.outcome, receipt.code, writes) == (Outcome.MAYBE, "unknown", 1)


@pytest.mark.parametrize("quantity", ["start", "reset"])
def test_one_pulse_submitted_twice_at_once_is_sent_once(quantity, bench, tmp_path):
    receipts, writes = pulse(bench, tmp_path, quantity, times=2)
    assert writes == 1
    assert receipts[0] == receipts[1]
