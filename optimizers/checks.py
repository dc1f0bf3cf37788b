"""What is wrong with a dispatch problem before a solver sees it, in words: missing series, contradictory limits, impossible starts."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import xarray as xr

from models.carriers import Carrier
from models.components import Chp, Engine, EvFleet, FlexibleLoad, Store
from models.dispatch import DispatchProblem
from models.errors import ProblemError
from models.findings import Finding, error, errors_in, warning
from models.labelled import plain, rows_of
from models.told import told
from optimizers.check_terms import check_terms

Floats = npt.NDArray[np.float64]
ROUNDING = 1e-3
"""Less than this below zero is rounding of whoever made the series."""
START_TOLERANCE_SHARE = 0.02
"""A start state this far outside a store's limits is measurement error and is moved to the limit."""


def check(problem: DispatchProblem) -> tuple[Finding, ...]:
    """Return every warning about ``problem``.

    Raises
    ------
    ProblemError
        With all findings, if any of them forbids a plan.
    """
    found = tuple(_findings(problem))
    if errors_in(found):
        raise ProblemError(found)
    return found


def _findings(problem: DispatchProblem) -> Iterator[Finding]:
    yield from _check_forecast(problem)
    yield from _check_arrays(problem)
    yield from check_terms(problem)
    for store in problem.site.of_kind(Store):
        yield from _check_store(problem, store)
    for load in problem.site.of_kind(FlexibleLoad):
        yield from _check_start(problem, load.id, -load.shiftable_kwh, load.shiftable_kwh)
    for fleet in problem.site.of_kind(EvFleet):
        yield from _check_start(problem, fleet.id, 0.0, np.inf)
    for engine in problem.site.engines:
        yield from _check_engine(problem, engine)


def _check_forecast(problem: DispatchProblem) -> Iterator[Finding]:
    forecast, horizon = problem.forecast, problem.horizon
    if forecast.horizon.edges != horizon.edges:
        yield error("forecast", f"covers {forecast.horizon.start} to {forecast.horizon.end} in {len(forecast.horizon)} steps; the plan needs "
                    f"{horizon.start} to {horizon.end} in {len(horizon)}. Bring it onto the plan's steps.")  # fmt: skip
    known = rows_of(forecast.values, "series")
    table = plain(forecast.values, "series", "time")
    span = zip(known, table.min(axis=1, initial=0.0), table.max(axis=1, initial=0.0), strict=True)
    fine = {name for name, least, most in span if least >= -ROUNDING and most < np.inf}  # most are, at a glance
    for name in problem.site.series():
        if name not in known:
            yield error(name, "the forecast lacks this series; add it or give the asset another profile")
        if name not in known or name in fine:
            continue
        gaps = np.flatnonzero(~np.isfinite(known[name]))
        if len(gaps):
            yield error(
                name, f"has no value in {len(gaps)} of {len(horizon)} steps, first at step {gaps[0]}; fill the gap"
            )
        low = np.flatnonzero(known[name] < -ROUNDING)
        if len(low) and name.endswith(("_kw", "_pu")):
            yield error(
                name,
                f"falls to {known[name].min():g} in {len(low)} of {len(horizon)} steps, first at step {low[0]}; a demand or yield is "
                "never below 0",
                value=float(known[name].min()),
            )


def _check_arrays(problem: DispatchProblem) -> Iterator[Finding]:
    assets = {a.id for a in problem.site.assets}
    for name in ("losses_kw", "available_share"):
        array: xr.DataArray | None = getattr(problem, name)
        if array is None:
            continue
        if array.sizes.get("time") != len(problem.horizon):
            yield error(name, f"has {array.sizes.get('time')} steps, the horizon has {len(problem.horizon)}")
        dim, known = ("carrier", set(Carrier)) if name == "losses_kw" else ("asset", assets)
        for unknown in (str(v) for v in array[dim].values if str(v) not in known):
            yield error(name, f"the site has no {dim} {unknown}; correct or drop it", unknown)
        if not np.isfinite(array.values).all():
            yield error(name, "holds values that are not numbers")
        elif name == "losses_kw" and (_lost(problem, array) < -ROUNDING).any():
            yield error(name, f"a network never loses less than nothing, but {float(array.values.min()):g} kW is given")
        elif name == "available_share" and ((array.values < 0) | (array.values > 1)).any():
            yield error(name, "a share lies between 0 and 1")


