"""A template has no length: what problems of N and of N + 3 steps are read into is one stencil, and tiles to one program."""

from dataclasses import astuple

import numpy as np
import pytest

from models.dispatch import DemandTerms
from optimizers.compile.tiling import TimeGrid, tile
from optimizers.problem import Structure, blocks_of, facts_of, parameters_of, stencil_of
from tests.optimizers.problems import battery, consumer, engine, gas, grid, hours, problem_of, site_of

BLOCKS = [{"adder_per_kwh": 0.0, "up_to_kwh": 300}, {"adder_per_kwh": 0.2}]


def problem(steps, site):
    load = 90.0 + 10.0 * (np.arange(steps) % 4)
    return problem_of(site, hours(steps), {"mill_electricity_kw": load}, demand=DemandTerms(9.0, 60.0))


@pytest.fixture(scope="module")
def site():
    units = [grid(), gas(), engine(min_up_h=2, min_down_h=2), battery(), consumer("electricity")]
    return site_of(units, prices={"blocks": BLOCKS})


@pytest.mark.parametrize("steps", [6, 9, 24])
def test_templates_of_n_and_n_plus_three_steps_tile_to_the_same_program(site, steps):
    asked = problem(2 * steps, site)
    facts, found = facts_of(asked), []
    for length in (steps, steps + 3):
        structure = Structure.of(problem(length, site))
        model = tile(stencil_of(site, structure), TimeGrid(len(asked.horizon)))
        vector = model.layout.vector(parameters_of(facts, blocks_of(site, structure), structure.carriers))
        arrays = model.arrays(vector)
        found.append((model.row_ptr, model.column_index, model.integrality, *astuple(arrays)))
    assert found[0][0].size > 10 * steps
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)
