"""After a new supply temperature the steady rows see ghosts; the parcel model beside them takes the ghosts away."""

import numpy as np
import pytest
import xarray as xr

from models.networks.fluids import liquid
from models.networks.plugflow import advance_pipes, start_state
from models.site import load_site
from scenarios.sites import park_path
from twin.estimate.cleaning import estimate
from twin.estimate.heat import HeatRows
from twin.estimate.pipelaw import pipe_law
from twin.estimate.plugoffset import PlugOffset
from twin.estimate.problem import Origin, Sensor

STEP_S = 300.0
STEPS = 72


@pytest.fixture(scope="module")
def network():
    return load_site(park_path()).networks.heat[0]


def supply_steps() -> np.ndarray:
    """Return a supply temperature that jumps by 8 K every two hours."""
    return 85.0 + 8.0 * ((np.arange(STEPS) // 24) % 2)


@pytest.fixture(scope="module")
def truth(network):
    """Return what meters would show without noise: demands, and temperatures of water that needs its time."""
    rng = np.random.default_rng(4)
    base = np.array([900.0, 570.0, 760.0, 370.0, 180.0, 105.0, 420.0, 150.0, 315.0, 395.0])
    demand = base[: len(network.consumers), None] * (
        1 + 0.1 * rng.standard_normal((len(network.consumers), STEPS)).cumsum(1) / 10
    )
    time = np.arange(STEPS).astype("datetime64[m]").astype("datetime64[ns]")
    coords = {"consumer": list(network.consumers), "time": time}
    table = xr.DataArray(np.clip(demand, 20.0, None), coords, ("consumer", "time"))
    supply = xr.DataArray(supply_steps(), {"time": time}, ("time",))
    _, moving = advance_pipes(network, start_state(network), table, supply, step_s=STEP_S)
    return table, supply, moving


def alarms(network, truth, *, with_offset: bool) -> float:
    """Return the share of noisy snapshots, after a warm-up, that the estimate calls implausible."""
    demand, supply, moving = truth
    rng = np.random.default_rng(8)
    law, cp = pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3
    plug = PlugOffset(HeatRows.of(network, [], law, cp))
    consumers, plant = list(network.consumers), network.plant_junction
    raised = counted = 0
    for step in range(STEPS):
        taken = {c: float(demand.sel(consumer=c).values[step]) for c in consumers}
        offsets = plug.advance(taken, float(supply.values[step]), {}, STEP_S) if with_offset else {}
        sensors, z = [], []

        def add(element, quantity, value, sigma, offsets=offsets, sensors=sensors, z=z):
            shift = offsets.get(f"{element}.{quantity}")
            sensors.append(Sensor(element, quantity, shift.widened(sigma) if shift else sigma))
            z.append(value + sigma * rng.standard_normal() - (shift.correction_k if shift else 0.0))

        flow = 0.0
        for c in consumers:
            here = float(moving.supply_degc.sel(junction=c).values[step])
            delta = here - network.return_degc
            own = taken[c] / (cp * delta)
            flow += own
            add(c, "flow_kg_per_s", own, 0.01 * own + 0.01)
            add(c, "supply_degc", here, 0.35)
            add(c, "delta_k", delta, 0.15)
        back = float(moving.return_degc.sel(junction=plant).values[step])
        add(plant, "flow_kg_per_s", flow, 0.005 * flow + 0.02)
        add(plant, "supply_degc", float(supply.values[step]), 0.15)
        add(plant, "delta_k", float(supply.values[step]) - back, 0.1)
        for quantity, nominal in (("supply_kpa", 700.0), ("return_kpa", 300.0)):
            sensors.append(Sensor(plant, quantity, 2.5, Origin.BELIEF))
            z.append(nominal)
        sensors.append(Sensor(network.id, "loss_factor", 0.15, Origin.BELIEF))
        z.append(1.0)
        result = estimate(HeatRows.of(network, sensors, law, cp), np.array(z))
        if step >= 12:
            counted += 1
            removed = any(s.status == "removed" for s in result.sensors)
            raised += removed or not result.plausible or not result.fit.converged
    return raised / counted


def test_steady_rows_raise_false_alarms_after_supply_steps(network, truth):
    assert alarms(network, truth, with_offset=False) >= 0.2


def test_the_parcel_model_keeps_clean_data_quiet(network, truth):
    assert alarms(network, truth, with_offset=True) <= 0.02
