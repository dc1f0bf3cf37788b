"""Offers whose every price path the grid has accepted: rows from the expected path, then from whatever the other paths still break.

The optimum of each path is replayed, all paths in one batch; rows are made only where a position breaks a limit or loses more than was
planned, and only the paths that failed are solved again. In steps where a kWh drawn is paid for, a loss that rows merely hold up would be
inflated without end: there it is held down as well, at what the last replay lost.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.dispatch import DispatchProblem
from models.offers import OfferProof, OfferSet
from models.security import PortPlan, Rows
from models.trading import MarketTerms
from optimizers.dispatch import Dispatcher
from optimizers.offers.build import OfferSettings, offers_of
from optimizers.offers.day import Limits, MarketDay, Optima
from optimizers.offers.paths import PricePaths
from optimizers.secured import LOSS, SecuredProblem
from scenarios.pool import Pool
from scenarios.secure import Tolerances, secure
from twin.calls import replay_calls
from twin.secure import GridCheck
from twin.state import stored_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
PASSES = 12
LOSS_ROOM_KW = 2.0
"""How much more than the last replay lost may be planned where a kWh drawn is paid for."""


@dataclass
class _State:
    """Paths' optima with their replay; arrays have shape (path, step)."""

    optima: Optima
    ports: Floats
    lost_kw: Floats
    planned_kw: Floats
    broken: Flags
    rooms: dict[str, Floats] = field(default_factory=dict)


class OfferProver:
    """Makes offers of one site and proves them on its grid; rows learnt on one day begin the next."""

    def __init__(
        self, check: GridCheck, dispatcher: Dispatcher, *, fee_per_kwh: float, deadline_s: float = 120.0
    ) -> None:
        self.check, self.dispatcher, self.fee_per_kwh, self.deadline_s = check, dispatcher, fee_per_kwh, deadline_s
        self.pool, self.tolerances = Pool(check.revision), Tolerances()
        self._learnt = Rows.empty()

    def offers(self, problem: DispatchProblem, paths: PricePaths, settings: OfferSettings | None = None) -> OfferSet:
        """Return a day's offers with the proof of their paths; raises what planning raises.

        A position that stays beyond a limit after all passes is replaced by that of the accepted path with the nearest price.
        """
        day = MarketDay(problem, self.fee_per_kwh, self.dispatcher, deadline_s=self.deadline_s)
        optima, proof = self.proven(day, paths)
        return offers_of(day, paths, optima, settings, proof)

    def proven(self, day: MarketDay, paths: PricePaths) -> tuple[Optima, OfferProof]:
        """Return every path's optimum under the rows of the grid, and what their replay says."""
        planner = self._expected(day, paths)
        every = np.arange(len(paths))
        state = self._solved(day, paths, planner, None)
        passes = 1
        while passes < PASSES and len(again := every[self._failed(state).any(axis=1)]):
            rows = self._rows(state, again)
            planner.add_rows(rows)
            some = self._solved(day, _part(paths, again), planner, state.lost_kw[again])
            state = _merged(state, some, again)
            passes += 1
        self._learnt = planner.rows
        self.pool.keep(planner.rows, day.problem.horizon)
        return _cut(state, paths), self._proof(state, paths, planner, passes)

    def _expected(self, day: MarketDay, paths: PricePaths) -> SecuredProblem:
        """Return the planner with the rows that the expected path needs."""
        self.pool.enter(self.check.revision)
        problem = replace(day.problem, market=MarketTerms(paths.expected_per_kwh, self.fee_per_kwh))
        planner = SecuredProblem(
            problem, self.check.ports, self.check.revision, self.dispatcher, deadline_s=self.deadline_s
        )
        secure(planner, self.check, pool=self.pool.rows_on(problem.horizon), tolerances=self.tolerances)
        return planner

    def _solved(self, day: MarketDay, paths: PricePaths, planner: SecuredProblem, lost_kw: Floats | None) -> _State:
        """Solve paths under the rows so far and replay them; ``lost_kw`` is what they lost in the replay before."""
        limits = None
        if lost_kw is not None and (paid := self._paid(paths)).any():
            limits = Limits(planner.losses, np.where(paid, lost_kw + LOSS_ROOM_KW, np.inf))
        optima = day.optima(paths, planner.program, f"offers:{self.check.revision}", limits)
        ports = planner.ports_at(optima.x)
        flat = PortPlan(
            self.check.ports, ports.reshape(-1, ports.shape[-1]), np.tile(day.step_h, len(paths)), self.check.revision
        )
        flow = self.check.flow(flat)
        shape = ports.shape[:2]
        rooms = {kind: room.reshape(shape) for kind, room in self.check.rooms(flow).items()}
        unsolved = np.asarray(flow["status"].values != 0).reshape(shape)
        beyond = [rooms[kind] < -limit for kind, limit in self.tolerances.violation.items() if kind in rooms]
        lost = np.nan_to_num(flow["loss_kw"].values).reshape(shape)
        return _State(
            optima, ports, lost, optima.x[:, planner.losses], np.logical_or.reduce([unsolved, *beyond]), rooms
        )

    def _paid(self, paths: PricePaths) -> Flags:
        """Return where a kWh drawn earns money."""
        paid: Flags = paths.energy_per_kwh + self.fee_per_kwh < 0
        return paid

    def _failed(self, state: _State) -> Flags:
        failed: Flags = state.broken | (np.abs(state.lost_kw - state.planned_kw) > self.tolerances.loss_kw)
        return failed

    def _rows(self, state: _State, again: Ints) -> Rows:
        """Return rows around the positions of some paths that break a limit, and tangents of losses that were judged too small."""
        failed = self._failed(state)[again]
        member, step = np.nonzero(failed)
        values = state.ports[again[member], step]
        plan = PortPlan(self.check.ports, values, np.ones(len(values)), self.check.revision)
        report = self.check.check(plan)
        rows = report.balance + report.findings
        kept = (rows.kind == LOSS) | state.broken[again[member], step][rows.step]
        return replace(rows, step=step[rows.step]).select(kept)

    def _proof(self, state: _State, paths: PricePaths, planner: SecuredProblem, passes: int) -> OfferProof:
        worst = {kind: max(-float(room.min()), 0.0) for kind, room in state.rooms.items()}
        return OfferProof(
            paths_hash=paths.digest,
            network_revision=self.check.revision,
            replayed=state.broken.size,
            violated=int(state.broken.sum()),
            worst=worst,
            loss_error_kw=float(np.abs(state.lost_kw - state.planned_kw).max()),
            rows=len(planner.rows),
            passes=passes,
        )

    def replayed(self, day: MarketDay, paths: PricePaths, *, secured: bool) -> float:
        """Return the share of positions that break a limit when paths are solved once, without learning from their replay.

        ``secured``: under all rows that the last proof ended with, which is how far it reaches beyond its own paths.
        """
        problem = replace(day.problem, market=MarketTerms(paths.expected_per_kwh, self.fee_per_kwh))
        planner = SecuredProblem(problem, self.check.ports, self.check.revision, self.dispatcher)
        if secured and len(self._learnt):
            planner.add_rows(self._learnt)
        return float(self._solved(day, paths, planner, None).broken.mean())


