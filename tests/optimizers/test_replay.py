"""A plan carried out step by step by the station's equations gives the powers and stored energies it promised."""

import numpy as np
import pytest

from models.carriers import Carrier
from models.components import Pv
from models.station import Station, resolve
from optimizers.blocks.demand import fleet_visits
from optimizers.problem import facts_of
from tests.optimizers.test_truth import day, hub  # noqa: F401 - the fixture is used by name


@pytest.mark.parametrize("seed", range(4))
def test_the_station_does_what_the_plan_says(dispatcher, hub, seed):  # noqa: F811 - the imported fixture
    problem = day(hub, 40 + seed, integer_h=None)
    plan = dispatcher.dispatch(problem)
    station = Station.of(hub)
    forecast = {str(s): problem.forecast.values.sel(series=s).values for s in problem.forecast.values["series"].values}
    fleet = fleet_visits(hub.asset("fleet"), facts_of(problem).minutes)
    stored = dict(
        zip(problem.initial.stored_kwh["asset"].values.tolist(), problem.initial.stored_kwh.values, strict=True)
    )
    for t, step_h in enumerate(problem.horizon.step_h):
        conditions = station.conditions({n: float(v[t]) for n, v in forecast.items()}, {"fleet": fleet.plugged[t]})
        stored["fleet"] = stored.get("fleet", 0.0) + fleet.arriving_kwh[t]
        control = {
            a.id: float(plan.power_kw.sel(asset=a.id, carrier=a.control.value)[t])
            for a in hub.assets
            if a.id in plan.power_kw["asset"].values
        }
        done = resolve(station, conditions, control, stored, float(step_h))
        for asset in plan.power_kw["asset"].values.tolist():
            for carrier in plan.power_kw["carrier"].values.tolist():
                planned = float(plan.power_kw.sel(asset=asset, carrier=carrier)[t])
                assert done.power_kw.get((asset, Carrier(carrier)), 0.0) == pytest.approx(planned, abs=1e-3), (asset, t)
        stored = dict(done.stored_kwh)
        for asset in plan.stored_kwh["asset"].values.tolist():
            assert stored[asset] == pytest.approx(float(plan.stored_kwh.sel(asset=asset)[t]), abs=1e-3), (asset, t)


def test_curtailed_sun_stays_below_what_is_available(dispatcher, hub):  # noqa: F811 - the imported fixture
    problem = day(hub, 7)
    plan = dispatcher.dispatch(problem)
    pv: Pv = hub.asset("pv")
    available = pv.available_kw(problem.forecast.values.sel(series="sun_pu").values)
    fed = plan.power_kw.sel(asset="pv", carrier="electricity").values
    assert (fed <= available + 1e-6).all()
    assert np.all(fed >= -1e-9)
