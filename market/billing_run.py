"""Billing runs: the bills of a month for many customers at once, from what their meters had delivered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from market.billing import Cycle, Prepared, SupplyContract, first_day, shifted
from market.meters import MeterBook, MeterView
from models.errors import DataError
from models.findings import Finding
from models.tariffs.bill import Charges, bill
from models.tariffs.calendar import Intervals
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff
from models.tariffs.components import Demand, Energy, HoursUse, NetMetering
from models.tariffs.tariff import Tariff

Progress = Callable[[int, int], None]
Ints = npt.NDArray[np.int64]
BATCH = 1_000


def cycle_intervals(tariff: Tariff, cycle: Cycle, minutes: int, since: Cycle | None = None) -> Intervals:
    """Return the meter intervals of a local calendar month, from the earlier month ``since`` on where it is given.

    A month with a clock change has an hour more or less.
    """
    first, after = (tariff.calendar.midnight(first_day(c)) for c in (since or cycle, shifted(cycle, 1)))
    return Intervals(first, int((after - first).total_seconds()) // (60 * minutes), minutes)


def history_since(tariff: Tariff, cycle: Cycle) -> Cycle:
    """Return the first month whose readings bear on a month's bill: by look-backs of demand, and by credits since January."""
    version = tariff.on(first_day(cycle))
    back = 0
    for c in version.components if version is not None else ():
        if isinstance(c, NetMetering):
            back = max(back, cycle[1] - 1)
        if isinstance(c, Energy | HoursUse):
            back = max(back, c.demand.lookback_months)
        if isinstance(c, Demand):
            back = max(back, c.rule.lookback_months)
    return shifted(cycle, -back)


def prepare(
    contracts: Sequence[SupplyContract],
    book: MeterBook,
    cycle: Cycle,
    as_of: datetime,
    *,
    index_micro: Mapping[str, Ints] | None = None,
    progress: Progress | None = None,
) -> tuple[list[Prepared], list[Finding]]:
    """Return the bills of a cycle on the readings known at ``as_of``, and why the others could not be made.

    A contract whose readings or tariff have errors is left out with its findings; nobody else waits for it. Customers of one tariff are
    billed together, at most 1,000 at a time; ``progress(done, all)`` is called after each batch. ``index_micro`` has the prices of every
    index on the cycle's own intervals.
    """
    made: list[Prepared] = []
    wrong: list[Finding] = []
    done = 0
    for since, group in _batches(contracts, book, cycle):
        found = _group(group, book, cycle, since, as_of, index_micro or {})
        made += found[0]
        wrong += found[1]
        done += len(group)
        if progress is not None:
            progress(done, len(contracts))
    return made, wrong


def _batches(
    contracts: Iterable[SupplyContract], book: MeterBook, cycle: Cycle
) -> list[tuple[Cycle, list[SupplyContract]]]:
    """Return contracts of one tariff, one length of history and the same registers together."""
    groups: dict[tuple[int, Cycle, tuple[bool, ...]], list[SupplyContract]] = {}
    for c in contracts:
        key = id(c.tariff), _since(c, book, cycle), tuple(m is not None for m in c.meters)
        groups.setdefault(key, []).append(c)
    return [(key[1], g[k : k + BATCH]) for key, g in groups.items() for k in range(0, len(g), BATCH)]


def _since(contract: SupplyContract, book: MeterBook, cycle: Cycle) -> Cycle:
    """Return the first month of history that a bill needs and that both the meter and the tariff have whole."""
    since, start, tariff = history_since(contract.tariff, cycle), book.start(contract.meter), contract.tariff
    while since < cycle and (
        start is None or tariff.calendar.midnight(first_day(since)) < start or tariff.on(first_day(since)) is None
    ):
        since = shifted(since, 1)
    return since


def _group(
    group: Sequence[SupplyContract],
    book: MeterBook,
    cycle: Cycle,
    since: Cycle,
    as_of: datetime,
    index_micro: Mapping[str, Ints],
) -> tuple[list[Prepared], list[Finding]]:
    tariff = group[0].tariff
    intervals = cycle_intervals(tariff, cycle, book.minutes, since)
    own = cycle_intervals(tariff, cycle, book.minutes).count
    read: list[tuple[SupplyContract, list[MeterView | None]]] = []
    wrong: list[Finding] = []
    for c in group:
        try:
            read.append((c, [None if m is None else book.view(m, intervals, as_of) for m in c.meters]))
        except DataError as gap:
            wrong += gap.findings
    if not read:
        return [], wrong
    # history counts by its energy alone: lines of months before are not issued, so their index prices are never asked for
    index = {name: np.pad(prices, (intervals.count - own, 0)) for name, prices in index_micro.items()}
    try:
        charges = _charges([views for _, views in read], tariff, intervals, index)
    except DataError as broken:
        return [], wrong + list(broken.findings)
    made = [
        Prepared(c, cycle, charges.lines(cycle, k), max(v.substituted(own) for v in views if v is not None))
        for k, (c, views) in enumerate(read)
    ]
    return made, wrong


def _charges(
    views: Sequence[Sequence[MeterView | None]], tariff: Tariff, intervals: Intervals, index_micro: Mapping[str, Ints]
) -> Charges:
    net, generation, reactive, baseline = (_stacked([v[k] for v in views]) for k in range(4))
    assert net is not None  # noqa: S101 - every contract has a meter
    return bill(compile_tariff(tariff, intervals), Meters(net, generation, reactive, index_micro, baseline_wh=baseline))


def _stacked(views: Sequence[MeterView | None]) -> Ints | None:
    """Return one channel of all customers, shape (customer, interval); None where they have no such register."""
    there = [v.wh for v in views if v is not None]
    return np.stack(there) if there else None
