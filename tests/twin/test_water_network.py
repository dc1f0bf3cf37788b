"""A site with its own water network: solved with everything else, judged, drawn."""

from dataclasses import replace

import numpy as np
import pytest

from models.carriers import Carrier
from models.networks.data import Junction, Pipe, PipeNetwork
from models.site import Networks, Node, Site
from models.site.check import check_site
from service.pictures.sheet import write_sheet
from tests.twin.conftest import feeder, make_site
from tests.twin.plans import LEVELS, STEADY, errors, forecast_of, plan_of, ready
from twin.verify import verify


def mains(*, dp_min_kpa: float = 150.0, height_m: float = 10.0) -> PipeNetwork:
    """A main of 500 m up to the works."""
    return PipeNetwork(
        id="mains",
        carrier="water",
        junctions=(Junction(id="tower"), Junction(id="water", height_m=height_m)),
        pipes=(Pipe(id="main", from_junction="tower", to_junction="water", length_m=500, inner_diameter_mm=80),),
        plant_junction="tower",
        consumers=("water",),
        supply_degc=10.0,
        return_pressure_kpa=101.325,
        pump_lift_kpa=400.0,
        dp_min_kpa=dp_min_kpa,
    )


def with_mains(network: PipeNetwork) -> Site:
    site = make_site(networks=Networks(electricity=(feeder(),), water=(network,)))
    nodes = tuple(
        Node(id="water", carrier=Carrier.WATER, network="mains") if n.id == "water" else n for n in site.nodes
    )
    return replace(site, nodes=nodes)


def test_water_flows_as_it_is_drawn_and_arrives_with_pressure(tmp_path):
    site = with_mains(mains())
    assert not [f for f in check_site(site) if "mains" in f.place]
    check = verify(plan_of(site, ready(site), STEADY), site, ready(site), forecast_of(LEVELS))
    state = check.states["mains"]
    drawn = LEVELS["works_water_m3_per_h"] * 999.7 / 3600
    np.testing.assert_allclose(state["flow_kg_per_s"].sel(pipe="main"), drawn, rtol=1e-9)
    lost = 501.325 - state["pressure_kpa"].sel(junction="water")
    assert float(lost.min()) == pytest.approx(999.7 * 9.80665 * 10 / 1e3, rel=0.2)
    assert not errors(check.findings, "water")
    write_sheet([n for _, n in site.networks], {"mains": state.isel(time=0)}, "water", tmp_path / "water.png")
    assert (tmp_path / "water.png").stat().st_size > 5000


def test_a_tap_on_a_hill_that_runs_dry_is_named():
    site = with_mains(mains(height_m=30.0))
    check = verify(plan_of(site, ready(site), STEADY), site, ready(site), forecast_of(LEVELS))
    assert "kPa of water pressure, it needs 251 kPa" in errors(check.findings, "water")[0]


def test_a_network_in_the_wrong_list_is_found():
    site = with_mains(replace(mains(), carrier="heat"))
    assert any("is heat in the list of water" in f.message for f in check_site(site))
