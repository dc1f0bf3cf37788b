"""Dispatch: from a problem to a certified plan, at the solver's speed when the site stays the same."""

import atexit
import functools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.dispatch import DispatchProblem, Plan, SolverReport
from models.errors import InfeasiblePlanError, SolverTimeoutError, UnboundedPlanError
from models.findings import Finding
from models.site import Site
from optimizers.audit import Audit
from optimizers.blocks.book import Block, Book, Facts, Values
from optimizers.certificate import Certificate, certify, optimality_error, require
from optimizers.checks import check
from optimizers.compile.cache import StencilCache, default_folder, structure_key
from optimizers.compile.program import CompiledModel
from optimizers.compile.tiling import TimeGrid, tile
from optimizers.explain import Reason, bent_rows, contradictory_bounds, elastic, firm_rows, reasons
from optimizers.origin import Lineage
from optimizers.plan import Outcome, plan_of
from optimizers.problem import Structure, blocks_of, facts_of, parameters_of, stencil_of, structure_content, write_book
from optimizers.session import Program, Solution, Status
from optimizers.sweep import Sweep, Swept, joined
from optimizers.worker import Answer, Job, SolverProcess

Floats = npt.NDArray[np.float64]
FALLBACK_SHARE = 0.2
FALLBACK_MAX_S = 1.0
"""Time kept back from the deadline for the fall-back, as a share of it and at most."""
DUAL_TOLERANCE = 1e-6
KEPT_STRUCTURES = 16
SHARED_MEMBERS = 16
"""Smaller sweeps are not worth dividing."""


@dataclass(frozen=True)
class Compiled:
    """What all problems of one structure share."""

    key: str
    site: Site
    blocks: Sequence[Block]
    book: Book
    carriers: Sequence[Carrier]
    model: CompiledModel


@dataclass(frozen=True)
class Case:
    """One problem, as numbers."""

    compiled: Compiled
    facts: Facts
    parameters: Values
    program: Program
    cost_weights: Floats


@dataclass(frozen=True, slots=True)
class Solved:
    """An accepted solution: the point with its duals, what is proven, and how it came about."""

    point: Solution
    bound: float
    status: str
    message: str = ""


EXPLAINED = 4
"""So many of the last plans can be explained: one that was adopted while the next ones are being made among them."""


