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
    billed together, at most 1,000 at a time; ``progress(done, all)`` is called after each batch.
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
    """Return contracts of one tariff and one length of history together."""
    groups: dict[tuple[int, Cycle], list[SupplyContract]] = {}
    for c in contracts:
        groups.setdefault((id(c.tariff), _since(c, book, cycle)), []).append(c)
    return [(since, g[k : k + BATCH]) for (_, since), g in groups.items() for k in range(0, len(g), BATCH)]


def _since(contract: SupplyContract, book: MeterBook, cycle: Cycle) -> Cycle:
    """Return the first month of history that a bill needs and the meter has whole."""
    since, start = history_since(contract.tariff, cycle), book.start(contract.meter)
    while since < cycle and (start is None or contract.tariff.calendar.midnight(first_day(since)) < start):
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
    intervals = cycle_intervals(group[0].tariff, cycle, book.minutes, since)
    own = cycle_intervals(group[0].tariff, cycle, book.minutes).count
    views: list[tuple[SupplyContract, MeterView]] = []
    wrong: list[Finding] = []
    for contract in group:
        try:
            views.append((contract, book.view(contract.meter, intervals, as_of)))
        except DataError as gap:
            wrong += gap.findings
    if not views:
        return [], wrong
    try:
        charges = _charges([v for _, v in views], group[0].tariff, intervals, index_micro)
    except DataError as broken:
        return [], wrong + list(broken.findings)
    made = [Prepared(c, cycle, charges.lines(cycle, k), v.substituted(own)) for k, (c, v) in enumerate(views)]
    return made, wrong


def _charges(
    views: Sequence[MeterView], tariff: Tariff, intervals: Intervals, index_micro: Mapping[str, Ints]
) -> Charges:
    meters = Meters(np.stack([v.wh for v in views]), index_micro=index_micro)
    return bill(compile_tariff(tariff, intervals), meters)
