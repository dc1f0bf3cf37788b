"""A day of the park's heat network whose supply temperature jumps, as meters would show it; water needs its time to arrive."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from models.networks.data import PipeNetwork
from models.networks.plugflow import advance_pipes, start_state
from models.site import load_site
from scenarios.sites import park_path
from twin.estimate.cleaning import estimate
from twin.estimate.heat import HeatRows
from twin.estimate.pipelaw import heat_rows
from twin.estimate.plugoffset import Offset, PlugOffset
from twin.estimate.problem import Origin, Sensor, SensorStatus

STEP_S = 900.0
WARM_UP = 4
JUMP_K, EVERY_STEPS = 8.0, 8
TAKEN_KW = (900.0, 570.0, 760.0, 370.0, 180.0, 105.0, 420.0, 150.0, 315.0, 395.0)
Reading = tuple[str, str, float, float]
"""Element, quantity, true value, sigma."""


def alarms(steps: int, *, with_offset: bool) -> float:
    """Return the share of noisy snapshots, after an hour of warm-up, that the estimate calls implausible."""
    network = load_site(park_path()).networks.heat[0]
    rows, rng = heat_rows(network), np.random.default_rng(8)
    plug, raised = PlugOffset(rows), []
    for taken, supply_degc, readings in _day(network, rows, steps):
        offsets = plug.advance(taken, supply_degc, {}, STEP_S) if with_offset else {}
        found = estimate(*_measured(network, rows, readings, offsets, rng))
        removal = any(s.status is SensorStatus.REMOVED for s in found.sensors)
        raised.append(removal or not found.plausible or not found.fit.converged)
    return float(np.mean(raised[WARM_UP:]))


def _day(network: PipeNetwork, rows: HeatRows, steps: int) -> Iterator[tuple[dict[str, float], float, list[Reading]]]:
    """Yield, per step, what consumers take, the supply temperature, and what faultless meters show."""
    rng, consumers = np.random.default_rng(4), list(network.consumers)
    wander = 1 + 0.1 * rng.standard_normal((len(consumers), steps)).cumsum(axis=1) / 10
    taken = np.clip(np.array(TAKEN_KW)[: len(consumers), None] * wander, 20.0, None)
    supply = network.supply_degc + JUMP_K * ((np.arange(steps) // EVERY_STEPS) % 2)
    time = {"time": np.arange(steps).astype("datetime64[m]").astype("datetime64[ns]")}
    table = xr.DataArray(taken, {"consumer": consumers, **time}, ("consumer", "time"))
    _, moving = advance_pipes(
        network, start_state(network), table, xr.DataArray(supply, time, ("time",)), step_s=STEP_S
    )
    arriving = moving["supply_degc"].sel(junction=consumers).to_numpy()
    back = moving["return_degc"].sel(junction=network.plant_junction).to_numpy()
    for k in range(steps):
        delta = arriving[:, k] - network.return_degc
        flow = taken[:, k] / (rows.heat_capacity_kj_per_kg_k * delta)
        readings = [(c, "flow_kg_per_s", m, 0.01 * m + 0.01) for c, m in zip(consumers, flow, strict=True)]
        readings += [(c, "supply_degc", t, 0.35) for c, t in zip(consumers, arriving[:, k], strict=True)]
        readings += [(c, "delta_k", d, 0.15) for c, d in zip(consumers, delta, strict=True)]
        plant, total = network.plant_junction, float(flow.sum())
        readings += [(plant, "flow_kg_per_s", total, 0.005 * total + 0.02), (plant, "supply_degc", supply[k], 0.15)]
        yield (
            dict(zip(consumers, taken[:, k].tolist(), strict=True)),
            float(supply[k]),
            [*readings, (plant, "delta_k", supply[k] - back[k], 0.1)],
        )


def _measured(
    network: PipeNetwork, rows: HeatRows, readings: list[Reading], offsets: dict[str, Offset], rng: np.random.Generator
) -> tuple[HeatRows, np.ndarray]:
    """Return the rows of one snapshot and its noisy values, what is under way taken off."""
    sensors, z = [], []
    for element, quantity, value, sigma in readings:
        offset = offsets.get(f"{element}.{quantity}", Offset(0.0, 0.0))
        sensors.append(Sensor(element, quantity, offset.widened(sigma)))
        z.append(value + sigma * rng.standard_normal() - offset.correction_k)
    plant = network.plant_junction
    for element, quantity, nominal, sigma in (
        (plant, "supply_kpa", network.return_pressure_kpa + network.pump_lift_kpa, 2.5),
        (plant, "return_kpa", network.return_pressure_kpa, 2.5),
        (network.id, "loss_factor", 1.0, 0.15),
    ):
        sensors.append(Sensor(element, quantity, sigma, Origin.BELIEF))
        z.append(nominal)
    return HeatRows.of(network, sensors, rows.law, rows.heat_capacity_kj_per_kg_k), np.array(z)
