"""Every shipped map, served by an emulated device and read back through the product's own client."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hil.clocks import ScaledClock
from hil.emulators.fleet import Fleet
from hil.emulators.plant import EmulatedPlant
from hil.maps import load_map, shipped_maps
from hil.maps.bind import rated_kw
from hil.planner import plan_blocks
from hil.probe import scan_sunspec, try_map
from models.site import Device
from models.site.file import load_site
from scenarios.sites import park_path

START = datetime(2015, 7, 15, 4, tzinfo=UTC)
SITE = load_site(park_path())
OTHERS = {"meter": "hotel", "electrolyser": "eboiler"}
"""Kinds that the park does not have, and who stands in for them."""


def asset_for(name):
    kinds = load_map(name).kinds
    return next((a.id for a in SITE.assets if a.kind in kinds), OTHERS.get(kinds[0]))


@pytest.fixture(scope="module")
def tried():
    """Every map tried on an emulated device of its own: name → what reading it gave."""
    devices = tuple(Device(id=n, asset=asset_for(n), map=n, port=0) for n in shipped_maps())
    site = replace(SITE, devices=devices)

    async def look():
        async with Fleet(site, EmulatedPlant(site, 1, START), ScaledClock(START, 1.0), server="own") as fleet:
            return {
                d.id: await try_map(load_map(d.map), "127.0.0.1", d.port, rating_kw=rated_kw(site.asset(d.asset)))
                for d in fleet.site.devices
            }

    return asyncio.run(look())


@pytest.mark.parametrize("name", shipped_maps())
def test_an_emulated_device_answers_every_point_of_its_map(tried, name):
    assert [p.quantity for p in tried[name] if "refused" in p.words or "outside" in p.words] == []


@pytest.mark.parametrize(
    ("name", "quantity", "lowest", "highest"),
    [
        ("eastron_sdm630", "voltage_l2_v", 200.0, 250.0),
        ("janitza_umg806", "power_l1_kw", -20000.0, 20000.0),
        ("huawei_sun2000", "electricity_kw", 1.0, 10000.0),
        ("sungrow_sh", "stored_share", 0.3, 0.7),
        ("solaredge_storedge", "stored_share", 0.3, 0.7),
        ("fronius_gen24", "stored_share", 0.3, 0.7),
        ("lambda_heat_pump", "air_degc", 5.0, 45.0),
        ("chiltrix_cx34", "supply_degc", 2.0, 20.0),
    ],
)
def test_what_the_emulated_device_shows_is_what_the_plant_does(tried, name, quantity, lowest, highest):
    value = next(p.value for p in tried[name] if p.quantity == quantity)
    assert lowest <= value <= highest


def test_the_maker_maps_need_an_eighth_of_the_requests_of_reading_point_by_point():
    from benchmarks.bridge import PUBLISHED
    from hil.planner import is_polled

    maps = [load_map(n).for_rating(100.0) for n in PUBLISHED]
    points = sum(is_polled(p) for m in maps for p in m.points)
    assert points >= 8 * sum(len(plan_blocks(m)) for m in maps)


def test_a_scan_names_the_models_of_a_hybrid_inverter():
    site = replace(SITE, devices=(Device(id="f", asset="battery", map="fronius_gen24", port=0),))

    async def scan():
        async with Fleet(site, EmulatedPlant(site, 1, START), ScaledClock(START, 1.0)) as fleet:
            return await scan_sunspec("127.0.0.1", fleet.site.devices[0].port)

    assert [(m.number, m.length) for m in asyncio.run(scan())] == [(1, 66), (113, 60), (160, 88), (124, 24)]
