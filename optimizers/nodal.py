"""One auction over many places: zones joined by transfer capacities, or nodes of a grid by the DC power flow, with a price at each.

A place's price is the dual of its balance: what one more unit of demand there would cost. Prices differ exactly where a link is full, and
what buyers pay more than sellers get is the links' rent, the sum over links of flow times price difference.

Source: locational marginal prices (Schweppe, Caramanis, Tabors, Bohn: Spot Pricing of Electricity, 1988).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from models.errors import InfeasiblePlanError
from optimizers.clearing_book import Curve, Floats, Ints
from optimizers.session import HighsSession, Program, Status


@dataclass(frozen=True, slots=True)
class Links:
    """Links between places, shape (link,): what may flow forward and back, in lots.

    With ``lots_per_rad`` flows follow angles (flow = that times the angle's difference less ``shift_rad``), without they are chosen freely.
    """

    start: Ints
    end: Ints
    forward: Floats
    back: Floats
    lots_per_rad: Floats | None = None
    shift_rad: Floats | None = None


@dataclass(frozen=True, slots=True)
class NodalClearing:
    """Prices and net sales per place in ticks and lots, flows per link (> 0 from start to end), welfare in lot-ticks."""

    ticks: Floats
    net: Floats
    flow: Floats
    welfare: float

    def rent(self, links: Links) -> float:
        """Return what the links earn, in lot-ticks: what buyers pay beyond what sellers get."""
        return float(((self.ticks[links.end] - self.ticks[links.start]) * self.flow).sum())


def clear_nodal(curves: Sequence[Curve], worth: int, links: Links) -> NodalClearing:
    """Clear one period over places with a merged curve each; ``worth`` as in a book without places.

    Raises
    ------
    InfeasiblePlanError
        If the links cannot be kept whatever is traded (phase shifts that overload a loop).
    """
    program, edges, scale = _program(curves, links)
    found = HighsSession(program).run()
    if found.status is not Status.OPTIMAL or found.x is None or found.row_dual is None:
        raise InfeasiblePlanError(
            f"no trade keeps every link within its limits ({found.message}); look at shifts and limits"
        )
    lot, tick = scale
    places, pieces = len(curves), edges[-1]
    sold = np.add.reduceat(np.append(found.x[:pieces], 0.0), edges[:-1]) * (np.diff(edges) > 0)
    net = sold * lot + np.array([c.start for c in curves])
    flow = found.x[pieces : pieces + len(links.start)] * lot
    cost = found.objective * lot * tick
    return NodalClearing(found.row_dual[:places] * tick, net, flow, worth - cost)


def _program(curves: Sequence[Curve], links: Links) -> tuple[Program, Ints, tuple[float, float]]:
    """Columns: pieces, flows, angles. Rows: balance of every place, then flow = angle difference where there are angles."""
    lot = max(float(max((c.lots.max(initial=0) for c in curves), default=1)) / 1e3, 1e-6)
    tick = max(float(max((np.abs(c.ticks).max(initial=0) for c in curves), default=1)) / 1e3, 1e-6)
    edges = np.cumsum([0] + [len(c.ticks) for c in curves])
    places, count, pieces = len(curves), len(links.start), int(edges[-1])
    angles = links.lots_per_rad is not None
    total, k = pieces + count + (places if angles else 0), np.arange(count)
    owner = np.repeat(np.arange(places), np.diff(edges))
    rows, columns, values = (
        [owner, links.start, links.end],
        [np.arange(pieces), pieces + k, pieces + k],
        [np.ones(pieces), -np.ones(count), np.ones(count)],
    )
    side = -np.array([c.start for c in curves]) / lot
    if links.lots_per_rad is not None:
        stiff = links.lots_per_rad / lot
        rows += [places + k] * 3
        columns += [pieces + k, pieces + count + links.start, pieces + count + links.end]
        values += [np.ones(count), -stiff, stiff]
        shift = np.zeros(count) if links.shift_rad is None else links.shift_rad
        side = np.concatenate([side, -stiff * shift])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    a = sparse.csr_array(sparse.coo_array(entries, shape=(len(side), total)))
    lower, upper, cost = np.full(total, -np.inf), np.full(total, np.inf), np.zeros(total)
    lower[:pieces], upper[:pieces] = 0.0, np.concatenate([c.lots for c in curves]) / lot
    cost[:pieces] = np.concatenate([c.ticks for c in curves]) / tick
    lower[pieces : pieces + count], upper[pieces : pieces + count] = -links.back / lot, links.forward / lot
    if angles and places:
        lower[-1] = upper[-1] = 0.0  # the last place, a grid's slack, is where angles are counted from
    whole = np.zeros(total, dtype=np.uint8)
    indices = a.indptr.astype(np.int32), a.indices.astype(np.int32)
    return Program(*indices, a.data, lower, upper, side, side, cost, 0.0, whole), edges, (lot, tick)