class Dispatcher:
    """Plans the same site again and again: programs stay compiled, models stay loaded in the solver's process."""

    def __init__(self, *, cache_folder: Path | None = None) -> None:
        self._process = SolverProcess()
        self._second: SolverProcess | None = None
        self._starting: threading.Thread | None = None
        self._stencils = StencilCache(cache_folder or default_folder())
        self._compiled: dict[tuple[int, Structure, int], Compiled] = {}
        self._lately: dict[str, Outcome] = {}
        self._commitments: dict[str, tuple[Floats, Floats]] = {}
        self._lineage = Lineage()
        self._generation = 0
        self.audit = Audit()

    def dispatch(self, problem: DispatchProblem, *, deadline_s: float = 30.0) -> Plan:
        """Return the cheapest plan that can be found and certified within ``deadline_s`` seconds.

        When time is up before the allowed gap is reached, the best plan found is returned with status ``deadline``; without
        one, the last commitments are kept and the rest is optimised, with status ``fallback``. Both say so in words.

        Raises
        ------
        ProblemError
            If the problem contradicts itself; carries every finding.
        InfeasiblePlanError, UnboundedPlanError
            If there is no plan, or no cheapest one.
        SolverTimeoutError, SolverCrashError
            If the solver's process did not answer in time or died; the next call starts a new one.
        CertificateError
            If the answer fails the independent recheck, also after solving anew.
        """
        begin_s = time.perf_counter()
        findings = check(problem)
        case = self.case(problem)
        built_s = time.perf_counter()
        solved = self._solve(case, deadline_s)
        certificate = self._certified(case, solved)
        report = SolverReport(
            status=solved.status,
            objective=certificate.objective,
            bound=solved.bound,
            gap_share=max(certificate.objective - solved.bound, 0.0) / max(abs(certificate.objective), 1.0),
            build_s=built_s - begin_s,
            solve_s=time.perf_counter() - built_s,
            message=solved.message,
            certified=certificate.sound,
        )
        outcome = _outcome(case, solved.point)
        plan = plan_of(outcome, report, findings)
        self.adopt(case, plan, outcome)
        return plan

    def adopt(self, case: Case, plan: Plan, outcome: Outcome) -> None:
        """Keep a plan made from one of this dispatcher's cases: its decisions for the next fall-back, itself for :meth:`why`."""
        start_h = case.facts.problem.horizon.start.timestamp() / 3600.0
        self._commitments[case.compiled.key] = (start_h + case.facts.start_h, outcome.x)
        kept = list(self._lately.items())[1 - EXPLAINED :]
        self._lately = {**dict(kept), plan.id: outcome}  # at once: others ask from their own threads

    def why(self, plan: Plan, asset: str, step: int) -> tuple[Reason, ...]:
        """Return what holds ``asset`` where it is at ``step`` of ``plan``; empty unless it is one of the last plans made."""
        outcome = self._lately.get(plan.id)
        return () if outcome is None else reasons(outcome, asset, step, outcome.facts.problem.site.currency)

    @property
    def process(self) -> SolverProcess:
        """The solver's process, for whoever solves variations of this dispatcher's cases."""
        return self._process

    def answer(self, job: Job, *, deadline_s: float) -> Answer:
        """Solve and recheck; an answer that fails its recheck, or a cold audit, is replaced by one from nothing."""
        found = self._process.solve(job, deadline_s=deadline_s)
        suspect = not is_sound(job.program, found)
        if not suspect and not self.audit.due():
            return found
        cold = self._process.solve(replace(job, fresh=True), deadline_s=deadline_s)
        return cold if suspect or not self.audit.agrees(found, cold, job.gap_share) else found

    def sweep(self, sweep: Sweep, *, deadline_s: float) -> Swept:
        """Solve every member of a sweep, rechecked; a second process, started beside the first sweep, takes half of the later ones.

        Raises as :meth:`optimizers.worker.SolverProcess.sweep`.
        """
        if self._second is None:
            self._second = SolverProcess()
            self._starting = threading.Thread(target=self._second.start, daemon=True)
            self._starting.start()
        starting = self._starting is not None and self._starting.is_alive()
        if starting or len(sweep) < SHARED_MEMBERS:
            return self._process.sweep(sweep, deadline_s=deadline_s)
        half = len(sweep) // 2
        with ThreadPoolExecutor(1) as other:
            later = other.submit(self._second.sweep, sweep.part(slice(half, None)), deadline_s=deadline_s)
            first = self._process.sweep(sweep.part(slice(0, half)), deadline_s=deadline_s)
            return joined([first, later.result()])

    def close(self) -> None:
        """End the solver's processes."""
        self._process.close()
        if self._second is not None:
            self._second.close()
            self._second = None

    def forget(self) -> None:
        """Go on as if nothing had been solved before: plans then depend on their problem alone, not on what came before it."""
        self._generation += 1  # the live models of other keys are found by nobody any more
        self._lineage, self.audit = Lineage(), Audit(self.audit.every)
        self._commitments.clear()

    def case(self, problem: DispatchProblem) -> Case:
        """Return a checked problem as numbers, compiling its structure when it is new."""
        compiled = self._structure(problem)
        facts = facts_of(problem)
        parameters = parameters_of(facts, compiled.blocks, compiled.carriers)
        vector = compiled.model.layout.vector(parameters)
        program = program_of(compiled.model, vector)
        relaxed = replace(program, integrality=_integrality(compiled.model, facts))
        return Case(compiled, facts, parameters, relaxed, compiled.model.cost_terms.at(vector))

    def _structure(self, problem: DispatchProblem) -> Compiled:
        structure = Structure.of(problem)
        quick = id(problem.site), structure, len(problem.horizon)
        known = self._compiled.get(quick)
        if known is None or known.site is not problem.site:
            known = self._compile(problem.site, structure, len(problem.horizon))
            self._compiled[quick] = known
        while len(self._compiled) > KEPT_STRUCTURES:
            self._compiled.pop(next(iter(self._compiled)))
        return known

    def _compile(self, site: Site, structure: Structure, steps: int) -> Compiled:
        """Compile a structure; a site that was merely loaded again finds the program of its equal."""
        key = structure_key(structure_content(site, structure))
        blocks = blocks_of(site, structure)
        book = write_book(blocks, structure.carriers)
        model = next((c.model for c in self._compiled.values() if c.key == f"{key}:{steps}"), None)
        if model is None:
            model = tile(self._stencils.get(key, lambda: stencil_of(site, structure)), TimeGrid(steps))
        return Compiled(f"{key}:{steps}", site, blocks, book, structure.carriers, model)

    def _solve(self, case: Case, deadline_s: float) -> Solved:
        """Solve, and say what became of it: a point, an impossibility in words, or a fall-back."""
        crossed = contradictory_bounds(case.program, case.compiled.model, case.facts.problem.horizon)
        if crossed:
            raise _impossible(crossed)
        reserve_s = min(FALLBACK_SHARE * deadline_s, FALLBACK_MAX_S)
        key, problem = f"{self._generation}/{case.compiled.key}", case.facts.problem
        origin = self._lineage.origin(key, case.compiled.model, problem.horizon)
        job = Job(key, case.program, gap_share=problem.gap_share, origin=origin)
        try:
            answer = self.answer(job, deadline_s=deadline_s - reserve_s)
        except SolverTimeoutError as late:
            return self._fall_back(case, reserve_s, str(late))
        status = answer.solution.status
        if status is Status.INFEASIBLE:
            raise _impossible(self._contradictions(case, reserve_s))
        if status is Status.UNBOUNDED:
            raise UnboundedPlanError("the cost can fall without end; a price or a limit is missing")
        if answer.solution.x is None:
            return self._fall_back(case, reserve_s, f"no plan found within {deadline_s - reserve_s:g} s")
        return _accepted(answer, case.facts.problem.gap_share)

    def _fall_back(self, case: Case, reserve_s: float, why: str) -> Solved:
        """Keep the last commitments and optimise the rest as a linear program; without any, relax them."""
        for words, program in _fall_backs(case, self._commitments.get(case.compiled.key)):
            answer = self._process.solve(Job(f"{case.compiled.key}:fallback", program), deadline_s=max(reserve_s, 1.0))
            if answer.priced is not None:
                return Solved(answer.priced, float("-inf"), "fallback", f"{why}; {words}")
        raise SolverTimeoutError(f"{why}, and the fall-back found no plan either")

    def _contradictions(self, case: Case, reserve_s: float) -> tuple[Finding, ...]:
        """Return the rows that have to bend, found by one more solve in which all of them may."""
        program = elastic(case.program, firm_rows(case.compiled.model))
        job = Job(f"{case.compiled.key}:elastic", program, fresh=True)
        bent = self._process.solve(job, deadline_s=max(reserve_s, 1.0)).solution.x
        if bent is None:
            return ()
        return bent_rows(case.program, bent, case.compiled.model, case.facts.problem.horizon)

    def _certified(self, case: Case, solved: Solved) -> Certificate:
        """Recheck the accepted point; a fall-back is checked without the integrality it gave up."""
        program = case.program.relaxed() if solved.status == "fallback" else case.program
        certificate = certify(program, solved.point)
        require(certificate, f"plan from {case.facts.problem.horizon.start:%Y-%m-%d %H:%M} UTC")
        return certificate


