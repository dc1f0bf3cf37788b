import asyncio

import pytest

from hil.maps import load_map
from hil.probe import scan_sunspec, try_map
from models.errors import UnreachableError


def test_a_sunspec_device_tells_its_models(bench):
    async def scenario():
        scripted, _ = await bench.add("battery")
        models = await scan_sunspec("127.0.0.1", bench.ports["battery"])
        await scripted.stop()
        return models

    assert [(m.number, m.address, m.length) for m in asyncio.run(scenario())] == [
        (1, 40002, 66),
        (113, 40070, 60),
        (802, 40132, 62),
        (704, 40196, 65),
        (715, 40263, 7),
    ]


def test_a_device_without_an_image_has_no_models(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        scripted.refuse[3, 50000] = 2
        models = await scan_sunspec("127.0.0.1", bench.ports["chp"])
        await scripted.stop()
        return models

    assert asyncio.run(scenario()) == ()


def test_trying_a_map_shows_every_point_and_what_is_wrong_with_it(bench):
    async def scenario():
        scripted, found = await bench.add("chp")
        scripted.put(found.point("heat_kw"), 321.5)
        scripted.put(found.point("supply_degc"), 900.0)
        scripted.tables[3][found.point("return_degc").address] = 0x8000
        scripted.refuse[3, found.point("starts").address] = 2
        tried = await try_map(load_map("gas_engine_chp"), "127.0.0.1", bench.ports["chp"])
        await scripted.stop()
        return {t.quantity: t for t in tried}

    tried = asyncio.run(scenario())
    assert (tried["heat_kw"].value, tried["heat_kw"].unit, tried["heat_kw"].words) == (321.5, "kw", "")
    assert tried["heat_kw"].registers == (0x43A0, 0xC000)
    assert tried["starts"].registers == ()
    assert tried["starts"].words == "refused with exception 0x02"
    assert "outside -20 to 150" in tried["supply_degc"].words
    assert tried["return_degc"].words == "the device has no value here"


def test_nobody_there_is_said_so(bench):
    async def scenario():
        scripted, _ = await bench.add("chp")
        await scripted.stop()
        await try_map(load_map("gas_engine_chp"), "127.0.0.1", bench.ports["chp"])

    with pytest.raises(UnreachableError, match="is the device on"):
        asyncio.run(scenario())
