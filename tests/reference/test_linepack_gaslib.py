"""GasLib-11 with its compressors at ratio one: the pipes carry a swing that its supply cannot."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import xarray as xr
from reference_cases import case

from models.horizon import Horizon
from models.networks.data import GasNetwork, Junction, Pipe
from models.networks.gas import solve_gas
from models.networks.linepack import start_gas
from models.networks.status import Status
from optimizers.linepack import GasPurchase, linepack_rule, plan_gas

pytestmark = pytest.mark.cases
HORIZON = Horizon.uniform(datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 1, 2, tzinfo=UTC))
KW_PER_KG_S = 13.9 * 3600.0


def network_of(data: Any) -> tuple[GasNetwork, np.ndarray]:
    parts, flows = data["network"], data["bc"]["boundary_nonslack_flow"]
    pipes = [
        Pipe(id=f"p{k}", from_junction=str(p["fr_node"]), to_junction=str(p["to_node"]), length_m=p["length"],
             inner_diameter_mm=p["diameter"] * 1e3, friction_factor=p["friction_factor"])
        for k, p in parts["pipes"].items()
    ]  # fmt: skip
    pipes += [
        Pipe(id=f"{name}{k}", from_junction=str(c["fr_node"]), to_junction=str(c["to_node"]), length_m=100.0,
             inner_diameter_mm=1000.0, friction_factor=0.01)
        for name in ("compressors", "valves") for k, c in parts[name].items()
    ]  # fmt: skip
    network = GasNetwork(
        id="gaslib", junctions=tuple(Junction(id=k) for k in parts["nodes"]), pipes=tuple(pipes), source_junction="6",
        source_pressure_kpa=7000.0, consumers=tuple(flows), pressure_min_kpa=4000.0, lower_heating_value_kwh_per_kg=13.9, gas_degc=10.0,
        molar_mass_g_per_mol=17.4, equation_of_state="constant", compressibility=0.88,
    )  # fmt: skip
    return network, np.array(list(flows.values())) * KW_PER_KG_S


def test_a_swing_beyond_the_supply_is_carried_by_the_pipes():
    network, base = network_of(case("gas_gaslib_11"))
    swing = 1 + 0.4 * np.sin(np.arange(96) / 96 * 4 * np.pi)
    demand = np.where(base[:, None] > 0, base[:, None] * swing, base[:, None])
    coords = {"consumer": list(network.consumers), "time": HORIZON.times}
    asked = xr.DataArray(demand, coords, ("consumer", "time"))
    steady = solve_gas(network, asked.mean("time").expand_dims(time=HORIZON.times[:1]).transpose("consumer", "time"))
    assert linepack_rule(network, float(demand.clip(0).sum(0).max()), 900.0).include
    cap_kw = 1.05 * float(base.sum())
    assert (
        float(np.clip(demand.sum(0) - cap_kw, 0, None).sum() * 900 / KW_PER_KG_S) > 200e3
    )  # kg short without the pipes
    day = plan_gas(network, asked, HORIZON, start_gas(network, steady), GasPurchase(np.full(96, 0.3), cap_kw))
    assert len(day.residual_bar) <= 7
    assert day.residual_bar[-1] < 1e-3
    assert day.short_kw.sum() == pytest.approx(0.0, abs=1e-6)
    assert day.source_kw.max() <= cap_kw + 1e-6
    assert (day.replay["status"] == Status.OK).all()
    assert day.apart_kpa < 0.1
    assert float(day.pressure_kpa.min()) >= 4000.0 - 1e-6
    held = day.replay["linepack_kg"].to_numpy()
    assert held[-1] == pytest.approx(float(steady["linepack_kg"][0]), rel=1e-5)
