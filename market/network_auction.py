"""Auctions over places: zones with transfer capacities, or the buses of our own grid; a price, whole lots and an outcome at each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from market.auction import Curtail, shares
from market.orders import CurveOrder, StepOrder, widths
from market.products import MarketError, Product
from models.findings import Finding, error
from models.networks.data import ElectricNetwork
from models.networks.electricity import dc_grid
from optimizers.clearing_book import Ints, book_of, no_blocks
from optimizers.nodal import Links, NodalClearing, clear_nodal

FINE = 1_000_000
Simple = StepOrder | CurveOrder


@dataclass(frozen=True, slots=True)
class Transfer:
    """What may be carried between two zones in one period, in Wh."""

    id: str
    start: str
    end: str
    forward_wh: int
    back_wh: int


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """One period over places: prices in micro-units per MWh, net sales and link flows in Wh, accepted Wh per order, the links' rent.

    Net sales are whole lots and sum to zero; flows are those of the program, within a lot of them.
    """

    price_micro: Mapping[str, int]
    net_wh: Mapping[str, int]
    flow_wh: Mapping[str, int]
    accepted_wh: Mapping[str, int]
    welfare_micro: int

    @property
    def rent_micro(self) -> int:
        """What buyers pay beyond what sellers get, rounded down."""
        return -sum(self.price_micro[place] * wh for place, wh in self.net_wh.items()) // 1_000_000


def clear_zones(
    product: Product, period: int, orders: Mapping[str, Sequence[Simple]], transfers: Sequence[Transfer]
) -> PlaceResult:
    """Clear one period over zones, each with its orders.

    Raises
    ------
    MarketError
        If a transfer joins a zone that is not there, or its capacity is negative.
    """
    places = {name: k for k, name in enumerate(sorted(orders))}
    if found := [f for t in transfers for f in _transfer_wrong(t, places)]:
        raise MarketError(found)
    ends = [
        np.array([places[p] for p in pair], dtype=np.int64)
        for pair in ([t.start for t in transfers], [t.end for t in transfers])
    ]
    forward, back = (
        np.array(v, dtype=np.float64) / product.lot_wh
        for v in ([t.forward_wh for t in transfers], [t.back_wh for t in transfers])
    )
    links = Links(ends[0], ends[1], forward, back)
    return _cleared(product, period, orders, list(places), links, [t.id for t in transfers])


def clear_grid(
    product: Product, period: int, orders: Mapping[str, Sequence[Simple]], network: ElectricNetwork
) -> PlaceResult:
    """Clear one period over the buses of a grid by the DC power flow; buses that closed switches join have one price.

    Raises
    ------
    MarketError
        If orders are at a bus that the grid does not have or that its slack does not reach.
    """
    grid = dc_grid(network)
    node = dict(zip(grid.buses, grid.node.tolist(), strict=True))
    if lost := [bus for bus in orders if node.get(bus, -1) < 0]:
        raise MarketError(error(bus, f"is no bus of {network.id} that its slack reaches") for bus in lost)
    by_node: dict[str, list[Simple]] = {str(k): [] for k in range(max(node.values()) + 1)}
    for bus, own in orders.items():
        by_node[str(node[bus])] += own
    hours = product.minutes / 60
    lots = 1e3 * hours / product.lot_wh
    links = Links(
        grid.from_node.astype(np.int64), grid.to_node.astype(np.int64), grid.limit_kw * lots, grid.limit_kw * lots,
        grid.kw_per_rad * lots, grid.shift_rad,
    )  # fmt: skip
    found = _cleared(product, period, by_node, list(by_node), links, list(grid.branches))
    price = {bus: found.price_micro[str(k)] for bus, k in node.items() if k >= 0}
    net = dict.fromkeys(price, 0)
    for bus, own in orders.items():
        net[bus] = sum(found.accepted_wh[o.id] for o in own)
    return PlaceResult(price, net, found.flow_wh, found.accepted_wh, found.welfare_micro)


def _transfer_wrong(t: Transfer, places: Mapping[str, int]) -> list[Finding]:
    found = [
        error(t.id, f"joins {p}, where there are no orders; give it an empty list")
        for p in (t.start, t.end)
        if p not in places
    ]
    if t.forward_wh < 0 or t.back_wh < 0:
        found.append(error(t.id, "a capacity is negative; 0 closes a direction"))
    return found


def _cleared(
    product: Product,
    period: int,
    orders: Mapping[str, Sequence[Simple]],
    places: Sequence[str],
    links: Links,
    ids: Sequence[str],
) -> PlaceResult:
    own = [[o for o in orders[p] if o.period == period] for p in places]
    simple = [_simple(product, o) for o in own]
    books = [
        book_of(1, (np.zeros(len(lots), dtype=np.int64), lots, ticks), no_blocks(1), product.tick_span)
        for _, lots, ticks in simple
    ]
    found = clear_nodal([b.curves[0] for b in books], sum(b.worth for b in books), links)
    net = _whole(found, [b.curves[0].edges for b in books])
    accepted: dict[str, int] = {o.id: 0 for several in own for o in several}
    for k, (owner, lots, ticks) in enumerate(simple):
        price = _supported(books[k].curves[0].prices_at(int(net[k])), found.ticks[k])
        given = shares(ticks * FINE, lots, price, int(net[k]), Curtail.PRO_RATA)
        for who, q in zip(owner, given.tolist(), strict=True):
            accepted[own[k][who].id] += q * product.lot_wh
    prices = {p: round(float(x) * product.tick_micro) for p, x in zip(places, found.ticks, strict=True)}
    flows = {i: round(float(f) * product.lot_wh) for i, f in zip(ids, found.flow, strict=True)}
    nets = {p: int(n) * product.lot_wh for p, n in zip(places, net, strict=True)}
    return PlaceResult(prices, nets, flows, accepted, round(found.welfare * product.unit_micro))


def _simple(product: Product, orders: Sequence[Simple]) -> tuple[tuple[int, ...], Ints, Ints]:
    w = widths(orders, product.lot_wh, product.tick_micro, product.tick_span)
    return w.owner, np.array(w.lots, dtype=np.int64), np.array(w.ticks, dtype=np.int64)


def _supported(allowed: tuple[int, int], ticks: float) -> int:
    """Return the price nearest to the program's at which simple orders want exactly their net sale, in fine ticks."""
    return min(max(round(ticks * FINE), allowed[0] * FINE), allowed[1] * FINE)


def _whole(found: NodalClearing, edges: Sequence[Ints]) -> Ints:
    """Return net sales in whole lots that sum to zero, by cumulative rounding within what orders can do."""
    near = [
        float(e[np.abs(e - n).argmin()]) if np.abs(e - n).min() < NEAR else float(n)
        for e, n in zip(edges, found.net, strict=True)
    ]
    open_ = np.array([n != round(n) for n in near])
    net = np.round(near).astype(np.int64)
    if open_.any():
        running = np.round(np.cumsum(np.array(near)[open_])).astype(np.int64)
        running[-1] = -int(net[~open_].sum())
        net[open_] = np.diff(running, prepend=0)
    return net


NEAR = 1e-3
"""Lots within which a net sale is that of an edge of its curve."""