def _impossible(found: Sequence[Finding]) -> InfeasiblePlanError:
    """Return the error that says what contradicts what."""
    words = "; ".join(str(f) for f in found[:3]) or "the contradiction could not be narrowed down in time"
    return InfeasiblePlanError(f"no plan keeps every limit of the problem: {words}", found)


def _accepted(answer: Answer, gap_share: float) -> Solved:
    """Return the point with duals where there is one; it has the same integers and is exact in the rest."""
    found = answer.solution
    point = answer.priced or found
    bound = min(max(found.bound, answer.relaxed.objective), point.objective)
    gap = (point.objective - bound) / max(abs(point.objective), 1.0)
    if found.status is Status.TIMEOUT:
        words = f"stopped after {found.seconds:.1f} s, {gap:.2%} from the proven bound (allowed {gap_share:.2%})"
        return Solved(point, bound, "deadline", words)
    return Solved(point, bound, "gap" if gap > DUAL_TOLERANCE else "optimal")


def is_sound(program: Program, answer: Answer) -> bool:
    """Return whether an answer passes the recheck: the relaxation by its duals, the point by rows, bounds and its duals."""
    if answer.solution.x is None:
        return True
    integers = program.integers
    point = answer.priced or answer.solution
    if not certify(program, point).sound:
        return False
    if answer.relaxed.status is Status.OPTIMAL and optimality_error(program.relaxed(), answer.relaxed) > DUAL_TOLERANCE:
        return False
    if answer.priced is None or answer.priced.x is None:
        return True
    return (
        optimality_error(program.fixed(integers, np.round(answer.priced.x[integers])), answer.priced) <= DUAL_TOLERANCE
    )


