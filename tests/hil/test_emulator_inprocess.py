"""The same plant behind the plant's door, without sockets."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.ports import Command, Outcome, Plant, Quality, Reading
from models.site import Site
from tests.hil.emulated_site import emulated_site

START = datetime(2015, 1, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return emulated_site(tmp_path_factory.mktemp("inprocess"))


def setup(site: Site) -> tuple[InProcessPlant, HandClock]:
    clock = HandClock()
    return InProcessPlant(site, EmulatedPlant(site, 6, START), clock), clock


def order(device: str, value: float, minutes: float = 15, quantity: str = "setpoint_kw") -> Command:
    return Command(f"{device}-{value:g}", device, quantity, value, START, "test", START + minutes * MINUTE)


async def readings(plant: Plant) -> dict[tuple[str, str], Reading]:
    return {(r.device, r.quantity): r for r in await plant.read()}


def test_it_reads_and_obeys(site: Site) -> None:
    async def story() -> None:
        plant, clock = setup(site)
        first = await readings(plant)
        assert {d.id for d in site.devices} == {d for d, _ in first}
        assert all(r.quality is Quality.GOOD for r in first.values())
        receipt = await plant.write(order("battery", 300.0))
        assert (receipt.outcome, receipt.code, receipt.read_back) == (Outcome.APPLIED, "applied", 300.0)
        clock.instant += 3 * MINUTE
        after = await readings(plant)
        assert after["battery", "electricity_kw"].value == pytest.approx(300.0, rel=0.02)
        assert after["battery", "setpoint_kw"].value == 300.0
        assert after["battery", "electricity_kw"].measured_at == clock.instant
        again = await plant.write(order("battery", 300.0))
        assert again.code == "unchanged"

    asyncio.run(story())


def test_a_command_stands_until_its_deadline_and_the_device_falls_back_after(site: Site) -> None:
    async def story() -> None:
        plant, clock = setup(site)
        await plant.write(order("battery", 200.0, minutes=60))
        for minute in (20, 40, 60, 69):
            clock.instant = START + minute * MINUTE
            assert (await readings(plant))["battery", "setpoint_kw"].value == 200.0
        clock.instant = START + 71 * MINUTE
        assert (await readings(plant))["battery", "setpoint_kw"].value == 0.0

    asyncio.run(story())


def test_refusals_and_faults_are_receipts(site: Site) -> None:
    async def story() -> None:
        plant, clock = setup(site)
        beyond = await plant.write(order("battery", 5000.0))
        assert (beyond.outcome, beyond.code) == (Outcome.NO, "refused_device")
        assert "beyond its limits" in beyond.message
        assert (await plant.write(order("works", 1.0, quantity="heat_kw"))).code == "refused_device"
        assert (await plant.write(order("nobody", 1.0))).code == "refused_device"
        plant.bank.devices["boiler"].faults.clamps = True
        clamped = await plant.write(order("boiler", 2500.0))
        assert (clamped.outcome, clamped.code, clamped.read_back) == (Outcome.NO, "differs", 2000.0)
        plant.bank.devices["boiler"].faults.ignores_writes = True
        ignored = await plant.write(order("boiler", 900.0))
        assert (ignored.code, ignored.read_back) == ("differs", 2000.0)
        plant.bank.devices["chp"].faults.silent = True
        assert (await plant.write(order("chp", 300.0))).code == "unreachable"
        lost = (await readings(plant))["chp", "heat_kw"]
        assert lost.quality is Quality.BAD
        assert math.isnan(lost.value)
        clock.instant += 20 * MINUTE
        assert (await plant.write(order("heater", 100.0))).code == "refused_expired"

    asyncio.run(story())
