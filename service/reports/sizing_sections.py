"""What a report shows of a case that asked what to build: the sizes, the payments over the years, as it is against built, and what else was possible."""

from collections.abc import Iterator

import xarray as xr

from scenarios.cases.results import Result
from service.pictures.sizing import front, payments
from service.reports.document import Grid, Section, rows_of


def sizing_sections(run: Result) -> Iterator[Section]:
    """Yield the sections of a sizing; ``run.arrays`` are those of :func:`scenarios.cases.sizing.arrays_of`."""
    data = run.arrays
    yield Section("What is built", _sizes(data))
    yield Section("Payments over the years", payments(data, run.currency))
    yield Section("A mean year's operation, as it is and built", _operation(data, run.currency))
    if "near_least" in data:
        yield Section("What would cost hardly more", _near(data))
    if "front_cost" in data:
        yield Section("From the cheapest to the cleanest", front(data, run.currency))


def _sizes(data: xr.Dataset) -> Grid:
    stages = [f"built in year {s}" for s in data["stage"].to_numpy()]
    rows = [
        (str(option), f"{existing:,.0f}", *(f"{b:,.0f}" for b in built), reason)
        for option, existing, built, reason in zip(
            data["option"].to_numpy(),
            data["existing"].to_numpy(),
            data["built"].to_numpy(),
            data.attrs["reasons"],
            strict=True,
        )
    ]
    return Grid(("option", "there", *stages, "why"), rows_of(rows))


def _operation(data: xr.Dataset, currency: str) -> Grid:
    base, built = data["operation"].to_numpy()
    rows = [
        (str(part), f"{b:,.0f}", f"{n:,.0f}", f"{n - b:+,.0f}")
        for part, b, n in zip(data["part"].to_numpy(), base, built, strict=True)
        if abs(b) + abs(n) > 0
    ]
    rows.append(("sum", f"{base.sum():,.0f}", f"{built.sum():,.0f}", f"{built.sum() - base.sum():+,.0f}"))
    return Grid((f"{currency} a year", "as it is", "built", "change"), rows_of(rows))


def _near(data: xr.Dataset) -> Grid:
    table = zip(data["option"].to_numpy(), data["near_least"].to_numpy(), data["near_most"].to_numpy(), strict=True)
    return Grid(
        ("option", "at least", "at most"), rows_of([(str(o), f"{low:,.0f}", f"{high:,.0f}") for o, low, high in table])
    )
