"""Tiled programs are the programs Pyomo itself writes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

from optimizers.compile.ordinary import pyomo_model
from optimizers.compile.rules import At, Before, Formulation
from optimizers.compile.template import read
from optimizers.compile.tiling import TimeGrid, tile


def hub(shape: dict[str, Any]) -> Formulation:
    """A small hub that uses every kind of reference; ``shape`` switches its parts."""
    f = Formulation()
    step_h, price, demand = f.series("step_h"), f.series("price"), f.series("demand")
    keep, ceiling, peak_price = f.series("keep"), f.series("ceiling"), f.series("peak_price", "month")
    buy = f.column("grid", "import_kw", upper=ceiling)
    charge = f.column("store", "charge_kw", upper=50.0)
    discharge = f.column("store", "discharge_kw", upper=50.0)
    stored = f.column("store", "stored_kwh", upper=200.0, before=shape["store"], history=1)
    on = f.column("engine", "on", upper=1.0, integer=True, before=Before.GIVEN)
    start = f.column("engine", "start", before=Before.ZERO)
    power = f.column("engine", "power_kw", before=shape["ramp"])
    peak = f.column("grid", "peak_kw", lower=f.scalar("floor"), extent="month")
    excess = f.column("site", "excess", extent="once")
    masks = [f.series(f"mask{k}") for k in range(shape["window"])]
    f.row("site", "balance", lambda t: buy[t] + discharge[t] - charge[t] + power[t] == demand[t])
    f.row(
        "store",
        "stored",
        lambda t: stored[t] == stored[t - 1] * keep[t] + (0.9 * charge[t] - discharge[t] / 0.9) * step_h[t],
    )
    f.row("engine", "starts", lambda t: start[t] >= on[t] - on[t - 1])
    f.row("engine", "maximum", lambda t: power[t] <= 100 * on[t])
    f.row("engine", "ramp", lambda t: (-30 * step_h[t], power[t] - power[t - 2], 30 * step_h[t]))
    f.row("engine", "min_up", lambda t: sum(m[t] * start[t - k] for k, m in enumerate(masks)) <= on[t])
    f.row("grid", "peak", lambda t: buy[t] <= peak[t] + 1 - price[t])
    f.row("store", "end", lambda t: stored[t] >= 20 + demand[t], at=At.LAST)
    f.total("site", "budget", lambda t: buy[t] * step_h[t], upper=f.scalar("cap"), plus=lambda t: -1 * excess[t])
    f.total("grid", "month", lambda t: buy[t] * price[t], group="month", upper=900.0)
    f.cost("energy", "grid", lambda t: price[t] * buy[t] + 0.5 * price[t])
    f.cost("demand", "grid", lambda t: peak_price[t] * peak[t], at=At.FIRST)
    f.cost("start", "engine", lambda t: 25 * start[t] + 3)
    return f


def values(f: Formulation, grid: TimeGrid, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    found = {n: rng.uniform(0.1, 2.0, grid.size(s.extent)) for n, s in f.parameters.items()}
    past = {f"{c.name}.before": rng.uniform(0, 1, c.history) for c in f.columns.values() if c.history}
    return (
        found | past | {n: rng.integers(0, 2, grid.steps).astype(float) for n in f.parameters if n.startswith("mask")}
    )


def written_out(f: Formulation, grid: TimeGrid, numbers: dict[str, Any]) -> dict[str, np.ndarray]:
    """Pyomo's own standard form, with columns and rows brought into the order of the tiled program."""
    model = pyomo_model(f, grid, numbers)
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=None)
    order = [v for c in f.columns.values() for v in getattr(model, f"{c.asset}_{c.quantity}").values()]
    place = {id(v): i for i, v in enumerate(order)}
    matrix = np.zeros((form.A.shape[0], len(order)))
    matrix[:, [place[id(v)] for v in form.columns]] = form.A.toarray()
    cost = np.zeros(len(order))
    cost[[place[id(v)] for v in form.columns]] = form.c.toarray()[0]
    lower, upper = np.full(matrix.shape[0], -np.inf), np.full(matrix.shape[0], np.inf)
    keys = []
    for i, ((row, kind), side) in enumerate(zip(form.rows, form.rhs, strict=True)):
        keys.append(row.index())
        lower[i] = side if kind in (-1, 0) else -np.inf
        upper[i] = side if kind in (1, 0) else np.inf
    bounds = [(v.lb if v.lb is not None else -np.inf, v.ub if v.ub is not None else np.inf) for v in order]
    return {
        "A": matrix,
        "lower": lower,
        "upper": upper,
        "c": cost,
        "keys": keys,
        "bounds": np.array(bounds),
        "offset": form.c_offset[0],
    }


def upright(row: np.ndarray, lower: float, upper: float) -> tuple[np.ndarray, float, float]:
    """The same row with its first coefficient positive."""
    return (row, lower, upper) if row[np.flatnonzero(row)[0]] > 0 else (-row, -upper, -lower)


def merged(form: dict[str, Any], f: Formulation) -> dict[Any, Any]:
    """One entry (row, lower, upper) per row name and step; ranges come out of Pyomo as two rows."""
    out: dict[Any, Any] = {}
    for key, row, lo, up in zip(form["keys"], form["A"], form["lower"], form["upper"], strict=True):
        _, a, b = out.get(key, (row, -np.inf, np.inf))
        out[key] = (row, max(a, lo), min(b, up))
    return out


@settings(deadline=None, max_examples=40)
@given(
    steps=st.integers(4, 30),
    months=st.integers(1, 3),
    store=st.sampled_from([Before.GIVEN, Before.CYCLIC, Before.ZERO, Before.SKIP]),
    ramp=st.sampled_from([Before.SKIP, Before.CYCLIC, Before.ZERO]),
    window=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_tiled_program_is_pyomos_standard_form(steps, months, store, ramp, window, seed):
    f = hub({"store": store, "ramp": ramp, "window": window})
    grid = TimeGrid(steps, {"month": np.arange(steps) * months // steps})
    numbers = values(f, grid, seed)
    model = tile(read(f), grid)
    arrays = model.arrays(model.layout.vector(numbers))
    matrix = model.matrix(arrays).toarray()
    expected = written_out(f, grid, numbers)
    rows = merged(expected, f)
    assert len(rows) == model.row_count
    for i in range(model.row_count):
        place = model.row_place(i)
        key = (
            f"{place.asset}.{place.quantity}",
            place.step if place.step is not None else i - model.row(place.asset, place.quantity).start,
        )
        row, lower, upper = rows[key]
        mine = upright(matrix[i], arrays.row_lower[i], arrays.row_upper[i])
        for got, wanted in zip(mine, upright(row, lower, upper), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.stack([arrays.column_lower, arrays.column_upper], 1), expected["bounds"], rtol=1e-12)
    np.testing.assert_allclose(arrays.cost, expected["c"], atol=1e-12)
    assert arrays.offset == pytest.approx(expected["offset"])
