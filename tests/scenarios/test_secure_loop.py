"""The loop between planner and networks on a feeder small enough to check by hand: sun behind a thin line."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linprog

from models.networks.data import Bus, ElectricNetwork, Line
from models.security import PortPlan, Rows
from models.site import parse_site
from scenarios.secure import SecureStatus, Tolerances, secure
from tests.sites import document
from twin.secure import GridCheck

STEPS = 4
SUN_KW = np.array([1000.0, 3000.0, 6000.0, 9000.0])
WORTH = 0.5


def feeder_check(tmp_path, current_max_ka: float = 0.15, vm_max_pu: float = 1.05) -> GridCheck:
    """Return the check of a 20-kV line with sun at its end and a load in the middle."""
    buses = tuple(Bus(id=i, vn_kv=20.0, vm_max_pu=1.2 if i == "far" else vm_max_pu) for i in ("bus", "mid", "far"))
    lines = tuple(
        Line(
            id=f"{a}_{b}",
            from_bus=a,
            to_bus=b,
            length_km=4.0,
            r_ohm_per_km=0.3,
            x_ohm_per_km=0.35,
            current_max_ka=current_max_ka,
        )
        for a, b in (("bus", "mid"), ("mid", "far"))
    )
    network = ElectricNetwork(id="feeder", buses=buses, lines=lines, slack_bus="bus")
    doc = document()
    doc["profiles"] = None
    doc["nodes"] = [{"id": i, "carrier": "electricity"} for i in ("bus", "mid", "far")]
    keep = [a for a in doc["assets"] if a["id"] in ("grid", "pv", "mill")]
    keep[1]["electricity_node"], keep[1]["peak_kw"] = "far", 9000
    keep[2]["demands"] = [{"carrier": "electricity", "node": "mid", "profile": "el_mill_kw"}]
    doc["assets"], doc["contracts"] = keep, doc["contracts"][:1]
    site, _ = parse_site(doc, tmp_path)
    return GridCheck(site, network)


@dataclass
class SunPlanner:
    """Feeds as much sun as the rows allow; a kWh is worth 0.5, losses cost the same, every step lasts an hour."""

    check: GridCheck
    load_kw: float = 500.0
    price: float = WORTH
    held: Rows = field(default_factory=Rows.empty)
    solved: np.ndarray = field(default_factory=lambda: np.zeros(0))
    objective: float = 0.0
    restored: PortPlan | None = None

    def solve(self) -> PortPlan:
        rows = self.held
        sides = [
            (i, s) for i in range(len(rows)) for s in (1, -1) if np.isfinite(rows.upper[i] if s > 0 else rows.lower[i])
        ]
        losses = np.flatnonzero(rows.kind == "loss_kw")
        count = 2 * STEPS + len(rows)
        cost = np.concatenate([np.full(STEPS, -self.price), np.full(STEPS, WORTH), rows.slack_price])
        a, b = [], []
        for i in losses:
            gradient, constant = self._affine(i)
            a.append(np.concatenate([gradient, -np.eye(STEPS)[rows.step[i]], np.zeros(len(rows))]))
            b.append(-constant)
        for i, side in sides:
            gradient, constant = self._affine(i)
            slack = -np.eye(len(rows))[i]
            a.append(np.concatenate([side * gradient, np.zeros(STEPS), slack]))
            b.append(side * ((rows.upper if side > 0 else rows.lower)[i] - constant))
        bounds = [(0, kw) for kw in SUN_KW] + [(0, None)] * (STEPS + len(rows))
        found = linprog(cost, np.array(a).reshape(-1, count) if a else None, b or None, bounds=bounds, method="highs")
        assert found.status == 0
        self.solved, self.objective = found.x, float(found.fun)
        return PortPlan(self.check.ports, self._values(found.x[:STEPS]), np.ones(STEPS), self.check.revision)

    def _values(self, sun):
        values = np.zeros((STEPS, len(self.check.ports)))
        for k, port in enumerate(self.check.ports):
            if port.key == "far.power_kw":
                values[:, k] = sun
            if port.key == "mid.power_kw":
                values[:, k] = -self.load_kw
        return values

    def _affine(self, row: int):
        """Return a row as gradient over the sun of every step and a constant."""
        only = self.held.select(np.arange(len(self.held)) == row)
        base = only.at(self._values(np.zeros(STEPS)))[0]
        gradient = np.array([only.at(self._values(np.eye(STEPS)[k]))[0] - base for k in range(STEPS)])
        return gradient, base

    def add_rows(self, rows: Rows, *, replace=()) -> int:
        kept = self.held.select(~np.isin(self.held.kind, list(replace))) if replace else self.held
        self.held = kept + rows
        return len(self.held)

    def restore(self, plan: PortPlan) -> None:
        self.restored = plan

    def slack(self):
        return self.solved[2 * STEPS :] if len(self.solved) else np.zeros(0)


def test_an_uncongested_plan_only_learns_its_losses(tmp_path):
    check = feeder_check(tmp_path, current_max_ka=0.6, vm_max_pu=1.3)
    result = secure(SunPlanner(check), check)
    assert result.status is SecureStatus.SECURE
    assert result.plan.values[:, check.ports.index(check.ports[1])].min() >= -500.0
    assert result.findings == ()
    far = next(i for i, p in enumerate(check.ports) if p.key == "far.power_kw")
    assert result.plan.values[:, far] == pytest.approx(SUN_KW)
    assert result.rounds[-1].loss_error_kw <= 10.0


def test_sun_behind_a_thin_line_is_curtailed_just_enough(tmp_path):
    check = feeder_check(tmp_path)
    result = secure(SunPlanner(check), check)
    assert result.status is SecureStatus.SECURE
    assert result.rounds[0].worst["loading_share"] > 0.5
    far = next(i for i, p in enumerate(check.ports) if p.key == "far.power_kw")
    sun = result.plan.values[:, far]
    assert sun[:2] == pytest.approx(SUN_KW[:2])
    replay = check.check(result.plan)
    assert replay.worst["loading_share"] <= 1e-3
    loading = replay.findings.value[replay.findings.kind == "loading_share"]
    assert loading.max() > 0.995, "the line must be used to its limit, not cut back for comfort"
    assert len(result.rounds) <= 10


def test_the_second_loop_starts_from_the_pool_and_is_done_at_once(tmp_path):
    check = feeder_check(tmp_path)
    first = secure(SunPlanner(check), check)
    again = secure(SunPlanner(check), check, pool=first.pool)
    assert again.status is SecureStatus.SECURE
    assert len(again.rounds) <= 2
    assert again.objective == pytest.approx(first.objective, rel=2e-3)


def test_security_never_makes_a_plan_cheaper(tmp_path):
    check = feeder_check(tmp_path)
    result = secure(SunPlanner(check), check)
    objectives = [r.objective for r in result.rounds]
    assert all(b >= a - 1e-6 for a, b in pairwise(objectives))


def test_a_limit_that_no_lever_reaches_ends_with_the_reason(tmp_path):
    check = feeder_check(tmp_path, current_max_ka=0.6, vm_max_pu=0.9)
    result = secure(SunPlanner(check), check, tolerances=Tolerances(rounds=8))
    assert result.status is SecureStatus.LEVERS_SPENT
    assert len(result.rounds) <= 5
    assert any(f.place == "mid" and "vm_pu" in f.message and "answers most to" in f.message for f in result.findings)


def test_a_plan_beyond_the_grid_is_scaled_until_it_can_be_replayed(tmp_path):
    check = feeder_check(tmp_path, current_max_ka=0.15)
    planner = SunPlanner(check, load_kw=160_000.0)
    result = secure(planner, check, tolerances=Tolerances(rounds=3))
    assert result.status is not SecureStatus.SECURE
    assert result.rounds[0].scale < 1.0
    assert not result.clean