def _lost(problem: DispatchProblem, losses_kw: xr.DataArray) -> Floats:
    """Return what networks lose without those that may give back stored heat, as they do when their supply temperature moves."""
    stores_heat = problem.supply_degc is not None
    rows = rows_of(losses_kw, "carrier").items()
    return np.array([row for c, row in rows if not (stores_heat and c == Carrier.HEAT.value)], dtype=float)


def _check_store(problem: DispatchProblem, store: Store) -> Iterator[Finding]:
    if store.stored_min_share > store.stored_max_share:
        yield error(store.id, f"keeps at least {store.stored_min_kwh:g} kWh but at most {store.stored_max_kwh:g} kWh; swap or correct them",
                    value=store.stored_min_kwh, limit=store.stored_max_kwh)  # fmt: skip
        return
    yield from _check_start(problem, store.id, store.stored_min_kwh, store.stored_max_kwh)
    end = problem.ends.get(store.id)
    if end and not all(np.isfinite(v) for v in (end.target_kwh, end.value_per_kwh, end.short_price_per_kwh)):
        yield error(store.id, "its end target, value and price must be numbers")
    elif end and not store.stored_min_kwh <= end.target_kwh <= store.stored_max_kwh:
        yield warning(store.id, f"shall end with {end.target_kwh:g} kWh, outside its {store.stored_min_kwh:g} to {store.stored_max_kwh:g} kWh; "
                      "it will end as near as it can")  # fmt: skip
    elif end and end.value_per_kwh > end.short_price_per_kwh:
        yield error(store.id, f"a kWh above the end target earns {end.value_per_kwh:g}, one that is missing costs only "
                    f"{end.short_price_per_kwh:g}; raise the latter")  # fmt: skip


def _check_start(problem: DispatchProblem, asset: str, least_kwh: float, most_kwh: float) -> Iterator[Finding]:
    """Check a start state: unknown or far outside is an error, slightly outside a warning."""
    found = np.flatnonzero(problem.initial.stored_kwh["asset"].values == asset)
    if not len(found):
        yield error(asset, "the snapshot does not say how much energy is stored; measure or estimate it")
        return
    start_kwh = float(problem.initial.stored_kwh.values[found[0]])
    room_kwh = START_TOLERANCE_SHARE * (most_kwh - least_kwh if np.isfinite(most_kwh) else 1.0)
    if not np.isfinite(start_kwh):
        yield error(asset, "its stored energy is not a number; measure or estimate it")
    elif start_kwh < least_kwh - room_kwh or start_kwh > most_kwh + room_kwh:
        yield error(asset, f"starts with {start_kwh:g} kWh, outside {least_kwh:g} to {most_kwh:g} kWh; check the measurement or the limits",
                    value=start_kwh)  # fmt: skip
    elif not least_kwh <= start_kwh <= most_kwh:
        pattern = "starts with {start:g} kWh, just outside {least:g} to {most:g} kWh; the limit is used"
        yield warning(
            asset, told("starts_outside", pattern, start=start_kwh, least=least_kwh, most=most_kwh), value=start_kwh
        )


def _check_engine(problem: DispatchProblem, engine: Engine) -> Iterator[Finding]:
    points = engine.part_load if isinstance(engine, Chp) else None
    if points and not len(points.power_kw) == len(points.fuel_kw) == len(points.heat_kw):
        yield error(engine.id, "its part-load map has lists of different lengths")
    elif points and any(b <= a for a, b in zip(points.power_kw, points.power_kw[1:], strict=False)):
        yield error(engine.id, "the powers of its part-load map must rise from the lowest load to the highest")
    state = problem.initial.units.get(engine.id)
    if state and not state.hours_in_state >= 0:
        yield error(engine.id, f"has been in its state for {state.hours_in_state} h; expected 0 or more")
