import asyncio
from datetime import UTC, datetime, timedelta

from hil.bridge import Bridge, Lease
from hil.bridge.leases import Leases
from hil.clocks import RealClock
from hil.journal import Journal
from models.ports import Command, Outcome

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def lease(holder, priority, seconds=60.0, devices=(), now=NOON):
    return Lease(holder, priority, now + timedelta(seconds=seconds), frozenset(devices))


def test_a_lease_keeps_others_off_its_devices_and_only_those():
    leases = Leases(Journal(None))
    assert leases.grant(lease("operator", 5, devices=["chp"]), NOON) is None
    assert "operator has leased chp" in leases.refuse("planner", "chp", NOON).words
    assert leases.refuse("operator", "chp", NOON) is None
    assert leases.refuse("planner", "battery", NOON) is None
    assert leases.refuse("planner", "chp", NOON + timedelta(seconds=61)) is None


def test_two_operators_at_once_are_told_who_was_first():
    leases = Leases(Journal(None))
    leases.grant(lease("anna", 5), NOON)
    assert "anna holds all devices until 12:01:00 UTC" in leases.grant(lease("ben", 5, devices=["chp"]), NOON).words
    assert leases.grant(lease("fire brigade", 9), NOON) is None
    assert leases.holder("chp", NOON).holder == "fire brigade"
    leases.end("fire brigade")
    assert leases.holder("chp", NOON).holder == "anna"


def test_a_command_steps_aside_for_a_lease_and_comes_back_afterwards(bench):
    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)

        def command(name, value, who):
            now = datetime.now(UTC)
            return Command(name, "chp", "setpoint_kw", value, now, who, now + timedelta(seconds=60))

        async with Bridge(bench.site, RealClock(), frame_life_s=0.1) as bridge:
            await bridge.write(command("plan", 350.0, "planner"))
            assert bridge.lease(lease("operator", 5, 1.0, ["chp"], datetime.now(UTC))) is None
            by_hand = await bridge.write(command("hand", 500.0, "operator"))
            refused = await bridge.write(command("plan2", 400.0, "planner"))
            await asyncio.sleep(0.3)
            during = scripted.tables[3][0x4102]
            await asyncio.sleep(1.2)
            after = scripted.tables[3][0x4102]
            epochs = bridge.journal.rows("SELECT id, epoch FROM commands ORDER BY epoch")
        await scripted.stop()
        return by_hand, refused, during, after, epochs

    by_hand, refused, during, after, epochs = asyncio.run(asyncio.wait_for(scenario(), 20))
    assert by_hand.outcome is Outcome.APPLIED
    assert (refused.outcome, refused.code) == (Outcome.NO, "refused_lease")
    assert (during, after) == (5000, 3500)
    assert [name for name, _ in epochs] == ["hand", "plan"]


def test_the_model_has_the_last_word(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        now = datetime.now(UTC)
        wanted = Command("c", "chp", "setpoint_kw", 350.0, now, "planner", now + timedelta(seconds=60))
        async with Bridge(bench.site, RealClock(), approve=lambda c: f"{c.value:g} kW overloads line 3") as bridge:
            receipt = await bridge.write(wanted)
        await scripted.stop()
        return receipt, scripted

    receipt, scripted = asyncio.run(scenario())
    assert (receipt.code, receipt.message, scripted.writes) == ("refused_model", "350 kW overloads line 3", [])