def program_of(model: CompiledModel, vector: Floats) -> Program:
    """Return a compiled model's numbers for one parameter vector."""
    arrays = model.arrays(vector)
    return Program(
        row_ptr=model.row_ptr,
        column_index=model.column_index,
        coefficients=arrays.coefficients,
        column_lower=arrays.column_lower,
        column_upper=arrays.column_upper,
        row_lower=arrays.row_lower,
        row_upper=arrays.row_upper,
        cost=arrays.cost,
        offset=arrays.offset,
        integrality=model.integrality,
    )


def _integrality(model: CompiledModel, facts: Facts) -> npt.NDArray[np.uint8]:
    """Return which columns are integer: those of steps that start within ``integer_h``."""
    limit_h = facts.problem.integer_h
    if limit_h is None:
        return model.integrality
    found = model.integrality.copy()
    for family in model.columns:
        if family.stepwise and found[family.span].any():
            found[family.steps] &= (facts.start_h < limit_h - 1e-9).astype(np.uint8)
    return found


def _fall_backs(case: Case, last: tuple[Floats, Floats] | None) -> list[tuple[str, Program]]:
    """Return linear programs to try: integers as in the last plan at the same instants, then integers relaxed."""
    relaxed = case.program.relaxed()
    found = [("yes-or-no decisions are relaxed", relaxed)]
    if last is not None:
        found.insert(0, ("the last commitments are kept", _as_before(case, relaxed, last)))
    return found


def _as_before(case: Case, relaxed: Program, last: tuple[Floats, Floats]) -> Program:
    """Fix every integer column at the last plan's value of the same instant, within its present bounds."""
    hours, x = last
    now_h = case.facts.problem.horizon.start.timestamp() / 3600.0 + case.facts.start_h
    then = np.clip(np.searchsorted(hours, now_h + 1e-6, side="right") - 1, 0, len(hours) - 1)
    lower, upper = relaxed.column_lower.copy(), relaxed.column_upper.copy()
    for family in case.compiled.model.columns:
        steps = family.steps
        if case.program.integrality[steps].any():
            value = np.clip(np.round(x[steps][then]), lower[steps], upper[steps])
            lower[steps] = upper[steps] = value
    return replace(relaxed, column_lower=lower, column_upper=upper)


def _outcome(case: Case, point: Solution) -> Outcome:
    assert point.x is not None  # noqa: S101 - certified before
    compiled = case.compiled
    return Outcome(
        facts=case.facts,
        book=compiled.book,
        blocks=compiled.blocks,
        carriers=compiled.carriers,
        model=compiled.model,
        parameters=case.parameters,
        cost_weights=case.cost_weights,
        program=case.program,
        x=point.x,
        row_dual=point.row_dual,
    )


@functools.cache
def _shared() -> Dispatcher:
    """Return the dispatcher of this process, ended with it."""
    made = Dispatcher()
    atexit.register(made.close)
    return made


def dispatch(problem: DispatchProblem, *, deadline_s: float = 30.0) -> Plan:
    """Return the cheapest certified plan for ``problem``; see :meth:`Dispatcher.dispatch`."""
    return _shared().dispatch(problem, deadline_s=deadline_s)
