import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hil.bridge import Bridge, DeviceBack, DeviceLost
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.maps.bind import check_devices, needed_quantities
from hil.virtual_time import run_virtual, stalls
from models.ports import Command, Outcome, Quality
from tests.hil.emulated_site import emulated_site

EPOCH = datetime(2015, 7, 15, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = emulated_site(tmp_path_factory.mktemp("bridged"))
    partial = {f.ids[0] for f in check_devices(found)}  # maps of devices that alone cannot serve an asset of their kind
    return replace(found, devices=tuple(replace(d, poll_s=60.0) for d in found.devices if d.id not in partial))


def operated(site, story):
    """Run a story with fleet and bridge in virtual time."""

    async def main(clock):
        events = []
        async with (
            Fleet(site, EmulatedPlant(site, 3, clock.now()), clock) as fleet,
            Bridge(fleet.site, clock, listener=events.append) as bridge,
        ):
            result = await story(clock, fleet, bridge)
        return result, events, stalls(asyncio.get_running_loop())

    return run_virtual(main, EPOCH)


def command(clock, device, value, name="c"):
    return Command(name, device, "setpoint_kw", value, clock.now(), "test", clock.now() + timedelta(minutes=16))


def test_every_emulated_device_is_read_well_and_has_what_the_loop_needs(site):
    async def story(clock, fleet, bridge):
        await clock.sleep(600)
        return await bridge.read()

    readings, events, stalled = operated(site, story)
    good = {(r.device, r.quantity) for r in readings if r.quality is Quality.GOOD}
    for device in site.devices:
        for names in needed_quantities(site.asset(device.asset)):
            assert any((device.id, name) in good for name in names), (device.id, names)
    assert (events, stalled, check_devices(site)) == ([], 0, ())


def test_every_kind_of_asset_follows_its_set_point_over_the_wire(site):
    wanted = {"pv": 20.0, "wind": 10.0, "battery": 30.0, "cars": -5.0, "pump": 60.0, "boiler": 600.0, "heater": 40.0}
    by_asset = {d.asset: d.id for d in site.devices}

    async def story(clock, fleet, bridge):
        receipts = {}
        for asset, value in wanted.items():
            receipts[asset] = await bridge.write(command(clock, by_asset[asset], value, asset))
        await clock.sleep(880)  # longer than the battery's revert time: only refreshing keeps it
        held = {r.device: r.value for r in await bridge.read() if r.quantity == "setpoint_kw"}
        await clock.sleep(900)  # the deadline is over, nobody refreshes any more
        fallen = {r.device: r.value for r in await bridge.read() if r.quantity == "setpoint_kw"}
        return receipts, held, fallen, bridge.stats

    (receipts, held, fallen, stats), events, _ = operated(site, story)
    assert {a: r.message for a, r in receipts.items() if r.outcome is not Outcome.APPLIED} == {}
    assert stats.refreshes > 5
    assert stats.differences == 0
    for asset in ("battery", "boiler"):
        assert held[by_asset[asset]] == pytest.approx(wanted[asset], abs=0.1)
    assert fallen[by_asset["battery"]] == 0.0
    assert not [e for e in events if isinstance(e, DeviceLost)]


def test_an_unplugged_device_shows_within_two_polls_and_recovers_by_itself(site):
    name = next(d.id for d in site.devices if d.asset == "boiler")

    async def story(clock, fleet, bridge):
        await clock.sleep(90)
        await fleet.unplug(name)
        await clock.sleep(120)
        gone = bridge.quality(name)
        others = {bridge.quality(d.id) for d in site.devices if d.id != name}
        await fleet.plug(name)
        await clock.sleep(60)
        return gone, others, bridge.quality(name)

    (gone, others, back), events, _ = operated(site, story)
    assert gone in (Quality.UNCERTAIN, Quality.BAD)
    assert (others, back) == ({Quality.GOOD}, Quality.GOOD)
    assert [type(e) for e in events] == [DeviceLost, DeviceBack]


def test_two_runs_leave_the_same_trace(site):
    async def story(clock, fleet, bridge):
        digest = hashlib.sha256()
        for k in range(20):
            await clock.sleep(60)
            digest.update(repr(await bridge.read()).encode())
            digest.update(repr(await bridge.write(command(clock, "battery", 10.0 + k, f"c{k}"))).encode())
        return digest.hexdigest()

    assert operated(site, story)[0] == operated(site, story)[0]
