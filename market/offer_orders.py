"""From a site's offers to a market's orders: the same numbers on the product's lots and ticks."""

from collections.abc import Iterator

from market.orders import BlockOrder, CurveOrder
from market.products import MarketError, Product
from models.findings import Finding, error
from models.offers import OfferCurve, OfferSet


def curve_orders(offers: OfferSet, product: Product, participant: str, trace: str) -> tuple[CurveOrder, ...]:
    """Return one curve per period of a product; quantities are cut to whole lots, prices to whole ticks within the product's band.

    Raises
    ------
    MarketError
        If the offers' intervals are not the product's periods.
    """
    _require_alike(offers, product)
    return tuple(
        CurveOrder(f"{trace}-{k:02d}", participant, k, _points(curve, product)) for k, curve in enumerate(offers.curves)
    )


def profile_orders(
    offers: OfferSet, product: Product, participant: str, trace: str, *, worth_per_mwh: float
) -> tuple[BlockOrder, ...]:
    """Return the exclusive group as blocks; a market takes the one that gains most.

    A site that has to draw loses with every profile beside not drawing at all, which it cannot choose. So each profile's cost is counted
    beside that of going without: ``worth_per_mwh`` is what a MWh that is drawn is worth at least, the same for all of them. Costs are
    rounded to what a lot costs per tick.

    Raises
    ------
    MarketError
        If the offers' intervals are not the product's periods.
    """
    _require_alike(offers, product)
    most_wh = max((-sum(min(q, 0) for q in p.quantity_wh) for p in offers.profiles), default=0)
    worth_micro = round(worth_per_mwh * most_wh)
    return tuple(
        BlockOrder(
            f"{trace}-profile-{k}",
            participant,
            tuple(_lots(q, product) for q in p.quantity_wh),
            0,
            group=p.group,
            fixed_micro=round((p.cost_micro - worth_micro) / product.unit_micro) * product.unit_micro,
        )
        for k, p in enumerate(offers.profiles)
    )


def _require_alike(offers: OfferSet, product: Product) -> None:
    if found := list(_unlike(offers, product)):
        raise MarketError(found)


def _unlike(offers: OfferSet, product: Product) -> Iterator[Finding]:
    if len(offers.curves) != product.periods:
        yield error(product.id, f"has {product.periods} periods, the offers have {len(offers.curves)} intervals")
        return
    for k, curve in enumerate(offers.curves):
        if curve.start != product.begins(k) or (curve.end - curve.start).total_seconds() != 60 * product.minutes:
            yield error(
                product.id,
                f"period {k} begins at {product.begins(k)} and lasts {product.minutes} min; the offer is of {curve.start} to {curve.end}",
            )
            return


def _points(curve: OfferCurve, product: Product) -> tuple[tuple[int, int], ...]:
    """Return the curve's corners: at the price of each step the quantity jumps to it."""
    quantities = [_lots(s.quantity_wh, product) for s in curve.steps]
    found = [(product.lowest_micro, quantities[0])]
    for before, step, after in zip(quantities, curve.steps[1:], quantities[1:], strict=False):
        price = min(max(step.price_micro, product.lowest_micro), product.highest_micro)
        price = price // product.tick_micro * product.tick_micro
        found += [(price, before), (price, after)]
    return (*found, (product.highest_micro, quantities[-1]))


def _lots(quantity_wh: int, product: Product) -> int:
    return round(quantity_wh / product.lot_wh) * product.lot_wh
