"""The park with its customers placed badly: the first plan overloads the feeder, the secured one does not, and says what that cost."""

from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr
import yaml

from models.actuals import Actuals
from models.dispatch import DemandTerms, DispatchProblem, EndTerm
from models.forecast import Forecast
from models.horizon import Horizon
from models.site import parse_site
from models.state import Snapshot
from scenarios.secured import SecuredOptimizer
from scenarios.sites import park_path
from twin.secure import GridCheck

STORED = {"battery": 1500.0, "hot_tank": 5000.0, "cold_tank": 2000.0}
MOVES = {"metal1": "bus_11", "metal_w": "bus_9", "office": "bus_10", "pv_metal1": "bus_11", "pv_office": "bus_10"}


def congested():
    """Return the park with three customers and two roofs moved to the far end of the feeder and electric loads a quarter higher."""
    document = yaml.safe_load(park_path().read_text())
    document["nodes"].append({"id": "bus_9", "carrier": "electricity", "network": "park_20kv"})
    for asset in document["assets"]:
        if asset["id"] in MOVES and asset["kind"] == "pv":
            asset["electricity_node"] = MOVES[asset["id"]]
        for demand in asset.get("demands", ()):
            if demand["carrier"] == "electricity":
                demand["node"] = MOVES.get(asset["id"], demand["node"])
                demand["scale"] = 1.25 * demand.get("scale", 1.0)
    site, _ = parse_site(document, park_path().parent)
    assert site is not None
    return site


def problem_of(site, start: datetime) -> DispatchProblem:
    horizon = Horizon.quarters_then_hours(start)
    ids = [a.id for a in site.assets]
    power = xr.DataArray(np.zeros((len(ids), 1)), {"asset": ids, "carrier": ["electricity"]}, ("asset", "carrier"))
    kept = xr.DataArray([STORED.get(i, 0.0) for i in ids], {"asset": ids}, ("asset",))
    forecast = Forecast(start, horizon, Actuals(site, 1).means(horizon), "perfect")
    ends = {k: EndTerm(v, 0.3) for k, v in STORED.items()}
    return DispatchProblem(site, horizon, forecast, Snapshot(start, power, kept), DemandTerms(1.2), ends, integer_h=3.0)


def plan_of(site):
    optimizer = SecuredOptimizer(GridCheck(site, site.networks.electricity[0]))
    try:
        problem = problem_of(site, datetime(2015, 1, 19, 22, tzinfo=UTC))
        return optimizer.plan(problem), optimizer.check, optimizer.plan(problem)
    finally:
        optimizer.close()


def test_a_congested_feeder_is_planned_around_with_proof():
    plan, check, again = plan_of(congested())
    assert plan.proof is not None
    assert plan.proof.status == "secure"
    assert plan.proof.security_cost > 0.0
    assert plan.solver.certified
    replay = check.check(check.plan_ports(plan))
    assert replay.worst["loading_share"] <= 2e-3
    assert replay.worst["vm_pu"] <= 1e-4
    loading = replay.findings.value[replay.findings.kind == "loading_share"]
    assert loading.max() > 0.97, "the feeder must be used, not avoided"
    assert again.proof is not None
    assert again.proof.rounds < plan.proof.rounds
    assert again.total_cost == pytest.approx(plan.total_cost, rel=5e-3)


def test_the_park_as_it_is_needs_no_loop():
    site, _ = parse_site(yaml.safe_load(park_path().read_text()), park_path().parent)
    plan, _, _ = plan_of(site)
    assert plan.proof is not None
    assert plan.proof.status == "clean"
    assert plan.proof.accepted
    assert plan.proof.loss_kwh > 100.0
