"""The bridge as a process of its own: the same answers over the socket as in one process, and nothing on the wire without a service."""

import asyncio
import pickle
import stat
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge, Lease, Mode
from hil.bridge.events import CommandState
from hil.clocks import RealClock
from models.errors import PlantError, SetupError
from models.ports import Command, Outcome
from service.bridging.remote import RemoteBridge
from service.bridging.serving import Served, served
from service.bridging.wire import LENGTH, packed, unpacked
from tests.hil.conftest import bench  # noqa: F401 # a fixture

SETPOINT = 0x4102
beside = asyncio.to_thread
"""Questions that wait for their answer: here the bridge lives in the loop that would wait."""


def command(name, value, who="loop"):
    now = datetime.now(UTC)
    return Command(name, "chp", "setpoint_kw", value, now, who, now + timedelta(seconds=60))


@asynccontextmanager
async def served_bench(bench, place, mode=Mode.AUTO):  # noqa: F811 # the fixture's value
    desk = Served()
    bridge = Bridge(bench.site, RealClock(), None, desk.tell, mode=mode, approve=desk.objection, frame_life_s=0.1)
    async with served(bridge, desk, place):
        yield bridge


def remote(bench, place, told=None, objects=lambda _: None, mode=Mode.AUTO):  # noqa: F811 # as above
    return RemoteBridge(place, bench.site, mode, (told if told is not None else []).append, objects)


def test_everything_that_the_service_asks_is_answered_over_the_socket(bench, tmp_path):  # noqa: F811 # as above
    place, told = tmp_path / "bridge.socket", []

    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        async with served_bench(bench, place) as bridge:
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
            async with remote(bench, place, told, lambda c: "too much" if c.value > 600 else None) as far:
                assert {r.quantity for r in await far.read()} == {r.quantity for r in await bridge.read()}
                landed = await far.write(command("a", 350.0))
                objected = await far.write(command("b", 650.0))
                until = datetime.now(UTC) + timedelta(seconds=60)
                lease = Lease("ann", 10, until, frozenset({"chp"}))
                assert await beside(far.lease, lease) is None
                refused = await far.write(command("c", 400.0))
                await beside(far.give_back, "ann")
                assert list(await beside(far.waiting)) == []
                with pytest.raises(KeyError):
                    await far.confirm("nothing", "ann")
                assert (await beside(lambda: far.stats)).commands == bridge.stats.commands
                await asyncio.sleep(0.1)
        await scripted.stop()
        return scripted.tables[3][SETPOINT], landed, objected, refused

    standing, landed, objected, refused = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert (landed.outcome, standing) == (Outcome.APPLIED, 3500)
    assert (objected.code, "too much" in objected.message) == ("refused_model", True)
    assert refused.code == "refused_lease"
    assert {e.command for e in told if isinstance(e, CommandState)} >= {"a", "b", "c"}
    assert not place.exists()


def test_without_a_service_nothing_is_put_right_and_with_one_again_it_is(bench, tmp_path):  # noqa: F811 # as above
    place = tmp_path / "bridge.socket"

    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)

        async def shows(value, seconds):
            for _ in range(int(seconds / 0.05)):
                if scripted.tables[3][SETPOINT] == value:
                    return True
                await asyncio.sleep(0.05)
            return False

        async with served_bench(bench, place):
            async with remote(bench, place) as far:
                await far.write(command("a", 350.0))
            await asyncio.sleep(0.3)
            scripted.tables[3][SETPOINT] = 1000  # the device falls back, or somebody turns a knob
            alone = await shows(3500, 1.0)
            async with remote(bench, place) as far:
                await far.read()
                together = await shows(3500, 10.0)
        await scripted.stop()
        return alone, together

    assert asyncio.run(asyncio.wait_for(scenario(), 40)) == (False, True)


def test_a_bridge_that_is_gone_is_a_fault_and_one_of_another_mode_is_refused(bench, tmp_path, monkeypatch):  # noqa: F811 # as above
    monkeypatch.setattr("service.bridging.remote.START_S", 0.0)
    place = tmp_path / "bridge.socket"

    async def scenario():
        scripted, _ = await bench.add("chp", poll_s=0.05)
        with pytest.raises(SetupError, match="no bridge answers"):
            await remote(bench, place).__aenter__()
        async with served_bench(bench, place, Mode.SHADOW):
            with pytest.raises(SetupError, match="in mode shadow"):
                await remote(bench, place).__aenter__()
        far = remote(bench, place)
        async with served_bench(bench, place):
            await far.__aenter__()
            await far.read()
        with pytest.raises(PlantError, match="the bridge at"):
            await far.read()
        async with served_bench(bench, place):  # started again by a supervisor
            assert await far.read()
        await far.__aexit__(None, None, None)
        await scripted.stop()

    asyncio.run(asyncio.wait_for(scenario(), 40))


def test_nothing_but_records_comes_over_the_socket():
    class Evil:
        def __reduce__(self):
            return (print, ("never",))

    with pytest.raises(PlantError, match="nothing that bridge and service tell"):
        unpacked(pickle.dumps(Evil()))
    sent = ("write", command("a", 1.0), None)
    assert unpacked(packed(sent)[LENGTH.size :]) == sent
