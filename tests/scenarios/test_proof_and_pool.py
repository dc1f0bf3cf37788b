"""What goes with a secured plan: its proof, the rows that outlast it, and what is said when the rows could not be had."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.actuals import Actuals
from models.dispatch import DemandTerms, DispatchProblem, EndTerm
from models.errors import InfeasiblePlanError, ProblemError, SolverTimeoutError
from models.forecast import Forecast
from models.horizon import Horizon
from models.security import PortPlan, Rows, Shape
from models.site import load_site
from models.state import Snapshot
from optimizers.dispatch import Dispatcher
from optimizers.secured import SecuredProblem
from scenarios.pool import NEWEST, Pool
from scenarios.proof import replayed_cost
from scenarios.secured import SecuredOptimizer
from scenarios.sites import park_path
from twin.secure import GridCheck

START = datetime(2015, 7, 14, 22, tzinfo=UTC)
STORED = {"battery": 1500.0, "hot_tank": 5000.0, "cold_tank": 2000.0}


@pytest.fixture(scope="module")
def site():
    return load_site(park_path())


@pytest.fixture(scope="module")
def optimizer(site, tmp_path_factory):
    dispatcher = Dispatcher(cache_folder=tmp_path_factory.mktemp("stencils"))
    made = SecuredOptimizer(GridCheck(site, site.networks.electricity[0]), dispatcher)
    yield made
    made.close()


def problem_at(site, start: datetime) -> DispatchProblem:
    horizon = Horizon.uniform(start, start + timedelta(hours=4))
    ids = [a.id for a in site.assets]
    power = xr.DataArray(np.zeros((len(ids), 1)), {"asset": ids, "carrier": ["electricity"]}, ("asset", "carrier"))
    kept = xr.DataArray([STORED.get(i, 0.0) for i in ids], {"asset": ids}, ("asset",))
    forecast = Forecast(start, horizon, Actuals(site, 1).means(horizon), "perfect")
    ends = {k: EndTerm(v, 0.3) for k, v in STORED.items()}
    return DispatchProblem(site, horizon, forecast, Snapshot(start, power, kept), DemandTerms(1.2), ends, integer_h=1.0)


def loss_rows(count: int, step: int) -> Rows:
    return Rows.over(
        "loss_kw", ["grid"] * count, np.full(count, step), np.arange(count, dtype=float),
        (np.full(count, -np.inf), np.full(count, np.inf)), np.ones((count, 2)), np.zeros((count, 2)),
        slack_price=0.0, shape=Shape.GLOBAL,
    )  # fmt: skip


def test_the_proof_holds_the_plan_between_its_bound_and_its_replayed_cost(site, optimizer):
    plan = optimizer.plan(problem_at(site, START))
    proof = plan.proof
    assert proof is not None
    assert proof.status == "clean"
    assert proof.accepted
    assert proof.lower_bound <= proof.replayed_cost
    assert proof.replayed_cost - proof.lower_bound < 5e-3 * abs(plan.total_cost)
    assert proof.rounds >= 2
    assert 0.0 < proof.margins["vm_pu"] < 0.07
    assert 0.0 < proof.margins["loading_share"] < 1.0
    assert proof.worst == {"vm_pu": 0.0, "loading_share": 0.0}
    assert proof.loss_kwh > 10.0
    assert plan.solver.certified


def test_replayed_cost_is_the_plan_with_the_import_that_the_losses_need(site, optimizer):
    problem = problem_at(site, START)
    plan = optimizer.plan(problem)
    planned_loss = plan.power_kw.sel(carrier="electricity").sum("asset").to_numpy()
    assert replayed_cost(problem, plan, planned_loss) == pytest.approx(plan.total_cost)
    more = replayed_cost(problem, plan, planned_loss + 100.0) - plan.total_cost
    assert 0.4 * 400.0 < more < 1.1 * 400.0 + 1.2 * 100.0


def test_the_next_plan_begins_with_the_rows_of_the_one_before(site, optimizer):
    optimizer.pool = Pool(optimizer.check.revision)
    first = optimizer.plan(problem_at(site, START))
    assert len(optimizer.pool) > 0
    again = optimizer.plan(problem_at(site, START + timedelta(minutes=15)))
    assert first.proof is not None
    assert again.proof is not None
    assert again.proof.rounds <= first.proof.rounds


def test_rows_of_other_networks_are_dropped():
    pool, horizon = Pool("old"), Horizon.uniform(START, START + timedelta(hours=1))
    pool.keep(loss_rows(2, step=1), horizon)
    pool.enter("old")
    assert len(pool) == 2
    pool.enter("a switch has moved")
    assert len(pool) == 0
    assert len(pool.rows_on(horizon)) == 0


def test_a_check_of_changed_networks_has_another_revision(site, optimizer):
    check = optimizer.check
    longer = replace(check.network.lines[0], length_km=2 * check.network.lines[0].length_km)
    changed = GridCheck(site, replace(check.network, lines=(longer, *check.network.lines[1:])))
    assert changed.revision != check.revision


def test_rows_find_their_instant_on_a_later_horizon_and_only_the_newest_are_kept():
    horizon = Horizon.uniform(START, START + timedelta(hours=1))
    rows = loss_rows(5, step=0) + loss_rows(1, step=2)
    pool = Pool("networks")
    pool.keep(rows, horizon)
    assert len(pool) == NEWEST + 1
    later = pool.rows_on(Horizon.uniform(START + timedelta(minutes=30), START + timedelta(minutes=75)))
    # step 2 of the old horizon is step 0 now; its last step has no rows; behind its end the last step counts
    assert later.step.tolist() == [0]
    assert later.at(np.ones((3, 2))) == pytest.approx([2.0])


def test_rows_that_look_back_in_time_stay_behind():
    rows = loss_rows(1, step=1)
    lagged = replace(rows, lag=np.array([0, 1]))
    assert len((rows + lagged).moved(np.array([1, 1]))) == 2


def test_a_plan_without_rows_is_replayed_and_says_so(site, optimizer, monkeypatch):
    def late(self) -> PortPlan:
        raise SolverTimeoutError("3 s were too few for the rows of the networks")

    monkeypatch.setattr(SecuredProblem, "solve", late)
    plan = optimizer.plan(problem_at(site, START))
    assert plan.proof is not None
    assert plan.proof.status in ("clean", "without_rows")
    assert plan.proof.rows == 0
    assert any("made without rows" in f.message and "3 s were too few" in f.message for f in plan.findings)


def test_a_bad_problem_is_refused_with_its_findings_before_anything_is_solved(site, optimizer):
    problem = problem_at(site, START)
    out = xr.DataArray(np.full((1, 16), -1.0), {"asset": ["chp1"], "time": problem.horizon.times}, ("asset", "time"))
    answers = optimizer.dispatcher.audit.answers
    with pytest.raises(ProblemError, match="a share lies between 0 and 1"):
        optimizer.plan(replace(problem, available_share=out))
    assert optimizer.dispatcher.audit.answers == answers


def test_a_problem_that_rows_make_impossible_falls_back_to_the_dispatcher(site, optimizer, monkeypatch):
    def impossible(self) -> PortPlan:
        raise InfeasiblePlanError("no plan satisfies every limit of the problem and its networks")

    monkeypatch.setattr(SecuredProblem, "solve", impossible)
    plan = optimizer.plan(problem_at(site, START))
    assert any("no plan satisfies every limit" in f.message for f in plan.findings)


def test_an_earlier_answer_can_be_taken_back_and_a_strangers_cannot(site, optimizer):
    check, problem = optimizer.check, problem_at(site, START)
    planner = SecuredProblem(problem, check.ports, check.revision, optimizer.dispatcher)
    first = planner.solve()
    before = planner.objective
    report = check.check(first)
    planner.add_rows(report.balance)
    planner.solve()
    assert planner.objective > before
    planner.restore(first)
    assert planner.objective == before
    with pytest.raises(ValueError, match="only a plan that this problem has given"):
        planner.restore(replace(first))


def test_time_for_all_rounds_together_is_limited(site, optimizer):
    check, problem = optimizer.check, problem_at(site, START)
    planner = SecuredProblem(problem, check.ports, check.revision, optimizer.dispatcher, deadline_s=0.0)
    with pytest.raises(SolverTimeoutError, match="too few for the rows"):
        planner.solve()
