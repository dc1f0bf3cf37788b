"""Heat, cold and gas networks in the replay: losses, pressures, temperatures."""

import dataclasses
from datetime import timedelta

import numpy as np
import pytest
import xarray as xr

from models.carriers import Carrier
from models.components import Consumer
from models.findings import Severity
from models.horizon import Horizon
from models.networks.data import GasNetwork, Junction, Pipe, PipeNetwork
from models.networks.heat import solve_heat
from models.site import Networks, Node, Site
from tests.twin.plans import LEVELS, START, STEADY, errors, forecast_of, plan_of, ready
from twin.judge_networks import judge_network
from twin.verify import verify
from twin.words import Speaker

ENDS = (Junction(id="plant"), Junction(id="town"))


def main(length_m: float, diameter_mm: float, loss: float = 0.3, roughness_mm: float = 0.1) -> Pipe:
    return Pipe(
        id="main", from_junction="plant", to_junction="town", length_m=length_m, inner_diameter_mm=diameter_mm,
        heat_loss_w_per_m_k=loss, roughness_mm=roughness_mm,
    )  # fmt: skip


def heat(pipe: Pipe, **more: float) -> PipeNetwork:
    return PipeNetwork(
        id="warm", carrier="heat", junctions=ENDS, pipes=(pipe,), plant_junction="plant", consumers=("town",), **more
    )


def gas(pipe: Pipe) -> GasNetwork:
    return GasNetwork(
        id="lowgas",
        junctions=ENDS,
        pipes=(pipe,),
        source_junction="plant",
        source_pressure_kpa=300.0,
        consumers=("town",),
    )


def on(site: Site, carrier: Carrier, network: PipeNetwork | GasNetwork) -> Site:
    """Return the site with its consumer behind a pipe and everything else at the plant."""
    consumer = site.of_kind(Consumer)[0]
    demands = tuple(dataclasses.replace(d, node="town") if d.carrier is carrier else d for d in consumer.demands)
    moved = dataclasses.replace(consumer, demands=demands)
    field = f"{carrier.value}_node"
    assets = [
        dataclasses.replace(a, **{field: "plant"}) if getattr(a, field, None) is not None else a for a in site.assets
    ]
    nodes = [n for n in site.nodes if n.carrier is not carrier]
    nodes += [Node(id=j.id, carrier=carrier, network=network.id) for j in ENDS]
    return dataclasses.replace(
        site,
        assets=tuple(moved if a.id == consumer.id else a for a in assets),
        nodes=tuple(nodes),
        networks=Networks(electricity=site.networks.electricity, **{carrier.value: (network,)}),
    )


def test_the_plant_covers_what_the_pipes_lose(site: Site):
    piped = on(site, Carrier.HEAT, heat(main(1000.0, 150.0)))
    check = verify(plan_of(piped, ready(piped), STEADY), piped, ready(piped), forecast_of(LEVELS))
    lost = check.losses_kw.sel(carrier="heat")
    np.testing.assert_allclose(lost, check.states["warm"]["loss_kw"])
    assert 30.0 < float(lost.mean()) < 0.3 * (75.0 + 45.0)  # below 1 km at the plant's temperatures
    assert float(check.states["warm"]["plant_kw"][0]) == pytest.approx(800.0 + float(lost[0]), rel=1e-6)
    assert check.ok


def test_a_thin_pipe_leaves_no_pressure_at_the_consumer(site: Site):
    piped = on(site, Carrier.HEAT, heat(main(1000.0, 75.0)))
    check = verify(plan_of(piped, ready(piped), STEADY), piped, ready(piped), forecast_of(LEVELS))
    assert any("kPa between supply and return, it needs 50 kPa" in m for m in errors(check.findings, "town")) or any(
        "what is asked cannot arrive" in m for m in errors(check.findings, "warm")
    )
    assert not check.ok


def test_lukewarm_water_is_worth_a_warning(site: Site):
    piped = on(site, Carrier.HEAT, heat(main(3000.0, 150.0, loss=0.5)))
    summer = LEVELS | {"works_heat_kw": 40.0}
    check = verify(plan_of(piped, ready(piped), STEADY, summer), piped, ready(piped), forecast_of(summer))
    found = [f for f in check.findings if f.place == "town" and f.severity is Severity.WARNING]
    assert "where 85 degC leave the plant and 65.0 degC should arrive" in found[0].message


@pytest.mark.parametrize(("far_kw", "severities"), [(1.0, {Severity.WARNING}), (60.0, set()), (0.0, set())])
def test_a_trickle_that_arrives_cold_does_not_make_a_plan_fail(far_kw: float, severities: set[Severity]):
    junctions = (*ENDS, Junction(id="far"))
    branch = Pipe(
        id="branch", from_junction="town", to_junction="far", length_m=3000.0, inner_diameter_mm=60.0, heat_loss_w_per_m_k=0.2
    )  # fmt: skip
    pipes = (main(500.0, 150.0), branch)
    network = PipeNetwork(
        id="warm", carrier="heat", junctions=junctions, pipes=pipes, plant_junction="plant", consumers=("town", "far")
    )
    steps = Horizon.uniform(START, START + timedelta(hours=1))
    demand = xr.DataArray(
        [[800.0] * 4, [far_kw] * 4], {"consumer": ["town", "far"], "time": steps.times}, ("consumer", "time")
    )
    found = list(judge_network(network, solve_heat(network, demand), Speaker(steps)))
    assert {f.severity for f in found} == severities


def test_somebody_who_counts_and_gets_no_warmth_is_an_error(site: Site):
    piped = on(site, Carrier.HEAT, heat(main(6000.0, 150.0, loss=0.5)))
    summer = LEVELS | {"works_heat_kw": 5.0}
    check = verify(plan_of(piped, ready(piped), STEADY, summer), piped, ready(piped), forecast_of(summer))
    assert "what is asked cannot arrive at town" in errors(check.findings, "warm")[0]


def test_a_thin_gas_pipe_loses_its_pressure(site: Site):
    piped = on(site, Carrier.GAS, gas(main(3000.0, 40.0)))
    levels = LEVELS | {"works_gas_kw": 900.0}
    check = verify(plan_of(piped, ready(piped), STEADY, levels), piped, ready(piped), forecast_of(levels))
    assert any("kPa of gas pressure, it needs 200 kPa" in m for m in errors(check.findings, "town")) or any(
        "what is asked cannot arrive" in m for m in errors(check.findings, "lowgas")
    )
