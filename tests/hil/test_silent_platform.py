"""The platform falls silent: every device that has a revert timer goes back to what is safe, by itself and in its own time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hil.bridge import Bridge
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.virtual_time import run_virtual
from models.ports import Command, Outcome
from models.site.file import load_site
from scenarios.sites import park_path

START = datetime(2015, 7, 15, 4, tzinfo=UTC)
WANTED = {"battery": -600.0, "pv_metal1": 200.0, "ashp": 400.0, "chp1": 700.0}


def test_devices_fall_back_after_their_revert_times_and_not_while_the_platform_lives():
    park = load_site(park_path())
    site = replace(park, devices=tuple(replace(d, port=0, poll_s=10.0) for d in park.devices if d.id in WANTED))
    held = {}

    async def live(clock):
        async with Fleet(site, EmulatedPlant(park, 1, START), clock, server="own") as fleet:

            def note(name):
                held[name] = {n: (d.held["setpoint_kw"], d.active) for n, d in fleet.devices.items()}

            async with Bridge(fleet.site, clock) as bridge:
                until = clock.now() + timedelta(hours=2)
                for device, kw in WANTED.items():
                    command = Command(device, device, "setpoint_kw", kw, clock.now(), "test", until)
                    assert (await bridge.write(command)).outcome is Outcome.APPLIED
                await clock.sleep(1500)  # longer than any revert time here: the bridge refreshes
                note("alive")
            await clock.sleep(240)
            note("silent for 4 min")
            await clock.sleep(720)
            note("silent for 16 min")

    run_virtual(live, START)
    assert {n: kw for n, (kw, _) in held["alive"].items()} == {**WANTED, "pv_metal1": held["alive"]["pv_metal1"][0]}
    assert abs(held["alive"]["pv_metal1"][0] - 200.0) < 1.0
    assert all(active for _, active in held["alive"].values())
    assert held["silent for 4 min"]["battery"][0] == -600.0
    late = held["silent for 16 min"]
    assert late["battery"][0] == 0.0
    assert late["ashp"][0] == 0.0
    assert late["pv_metal1"][1] is False  # the limit is released
    assert late["chp1"] == (
        700.0,
        True,
    )  # the engine's map names no revert time: it goes on, and its own controller watches it
