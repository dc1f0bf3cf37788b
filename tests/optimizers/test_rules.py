"""A rule that cannot be repeated along time is refused, with its name."""

import json
import math

import numpy as np
import pytest

from models.errors import ProblemError
from optimizers.compile.cache import StencilCache, structure_key
from optimizers.compile.rules import At, Before, Formulation, NotTileableError
from optimizers.compile.stencil import Stencil, from_plain, to_plain
from optimizers.compile.template import read
from optimizers.compile.tiling import TimeGrid, tile


def refused(write, *, error=NotTileableError) -> str:
    f = Formulation()
    x = f.column("a", "x", before=Before.GIVEN)
    f.column("a", "once", extent="once")
    f.series("p")

    def say_and_read() -> None:
        write(f, x)
        read(f)

    with pytest.raises(error) as caught:
        say_and_read()
    return str(caught.value)


@pytest.mark.parametrize(
    "rule",
    [
        lambda t: t == 3,
        lambda t: t < 3,
        lambda t: t % 2,
        lambda t: 1 if t else 0,
        lambda t: int(t),
        lambda t: {t: 1},
        lambda t: t + 0.5,
        lambda t: t - True,
        lambda t: [1, 2, 3][t],
    ],
)
def test_a_rule_cannot_ask_which_step_it_is(rule):
    refused(lambda f, x: f.row("a", "r", rule), error=TypeError)


def test_columns_are_indexed_by_the_step_only():
    assert "indexed by the step" in refused(lambda f, x: f.row("a", "r", lambda t: x[5] <= 1), error=TypeError)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda f, x: lambda t: x[t] * x[t - 1] <= 1, "product of two columns"),
        (lambda f, x: lambda t: x[t] <= f.series("p")[t] * f.series("q")[t], "product of two parameters"),
        (lambda f, x: lambda t: x[t] / f.series("p")[t] <= 1, "not linear"),
        (lambda f, x: lambda t: x[t] ** 3 <= 1, "not linear"),
        (lambda f, x: lambda t: x[t - 2] <= 1, "beyond its declared past"),
        (lambda f, x: lambda t: f.columns["a.once"][t - 1] <= 1, "exists per once"),
        (lambda f, x: lambda t: x[t] <= f.scalar("s")[t - 1], "exists per once"),
        (lambda f, x: lambda t: f.series("p")[t] <= 1, "relates no column"),
        (lambda f, x: lambda t: 2 * x[t], "must answer with"),
        (lambda f, x: lambda t: (x[t], x[t], 3), "outer sides"),
    ],
)
def test_shapes_that_cannot_be_tiled_are_named(rule, words):
    message = refused(lambda f, x: f.row("a", "r", rule(f, x)))
    assert message.startswith("a.r")
    assert words in message


def test_a_bound_depends_on_parameters_only():
    assert "a.y upper" in refused(lambda f, x: f.column("a", "y", upper=lambda t: x[t]))


def test_a_sum_keeps_to_its_own_step():
    f = Formulation()
    x = f.column("a", "x", before=Before.ZERO)
    f.total("a", "budget", lambda t: x[t - 1], upper=3.0)
    with pytest.raises(NotTileableError, match=r"a\.budget"):
        tile(read(f), TimeGrid(4))


def test_the_constant_of_a_sum_belongs_into_its_bounds():
    assert "belong into its bounds" in refused(lambda f, x: f.total("a", "budget", lambda t: x[t] + 1, upper=3.0))


def test_a_cyclic_reference_needs_enough_steps():
    f = Formulation()
    x = f.column("a", "x", before=Before.CYCLIC)
    f.row("a", "r", lambda t: x[t] + x[t - 4] <= 1)
    with pytest.raises(NotTileableError, match="4 steps are too few"):
        tile(read(f), TimeGrid(4))
    assert tile(read(f), TimeGrid(5)).row_count == 5


def test_names_are_unique():
    f = Formulation()
    f.column("a", "x")
    with pytest.raises(ValueError, match="declared twice"):
        f.column("a", "x")
    f.series("p")
    with pytest.raises(ValueError, match="per step and is now wanted per once"):
        f.scalar("p")


def test_missing_short_and_broken_parameters_are_all_named_at_once():
    f = Formulation()
    for name in ("missing", "short", "broken", "fine"):
        f.series(name)
    layout = tile(read(f), TimeGrid(3)).layout
    with pytest.raises(ProblemError) as caught:
        layout.vector({"short": [1, 2], "broken": [1, math.nan, 3], "fine": 2.0})
    assert [x.place for x in caught.value.findings] == ["missing", "short", "broken"]


def sample() -> Stencil:
    f = Formulation()
    x = f.column("a", "x", upper=f.series("p"), before=Before.GIVEN, integer=True)
    f.row("a", "r", lambda t: x[t] - f.series("q")[t] * x[t - 1] <= 3 * f.series("p")[t] + 1)
    f.total("a", "sum", lambda t: x[t], upper=f.scalar("cap"))
    f.cost("energy", "a", lambda t: f.series("p")[t] * x[t] + 2, at=At.LAST)
    return read(f)


def test_a_stencil_survives_its_file(tmp_path):
    stencil = sample()
    assert from_plain(json.loads(json.dumps(to_plain(stencil)))) == stencil
    key = structure_key({"assets": ["a"]})
    assert StencilCache(tmp_path).get(key, sample) == stencil

    def never() -> Stencil:
        raise AssertionError("the cached stencil was not used")

    assert StencilCache(tmp_path).get(key, never) == stencil
    (tmp_path / f"{key}.json").write_text("{half a file")
    assert StencilCache(tmp_path).get(key, sample) == stencil


def test_a_folder_that_cannot_be_written_costs_only_speed(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert StencilCache(blocked).get("key", sample) == sample()


def test_structure_keys_differ_with_content():
    assert structure_key({"a": 1}) != structure_key({"a": 2})
    assert structure_key({"a": 1, "b": 2}) == structure_key({"b": 2, "a": 1})


def test_places_follow_from_the_number():
    f = Formulation()
    x = f.column("a", "x", before=Before.GIVEN, history=2)
    y = f.column("b", "y", extent="once")
    f.row("a", "r", lambda t: x[t] + x[t - 1] <= y[t])
    model = tile(read(f), TimeGrid(3))
    assert [model.column_place(i).step for i in range(6)] == [-2, -1, 0, 1, 2, None]
    assert model.column_place(5).asset == "b"
    assert [model.row_place(i).step for i in range(3)] == [0, 1, 2]
    assert model.column("a", "x").steps == slice(2, 5)
    arrays = model.arrays(model.layout.vector({"a.x.before": [7, 8]}))
    assert np.array_equal(arrays.column_lower[:2], [7, 8])
    assert np.array_equal(arrays.column_upper[:2], [7, 8])