def made_offers(
    problem: DispatchProblem,
    paths: PricePaths,
    dispatcher: Dispatcher,
    settings: OfferSettings | None = None,
    *,
    fee_per_kwh: float,
    proven: bool = True,
) -> OfferSet:
    """Return a day's offers, proven on the site's first grid where it has one and ``proven`` asks for it.

    Where capacity is offered too, the plan at expected prices is replayed with a full call from every quarter of every step on.
    """
    grids = problem.site.networks.electricity
    if proven and grids:
        prover = OfferProver(GridCheck(problem.site, grids[0]), dispatcher, fee_per_kwh=fee_per_kwh)
        made = prover.offers(problem, paths, settings)
    else:
        day = MarketDay(problem, fee_per_kwh, dispatcher)
        made = offers_of(day, paths, day.optima(paths), settings)
    if not made.reserve:
        return made
    plan = dispatcher.dispatch(
        replace(problem, market=MarketTerms(paths.expected_per_kwh, fee_per_kwh), demand=None, demand_windows={})
    )
    called = replay_calls(plan, problem.site, stored_of(problem.initial))
    return replace(made, proof=replace(made.proof, calls=called.calls, failed_calls=called.failed))


def _part(paths: PricePaths, members: Ints) -> PricePaths:
    reserve = {k: v[members] for k, v in paths.reserve_per_kw_h.items()}
    return PricePaths(paths.energy_per_kwh[members], paths.expected_per_kwh, reserve)


def _merged(state: _State, some: _State, members: Ints) -> _State:
    """Return all paths, those in ``members`` as they are in ``some``."""

    def put(old: Floats, new: Floats) -> Floats:
        made = old.copy()
        # rows make a program wider: what an older point lacks are the bends of newer rows
        made[members] = new[..., : old.shape[-1]] if old.ndim == 2 else new
        return made

    names = ("bought_kwh", "cost", "beside", "marginal_per_kwh", "stored_per_kwh", "x")
    fields = {n: put(getattr(state.optima, n), getattr(some.optima, n)) for n in names}
    held = {k: put(v, some.optima.held_kw[k]) for k, v in state.optima.held_kw.items()}
    broken = state.broken.copy()
    broken[members] = some.broken
    return _State(
        Optima(**fields, held_kw=held),
        put(state.ports, some.ports),
        put(state.lost_kw, some.lost_kw),
        put(state.planned_kw, some.planned_kw),
        broken,
        {kind: put(room, some.rooms[kind]) for kind, room in state.rooms.items()},
    )


def _cut(state: _State, paths: PricePaths) -> Optima:
    """Return the optima with every position that stays beyond a limit replaced by the accepted one of the nearest price."""
    if not state.broken.any():
        return state.optima
    bought = state.optima.bought_kwh.copy()
    for member, step in np.argwhere(state.broken).tolist():
        sound = np.flatnonzero(~state.broken[:, step])
        if len(sound):
            prices = paths.energy_per_kwh[:, step]
            bought[member, step] = bought[sound[np.abs(prices[sound] - prices[member]).argmin()], step]
    return replace(state.optima, bought_kwh=bought)
