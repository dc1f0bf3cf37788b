"""Auctions of a day with every kind of order: exact lots and prices for each, with a certificate that says why.

The optimizer decides on blocks and prices; here the result becomes whole lots that balance to the lot in every period, and each order is
told its outcome (``market/outcomes.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from market.auction import Curtail, shares
from market.orders import PPM, BlockOrder, FlexibleOrder, Order, widths
from market.outcomes import AuctionResult, Filled
from market.products import Product
from optimizers.clearing import Clearing, clear
from optimizers.clearing_book import NOBODY, Blocks, Book, Ints, book_of

FINE = 1_000_000
"""Prices that no tick can express are stated in millionths of a tick."""
SURE = 1e-9
"""Gap below which a clearing is the optimum."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """An auction's orders in a canonical sequence, so that the order of entry decides nothing but shares at the price."""

    orders: tuple[Order, ...]
    blocks: tuple[BlockOrder, ...]
    owner: Ints
    period: Ints
    lots: Ints
    ticks: Ints


def clear_auction(
    product: Product, orders: Sequence[Order], *, curtail: Curtail = Curtail.PRO_RATA, deadline_s: float = 60.0
) -> AuctionResult:
    """Clear the orders of a product; they must have passed ``require_orders``.

    Blocks are taken as the optimizer finds best; ties between equally good sets fall to the ids that come first. Shares of step orders
    at the price go by the order of entry.
    """
    s = _sorted(product, orders)
    book = _book(product, s)
    found = clear(book, deadline_s=deadline_s)
    in_blocks = _whole_lots(book, found)
    ticks, net = np.round(found.ticks * FINE).astype(np.int64), -in_blocks.sum(axis=0)
    accepted = np.zeros(len(s.lots), dtype=np.int64)
    for t in range(product.periods):
        mine = np.flatnonzero(s.period == t)
        accepted[mine] = shares(s.ticks[mine] * FINE, s.lots[mine], int(ticks[t]), int(net[t]), curtail)
    filled = Filled(product, tuple(int(k) * product.tick_micro // FINE for k in ticks))
    rows = zip(s.owner.tolist(), s.period.tolist(), accepted.tolist(), s.ticks.tolist(), strict=True)
    for owner, period, lots, tick in rows:
        filled.add_simple(s.orders[owner], period, lots * product.lot_wh, tick * product.tick_micro)
    ratio_ppm = np.round(found.ratio * PPM).astype(np.int64)
    for b, own, ratio in zip(s.blocks, in_blocks.tolist(), ratio_ppm.tolist(), strict=True):
        filled.add_block(b, [q * product.lot_wh for q in own], ratio)
    volume = [
        int(np.abs(in_blocks[:, t]).sum() + np.abs(accepted[s.period == t]).sum()) // 2 for t in range(product.periods)
    ]
    welfare = round(found.welfare) * product.unit_micro
    bound = welfare if found.gap_share <= SURE else math.ceil(found.bound) * product.unit_micro
    return AuctionResult(
        product.id,
        filled.price_micro,
        tuple(v * product.lot_wh for v in volume),
        filled.outcomes(orders),
        welfare,
        bound,
        found.cuts,
        found.whole,
    )


def _sorted(product: Product, orders: Sequence[Order]) -> _Sorted:
    w = widths(orders, product.lot_wh, product.tick_micro, product.tick_span)
    blocks = [b for o in orders for b in ((o,) if isinstance(o, BlockOrder) else _flexible(o, product))]
    arrays = (np.array(v, dtype=np.int64) for v in (w.owner, w.period, w.lots, w.ticks))
    return _Sorted(tuple(orders), tuple(sorted(blocks, key=lambda b: b.id)), *arrays)


def _flexible(o: Order, product: Product) -> Sequence[BlockOrder]:
    return list(o.blocks(product.periods)) if isinstance(o, FlexibleOrder) else ()


def _book(product: Product, s: _Sorted) -> Book:
    place = {b.id: k for k, b in enumerate(s.blocks)}
    groups = {g: k for k, g in enumerate(sorted({b.group for b in s.blocks if b.group is not None}))}
    lots = np.array([b.quantity_wh for b in s.blocks], dtype=np.int64).reshape(-1, product.periods) // product.lot_wh
    ticks = np.array([b.price_micro // product.tick_micro for b in s.blocks], dtype=np.int64)
    fixed = np.array([b.fixed_micro // product.unit_micro for b in s.blocks], dtype=np.int64)
    blocks = Blocks(
        lots,
        lots.sum(axis=1) * ticks + fixed,
        np.array([b.least_ppm / PPM for b in s.blocks], dtype=np.float64),
        np.array([place[b.parent] if b.parent is not None else NOBODY for b in s.blocks], dtype=np.int64),
        np.array([groups[b.group] if b.group is not None else NOBODY for b in s.blocks], dtype=np.int64),
    )
    return book_of(product.periods, (s.period, s.lots, s.ticks), blocks, product.tick_span)


def _whole_lots(book: Book, found: Clearing) -> Ints:
    """Return what blocks deliver in whole lots, (block, period): in each period cumulative rounding over those taken in part.

    The simple orders of the period can then take exactly the rest.
    """
    lots, part = book.blocks.lots, (found.ratio > 0) & (found.ratio < 1)
    exact: Ints = np.where(found.ratio[:, None] == 1, lots, 0)
    running = np.cumsum(lots[part] * found.ratio[part, None], axis=0)
    if len(running):
        target = -np.array(
            [_nearest_net(c.edges, n) for c, n in zip(book.curves, -(exact.sum(axis=0) + running[-1]), strict=True)]
        )
        running[-1] = target - exact.sum(axis=0)
        exact[part] = np.diff(np.round(running).astype(np.int64), axis=0, prepend=0)
    return exact


def _nearest_net(edges: Ints, net: float) -> int:
    """Return the whole net sale nearest to what the program found, within what simple orders can do."""
    return int(np.clip(round(net), edges[0], edges[-1]))
