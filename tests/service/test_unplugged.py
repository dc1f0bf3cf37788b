"""A device is unplugged: within two of its polls the page says so, and when it is back it says that too, without anybody's help."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hil.bridge import Bridge
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.virtual_time import run_virtual
from models.ports import Quality
from scenarios.events import SnapshotTaken
from service.hearing import Hearing
from service.memory import Memory
from service.runtime import PlantKind, Runtime
from tests.service.apps import here, local_app
from twin.state import start_snapshot
from twin.sync import Synchroniser

START = datetime(2015, 7, 15, 4, tzinfo=UTC)
POLL_S = 10.0
CHOSEN = ("wind", "battery", "hotel")


def test_an_unplugged_device_is_on_the_page_within_two_polls_and_recovers_by_itself(park):
    few = tuple(replace(d, port=0, poll_s=POLL_S) for d in park.devices if d.id in CHOSEN)
    site, shown = replace(park, devices=few), {}

    async def live(clock):
        memory = Memory(park)
        runtime = Runtime(memory, clock, PlantKind.EMULATED)
        page, hear = here(local_app(runtime)), Hearing(memory)
        sync = Synchroniser(park, initial=start_snapshot(park, clock.now()))

        async def look(name, seconds):
            """Live on, take snapshots as the loop does, and keep what the page shows at the end."""
            until = clock.now() + timedelta(seconds=seconds)
            while clock.now() < until:
                await clock.sleep(POLL_S / 2)
                readings = await bridge.read()
                now = clock.now()
                hear.loop(SnapshotTaken(now, sync.snapshot(readings, now), readings))
            tag = memory.snapshot.tags["wind", "electricity_kw"]
            parts = [page.get(f"/console/{part}?lang=en").text for part in ("alarms", "events", "values")]
            shown[name] = (*parts, tag.quality)

        async with (
            Fleet(site, EmulatedPlant(park, 1, START), clock, server="own") as fleet,
            Bridge(fleet.site, clock, listener=hear.bridge) as bridge,
        ):
            await look("before", 3 * POLL_S)
            await fleet.unplug("wind")
            await look("unplugged", 2 * POLL_S)
            await look("later", 3 * POLL_S)
            await fleet.plug("wind")
            await look("back", 2 * POLL_S)

    run_virtual(live, START)
    alarms, events, _, quality = shown["before"]
    assert ("wind" in alarms, "wind" in events, quality) == (False, False, Quality.GOOD)
    alarms, events, _, quality = shown["unplugged"]
    assert "wind" in alarms
    assert "Fault survived" in events
    assert quality is not Quality.GOOD
    assert shown["later"][3] is Quality.SUBSTITUTED
    assert "substituted" in shown["later"][2]
    alarms, events, _, quality = shown["back"]
    assert "over, not seen" in alarms
    assert "Back again" in events
    assert quality is Quality.GOOD
