"""The estimator beside an emulated plant that is not the twin: quiet on honest meters, and it finds the one that lies."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.ports import Quality
from models.site import load_site
from scenarios.day import JumpingClock
from scenarios.sites import park_path
from twin.estimate.live import LiveEstimator, measurements
from twin.estimate.problem import Origin, SensorStatus

START = datetime(2015, 1, 19, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def site():
    return load_site(park_path())


def run(site, steps, spoil=lambda readings: readings, start=START, every_s=300):
    """Return the estimates of a plant read every so often, with readings passed through ``spoil``."""
    plant = EmulatedPlant(site, 1, start)
    clock = JumpingClock(start)
    door = InProcessPlant(site, plant, clock)
    estimator = LiveEstimator(site)
    found = []

    async def live():
        for _ in range(steps):
            await clock.sleep(every_s)
            plant.advance(clock.now())
            found.append(estimator.update(spoil(await door.read()), clock.now()))

    asyncio.run(live())
    return found


def test_honest_meters_of_a_plant_with_other_parameters_raise_no_alarm(site):
    estimates = run(site, 10)
    assert all(e.estimate.fit.converged for e in estimates)
    assert all(e.estimate.plausible for e in estimates)
    removed = {s.sensor.name for e in estimates for s in e.estimate.sensors if s.status is SensorStatus.REMOVED}
    assert removed == set()
    assert estimates[-1].estimate.unobservable == ()


def test_water_that_hardly_flows_on_a_summer_night_accuses_no_thermometer(site):
    night = run(site, 30, start=datetime(2015, 7, 14, 14, tzinfo=UTC), every_s=900)
    assert all(e.estimate.plausible for e in night)
    faulty = SensorStatus.FLAGGED, SensorStatus.REMOVED
    assert {s.sensor.name for e in night for s in e.estimate.sensors if s.status in faulty} == set()


def test_a_lying_boiler_meter_is_removed_and_its_true_heat_estimated(site):
    device = site.device_of("boiler1").id

    def lie(readings):
        return [
            replace(r, value=r.value * 1.5) if (r.device, r.quantity) == (device, "heat_kw") else r for r in readings
        ]

    honest, lying = run(site, 3)[-1], run(site, 3, lie)[-1]
    key = next(k for k in honest.powers_kw if k[0] == "boiler1" and k[1] == "heat")
    if honest.powers_kw[key] < 200.0:
        pytest.fail("the boiler must run for this story; choose a colder hour")
    report = next(s for s in lying.estimate.sensors if s.sensor.name == "boiler1.heat_kw")
    assert report.status is SensorStatus.REMOVED
    assert lying.powers_kw[key] == pytest.approx(honest.powers_kw[key], rel=0.06)


def test_a_lost_customer_meter_is_filled_in_from_the_grid_balance(site):
    device = site.device_of("office").id

    def lose(readings):
        return [replace(r, quality=Quality.BAD, value=float("nan")) if r.device == device else r for r in readings]

    honest, blind = run(site, 2)[-1], run(site, 2, lose)[-1]
    key = next(k for k in honest.powers_kw if k[0] == "office" and k[1] == "electricity")
    assert blind.powers_kw[key] == pytest.approx(honest.powers_kw[key], abs=60.0)


def test_beliefs_bend_and_are_never_called_faulty(site):
    for found in run(site, 4):
        beliefs = [s for s in found.estimate.sensors if s.sensor.origin is Origin.BELIEF]
        assert beliefs
        assert all(s.status not in (SensorStatus.FLAGGED, SensorStatus.REMOVED) for s in beliefs)


def test_stale_and_substituted_readings_take_no_part(site):
    plant = EmulatedPlant(site, 1, START)
    door = InProcessPlant(site, plant, JumpingClock(START))
    readings = asyncio.run(door.read())
    stale = [replace(r, quality=Quality.STALE) for r in readings]
    assert measurements(site, readings).powers_kw
    assert measurements(site, stale).powers_kw == {}
