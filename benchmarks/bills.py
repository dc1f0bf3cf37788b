"""Bills for masses of customers: a year of quarter-hours each, from memory, beside a plain loop and beside PySAM."""

import resource
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.measure import measure
from benchmarks.peers import Peer
from benchmarks.registry import Bench, case
from benchmarks.rows import Row, ratio_at_least, ratio_at_most, value_at_most

if TYPE_CHECKING:
    from models.tariffs.compile import Compiled

QUARTERS_OF_A_YEAR = 35_040
LIMITS_WH = (500_000, 1_500_000)
PRICES_MICRO = (350_000, 700_000, 1_050_000, 1_250_000)
STEP_MICRO = 100_000
DEMAND_MICRO = 36_000_000


@case("market", "bills of a year", size=10_000, quick_size=100, packages=("numba", "numpy"))
def bills(bench: Bench) -> Iterable[Row]:
    """Time a billing run (four periods, three tiers, demand, twelve months); per customer beside a plain loop; memory per interval."""
    from models.tariffs.bill import bill
    from models.tariffs.charges import Meters

    compiled, wh = _compiled(), _readings(bench.size)
    expected = _plain_year(compiled, wh[0].tolist())
    found = bill(compiled, Meters(wh))
    assert found.total_micro[0].tolist() == expected, "the plain loop and the kernel disagree"
    seconds = measure(lambda: bill(compiled, Meters(wh)), repeats=bench.repeats)
    yield bench.figure(seconds, "s", target=value_at_most(1.0))
    one = wh[0].tolist()
    plain = measure(lambda: _plain_year(compiled, one), repeats=bench.repeats)
    per_customer = f"{bench.phase}, one customer beside a plain loop"
    each, target = seconds / bench.size * 1e6, None if bench.quick else ratio_at_most(1 / 200)
    yield bench.figure(each, "µs", reference=plain * 1e6, target=target, phase=per_customer)
    if not bench.quick:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / wh.size
        yield bench.figure(peak, "B", target=value_at_most(8.0), phase=f"{bench.phase}, memory per interval")


@case("market", "bill of one customer", size=1_000, quick_size=50, packages=("numba", "numpy"))
def beside_pysam(bench: Bench) -> Iterable[Row]:
    """Bill customers with the same year, tiers and demand as PySAM bills one; per customer, and the same amount to a cent a month."""
    from models.tariffs.bill import bill
    from models.tariffs.charges import Meters

    compiled, wh = _compiled(), _readings(bench.size)
    seconds = measure(lambda: bill(compiled, Meters(wh)), repeats=bench.repeats)
    total = int(bill(compiled, Meters(wh[:1])).total_micro.sum()) / 1e6
    hours = [0] * 7 + [1] * 3 + [2] * 2 + [1] * 6 + [3] * 2 + [2] * 3 + [0]
    asked = {
        "periods": [hours] * 12,
        "prices": [[(p + k * STEP_MICRO) / 1e6 for k in range(3)] for p in PRICES_MICRO],
        "limits": [*(w / 1e3 for w in LIMITS_WH), 1e38],
        "demand": DEMAND_MICRO / 1e6,
    }
    with Peer("trading") as peer:
        found = peer.ask("pysam", load_kw=(wh[0] / 250).tolist(), **asked)["result"]
        theirs = sorted(peer.ask("pysam", load_kw=None, **asked)["seconds"] for _ in range(bench.repeats))
    each = seconds / bench.size
    target = None if bench.quick else ratio_at_least(200)
    yield bench.figure(
        1e6 * theirs[len(theirs) // 2], "µs", reference=1e6 * each, target=target, phase="bill of a year, PySAM / ours"
    )
    yield bench.figure(
        abs(found - total), "CNY", target=value_at_most(0.12), phase="bill of a year, difference to PySAM"
    )


@case("market", "tariff laid over a year", size=1, quick_size=1, packages=("numpy", "pandas"))
def laid_out(bench: Bench) -> Row:
    """Time what is done once per tariff: calendars, segments and cells over a year."""
    return bench.time(_compiled)


def _readings(customers: int) -> npt.NDArray[np.int32]:
    """Return synthetic readings in Wh, 0.1 to 4.1 kW with a daily shape; int32, as they are kept for a billing run."""
    rng, day = np.random.default_rng(8), 250 + 250 * np.sin(np.arange(QUARTERS_OF_A_YEAR) * 2 * np.pi / 96)
    wh = np.empty((customers, QUARTERS_OF_A_YEAR), dtype=np.int32)
    for row in wh:
        row[:] = day + rng.integers(25, 525, QUARTERS_OF_A_YEAR, dtype=np.int32)
    return wh


def _compiled() -> "Compiled":
    from models.tariffs.calendar import Calendar, Intervals, from_windows
    from models.tariffs.compile import compile_tariff
    from models.tariffs.components import Component, Demand, Energy, Tier
    from models.tariffs.tariff import Tariff, Version
    from models.tariffs.time_of_use import Window

    slots = ((0, 7, 0), (7, 10, 1), (10, 12, 2), (12, 18, 1), (18, 20, 3), (20, 23, 2), (23, 24, 0))
    schedule = from_windows([(p, Window(start_h=a, end_h=b)) for a, b, p in slots])
    limits = (*LIMITS_WH, None)
    tiers = {p: tuple(Tier(m + k * STEP_MICRO, w) for k, w in enumerate(limits)) for p, m in enumerate(PRICES_MICRO)}
    parts: tuple[Component, ...] = (Energy("energy", tiers, schedule), Demand("demand", {0: (Tier(DEMAND_MICRO),)}))
    tariff = Tariff("bench", "CNY", Calendar("Asia/Shanghai"), (Version("1", date(2020, 1, 1), parts),))
    return compile_tariff(tariff, Intervals(datetime(2024, 12, 31, 16, tzinfo=UTC), QUARTERS_OF_A_YEAR, 15))


def _plain_year(compiled: "Compiled", readings: Sequence[int]) -> list[int]:
    """Bill one customer interval by interval, as a program without arrays would; the months' totals in micro-units."""
    period_of_hour = (0,) * 7 + (1,) * 3 + (2,) * 2 + (1,) * 6 + (3,) * 2 + (2,) * 3 + (0,)
    energy = [[0] * 4 for _ in range(12)]
    peak = [0] * 12
    at, quarter = compiled.intervals.start + timedelta(hours=8), timedelta(minutes=15)
    for wh in readings:
        month = at.month - 1
        energy[month][period_of_hour[at.hour]] += wh
        peak[month] = max(peak[month], wh)
        at += quarter
    return [_month(e, p) for e, p in zip(energy, peak, strict=True)]


def _month(energy: list[int], peak: int) -> int:
    total, amount = sum(energy), _cents(peak * 4 * DEMAND_MICRO)
    for period, wh in enumerate(energy):
        before = 0
        for k, cap in enumerate((*LIMITS_WH, total)):
            below = wh if total <= cap else wh * cap // total
            amount += _cents((below - before) * (PRICES_MICRO[period] + k * STEP_MICRO))
            before = below
    return amount


def _cents(numerator: int) -> int:
    """Round thousandths of micro-units to whole cents, halves up."""
    return (2 * numerator + 10_000_000) // 20_000_000 * 10_000
