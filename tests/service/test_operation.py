"""What the loop and the bridge tell reaches the memory, in the words that people read."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from hil.bridge import DeviceBack, DeviceLost
from models.actuals import Actuals
from models.carriers import Carrier
from models.components import Consumer
from models.forecast import Forecast
from models.forecast.measured import MeasuredHistory
from models.forecast.naive import DAY, NaiveForecaster, PerfectForecaster
from models.horizon import HOUR, Horizon
from models.ports import Quality, Reading
from models.state import TagState
from scenarios.events import CommandsSent, Fault, GuardActed, PlanMade, SnapshotTaken
from service.forecasting import Remembering, WholeMinutes
from service.hearing import Hearing
from service.memory import Memory
from service.operation import settings_for
from service.pace import paced
from service.runtime import PlantKind, Runtime
from twin.state import Layout, build_snapshot

AT = datetime(2015, 7, 15, 4, 0, tzinfo=UTC)
STEP = Horizon.uniform(AT, AT + HOUR, HOUR)
NOTHING = xr.DataArray(np.zeros((0, 1)), {"series": [], "time": STEP.times}, ("series", "time"))
FORECAST = Forecast(AT, STEP, NOTHING, "same time before, from profiles")


@pytest.fixture
def hearing(park):
    return Hearing(Memory(park))


def kinds(hearing):
    return [e.kind for e in hearing.memory.events.after(0) if e.kind != "alarm"]


def test_snapshots_plans_and_receipts_are_kept(hearing, running):
    seen = running.memory
    hearing.loop(SnapshotTaken(AT, seen.snapshot, ()))
    hearing.loop(PlanMade(AT, seen.plan.plan, seen.plan.check, FORECAST, 0.0, 2500.0))
    hearing.loop(CommandsSent(AT, seen.receipts()[:3]))
    assert hearing.memory.snapshot is seen.snapshot
    assert hearing.memory.plan.peak_cap_kw == 2500.0
    assert len(hearing.memory.receipts()) == 3
    assert kinds(hearing) == ["plan", "commands"]


def test_a_plan_without_a_charged_peak_protects_none(hearing, running):
    hearing.loop(PlanMade(AT, running.memory.plan.plan, None, FORECAST, 0.0, float("inf")))
    assert hearing.memory.plan.peak_cap_kw is None
    assert hearing.memory.events.after(0)[0].data["ok"] is None
    assert hearing.memory.events.after(0)[0].data["forecast"] == "same time before, from profiles"


def test_the_guard_is_told_once_between_two_plans(hearing, running):
    for minute in range(5):
        hearing.loop(GuardActed(AT + timedelta(minutes=minute), {"battery": 300.0}, 3100.0, 3000.0))
    hearing.loop(PlanMade(AT, running.memory.plan.plan, None, FORECAST, 0.0, 3000.0))
    hearing.loop(GuardActed(AT + timedelta(minutes=16), {"battery": -20.0}, 3010.0, 3000.0))
    assert kinds(hearing) == ["guard", "plan", "guard"]
    assert "battery +300 kW" in hearing.memory.events.after(0)[0].data["message"]


def test_lost_and_returning_devices_are_told(hearing):
    hearing.bridge(DeviceLost(AT, "wind", "no answer for 3 polls; is the device on?"))
    hearing.bridge(DeviceBack(AT, "wind", "answers again"))
    hearing.loop(Fault(AT, "planner", "no plan (time is up); plan p1 goes on"))
    assert kinds(hearing) == ["fault", "recovery", "fault"]
    assert next(e for e in hearing.memory.events.after(0) if e.kind == "recovery").data == {
        "place": "wind",
        "message": "answers again",
    }


def test_a_forecast_off_the_minute_is_the_one_of_the_minute_that_has_begun(park):
    inner = PerfectForecaster(Actuals(park, 1))
    begun = AT + timedelta(minutes=7)
    horizon = Horizon.quarters_then_hours(begun + timedelta(seconds=3.9), quarters=2, hours=2)
    found = WholeMinutes(inner).forecast(horizon)
    assert found.horizon == horizon
    assert (found.values["time"].to_numpy() == horizon.times.to_numpy()).all()
    whole = inner.forecast(Horizon.quarters_then_hours(begun, quarters=2, hours=2))
    np.testing.assert_array_equal(found.values.to_numpy(), whole.values.to_numpy())
    cautious = WholeMinutes(inner).cautious(horizon)
    assert cautious.horizon == horizon
    np.testing.assert_array_equal(cautious.values.to_numpy(), whole.values.to_numpy())


def test_forecasts_come_from_what_was_measured_and_say_so(park):
    history = MeasuredHistory(Actuals(park, 1, calm=True))
    forecaster, hear = Remembering(park, history), Hearing(Memory(park), history)
    tomorrow = Horizon.uniform(AT + DAY, AT + DAY + HOUR, HOUR)
    assert "from profiles" in forecaster.forecast(tomorrow).source
    layout = Layout.of(park)
    drawn = {("warehouse", Carrier.HEAT): -123.0, ("hotel", Carrier.HEAT): -77.0}
    filled_in = {("hotel", "heat_kw"): TagState(Quality.SUBSTITUTED, 60.0)}
    limit = Reading("wind", "setpoint_kw", 400.0, AT, AT, Quality.GOOD)
    powers = drawn | {("wind", Carrier.ELECTRICITY): 400.0, ("pv_food", Carrier.ELECTRICITY): 140.0}
    for minute in range(60):
        at = AT + timedelta(minutes=minute)
        hear.loop(SnapshotTaken(at, build_snapshot(layout, at, powers, {}, tags=filled_in), (limit,)))
    found, profile = forecaster.forecast(tomorrow), NaiveForecaster(park, history.fallback).forecast(tomorrow)
    scale = {d.profile: d.scale for c in park.of_kind(Consumer) if c.id == "warehouse" for d in c.demands}
    assert float(found.values.sel(series="heat_warehouse_kw")[0]) == pytest.approx(123.0 / scale["heat_warehouse_kw"])
    for untold in ("heat_hotel_kw", "wind_pu"):  # filled in by the twin; held down by its own set-point
        assert float(found.values.sel(series=untold)[0]) == float(profile.values.sel(series=untold)[0])
    assert "measured since 2015-07-15 04:00 UTC" in found.source


def test_a_fast_run_bills_each_local_day_and_a_real_one_the_month(park):
    fast = settings_for(Runtime(Memory(park), StandStill(), PlantKind.EMULATED, 144.0))
    period = fast.billing_period(AT)
    assert period.end - period.start == timedelta(days=1)
    assert period.start == datetime(2015, 7, 14, 16, 0, tzinfo=UTC)  # midnight in the park
    real = settings_for(Runtime(Memory(park), StandStill(), PlantKind.DEVICES)).billing_period(AT)
    assert real.end - real.start == timedelta(days=31)


def test_polls_are_spread_only_where_time_runs_fast(park):
    assert paced(park, 1.0) is park
    assert min(d.poll_s for d in paced(park, 144.0).devices) >= 50
    assert max(d.poll_s for d in paced(park, 2000.0).devices) == 60.0


class StandStill:
    def now(self):
        return AT
