"""Long searches tell how far they have come, and end with the best found so far when somebody asks."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from optimizers.session import Status
from optimizers.worker import Job, SolverProcess
from tests.optimizers.problems import START, battery, consumer, engine, gas, grid, hours, problem_of, site_of

BOILER = {"id": "boiler", "kind": "gas_boiler", "ports": ["heat", "gas"], "heat_max_kw": 900, "efficiency": 0.9}


@pytest.fixture(scope="module")
def hard(dispatcher):
    """A program whose proof takes long: many engines of slightly different size over two days."""
    points = [
        {"power_kw": [50 + k, 100 + 3 * k], "fuel_kw": [150 + k, 260 + 5 * k], "heat_kw": [60, 110]} for k in range(8)
    ]
    engines = [
        engine(f"chp{k}", part_load=p, min_up_h=3, min_down_h=3, start_cost=10 + k) for k, p in enumerate(points)
    ]
    plant = site_of([grid(import_max_kw=300), gas(), *engines, BOILER, battery(), consumer("electricity", "heat")])
    rng = np.random.default_rng(3)
    series = {"mill_electricity_kw": 300 + 250 * rng.random(48), "mill_heat_kw": 300 + 300 * rng.random(48)}
    return dispatcher.case(problem_of(plant, hours(48, START), series, gap_share=0.0)).program


def test_a_search_tells_its_gap_and_stops_with_the_best_so_far(hard):
    process, told = SolverProcess(), []

    def watch(progress):
        told.append(progress)
        if np.isfinite(progress.objective):
            process.cancel()

    process.watch = watch
    try:
        answer = process.solve(Job("hard", hard, gap_share=0.0), deadline_s=60.0)
        assert told
        assert answer.solution.status is Status.TIMEOUT
        assert answer.solution.x is not None
        assert answer.solution.bound <= answer.solution.objective
        gaps = [p.gap_share for p in told if np.isfinite(p.gap_share)]
        assert gaps == sorted(gaps, reverse=True)
        process.cancel()  # nothing runs: the next search is not disturbed
        again = process.solve(Job("hard", replace(hard, integrality=np.zeros_like(hard.integrality))), deadline_s=60.0)
        assert again.solution.status is Status.OPTIMAL
    finally:
        process.close()


def test_nobody_watching_means_nothing_is_told(hard):
    process = SolverProcess()
    threading.Timer(0.0, process.cancel).start()
    try:
        relaxed = replace(hard, integrality=np.zeros_like(hard.integrality))
        assert process.solve(Job("soft", relaxed), deadline_s=60.0).solution.status is Status.OPTIMAL
    finally:
        process.close()
