"""Prices by place: rent where links are full, marginal prices as finite differences, whole lots that balance."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandapower.networks
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.network_auction import Transfer, clear_grid, clear_zones
from market.orders import StepOrder
from market.products import Gate, MarketError, Product
from models.networks.electricity import dc_grid
from models.networks.electricity.importers import from_pandapower
from optimizers.clearing_book import book_of, no_blocks
from optimizers.nodal import Links, clear_nodal

STARTS = datetime(2026, 7, 3, tzinfo=UTC)
DAY = Product(
    "day", "park", STARTS, Gate(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)), periods=1
)
MWH = 1_000_000


def yuan(price):
    return price * MWH


def test_a_full_link_parts_the_prices_and_earns_the_difference():
    orders = {
        "north": [StepOrder("wind", "n", 0, 50 * MWH, yuan(100)), StepOrder("village", "n", 0, -5 * MWH, yuan(900))],
        "south": [StepOrder("gas", "s", 0, 50 * MWH, yuan(400)), StepOrder("town", "s", 0, -30 * MWH, yuan(900))],
    }
    found = clear_zones(DAY, 0, orders, [Transfer("tie", "north", "south", 20 * MWH, 0)])
    assert found.price_micro == {"north": yuan(100), "south": yuan(400)}
    assert found.flow_wh == {"tie": 20 * MWH}
    assert found.accepted_wh == {"wind": 25 * MWH, "village": -5 * MWH, "gas": 10 * MWH, "town": -30 * MWH}
    assert found.rent_micro == 20 * yuan(300)
    wide = clear_zones(DAY, 0, orders, [Transfer("tie", "north", "south", 99 * MWH, 0)])
    assert set(wide.price_micro.values()) == {yuan(100)}
    assert wide.rent_micro == 0
    with pytest.raises(MarketError) as told:
        clear_zones(DAY, 0, orders, [Transfer("tie", "north", "west", -1, 0)])
    assert len(told.value.findings) == 2


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-40, 40).filter(bool), st.integers(0, 30)), max_size=12),
    st.lists(st.integers(0, 30), min_size=6, max_size=6),
)
def test_places_balance_to_the_lot_and_nobody_trades_against_the_own_price(given_orders, limits):
    orders = {z: [] for z in "abc"}
    for k, (zone, lots, price) in enumerate(given_orders):
        orders["abc"[zone]].append(StepOrder(f"o{k}", "x", 0, lots * 1_000, yuan(price)))
    transfers = [
        Transfer(a + b, a, b, 1_000 * limits[2 * k], 1_000 * limits[2 * k + 1])
        for k, (a, b) in enumerate(("ab", "bc", "ac"))
    ]
    found = clear_zones(DAY, 0, orders, transfers)
    assert sum(found.net_wh.values()) == 0 == sum(found.accepted_wh.values())
    assert found.rent_micro >= 0
    for zone, several in orders.items():
        assert sum(found.accepted_wh[o.id] for o in several) == found.net_wh[zone]
        for o in several:
            gain = found.accepted_wh[o.id] * (found.price_micro[zone] - o.price_micro)
            assert gain >= 0
            if o.quantity_wh * (found.price_micro[zone] - o.price_micro) > 0:
                assert found.accepted_wh[o.id] == o.quantity_wh
    for t in transfers:
        assert -t.back_wh <= found.flow_wh[t.id] <= t.forward_wh
        if -t.back_wh < found.flow_wh[t.id] < t.forward_wh:
            assert found.price_micro[t.start] == found.price_micro[t.end]


def grid_case(seed=3):
    """Return a published grid with generators and loads as orders, made-up prices, and lines that bind."""
    net = pandapower.networks.case30()
    grid = from_pandapower(net).network
    rng, orders = np.random.default_rng(seed), {}
    for kind, table in (("g", net.gen), ("l", net.load)):
        for k, row in table.iterrows():
            bus = str(grid.buses[int(row.bus)].id)
            lots = int(1e3 * (row.max_p_mw if kind == "g" else -row.p_mw))
            price = yuan(int(rng.integers(100, 400)) if kind == "g" else 3_000)
            orders.setdefault(bus, []).append(StepOrder(f"{kind}{k}", bus, 0, lots * 1_000, price))
    return grid, orders


def test_nodal_prices_are_what_one_more_kilowatt_hour_costs():
    grid, orders = grid_case()
    base = clear_grid(DAY, 0, orders, grid)
    assert sum(base.net_wh.values()) == 0
    assert len(set(base.price_micro.values())) > 3
    for bus in list(base.price_micro)[::4]:
        more = [*orders.get(bus, []), StepOrder("more", bus, 0, -10_000, yuan(3_900))]
        found = clear_grid(DAY, 0, {**orders, bus: more}, grid)
        worth = 10 * yuan(3_900) // 1_000
        assert (base.welfare_micro - found.welfare_micro + worth) * 100 == pytest.approx(
            base.price_micro[bus], rel=1e-3
        )


def test_rent_is_what_links_earn_and_flows_follow_the_angles():
    grid, orders = grid_case(5)
    dc = dc_grid(grid)
    node = dict(zip(dc.buses, dc.node.tolist(), strict=True))
    simple = [([], []) for _ in range(max(node.values()) + 1)]
    for bus, several in orders.items():
        simple[node[bus]][0].extend(o.quantity_wh // 1_000 for o in several)
        simple[node[bus]][1].extend(o.price_micro // 10_000 for o in several)
    books = [
        book_of(
            1,
            (np.zeros(len(q), dtype=int), np.array(q, dtype=int), np.array(p, dtype=int)),
            no_blocks(1),
            DAY.tick_span,
        )
        for q, p in simple
    ]
    links = Links(
        dc.from_node.astype(int), dc.to_node.astype(int), dc.limit_kw, dc.limit_kw, dc.kw_per_rad, dc.shift_rad
    )
    found = clear_nodal([b.curves[0] for b in books], sum(b.worth for b in books), links)
    assert found.rent(links) == pytest.approx(-(found.ticks * found.net).sum(), rel=1e-6)
    assert np.abs(found.flow).max() <= links.forward.max() + 1e-3
    free = replace(links, forward=links.forward * np.inf, back=links.back * np.inf)
    flat = clear_nodal([b.curves[0] for b in books], sum(b.worth for b in books), free)
    assert np.ptp(flat.ticks) == pytest.approx(0, abs=1e-6)
    assert flat.welfare >= found.welfare - 1e-3


def test_orders_where_there_is_no_grid_are_told():
    grid, orders = grid_case()
    with pytest.raises(MarketError, match="is no bus of"):
        clear_grid(DAY, 0, {**orders, "moon": []}, grid)
