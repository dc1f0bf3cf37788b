"""The energy flow: who gives, who takes, through which converters, and what is left over. Every node adds up, losses included."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.site import Site
from models.state import Snapshot
from service.history import History
from service.memory import Memory
from service.views.groups import CONNECTIONS, CONVERTERS, GIVES, STORES, TWO_WAY, USES, by_kind

Array = npt.NDArray[np.float64]
NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy that goes from one node to another on a carrier; ``amount`` is in the view's unit, above 0."""

    source: str
    target: str
    carrier: Carrier
    amount: float


@dataclass(frozen=True, slots=True)
class CarrierBalance:
    """One carrier's sums; ``supplied = used + charged - discharged + exported + difference``, all in the view's unit.

    ``supplied`` is everything fed except what stores gave back. ``difference`` is what was fed and nobody's meter drew: the network's losses
    and the error of the meters; negative when the meters saw more drawn than fed.
    """

    carrier: Carrier
    supplied: float
    used: float
    charged: float
    discharged: float
    exported: float
    difference: float


@dataclass(frozen=True, slots=True)
class FlowView:
    """Flows between nodes, in ``unit`` (kW for an instant, kWh for a period).

    Nodes are named ``carrier:<carrier>``, ``<kind>`` (converters, producers, uses), ``<kind>:out`` and ``<kind>:in`` (what a two-way kind
    gives and takes), ``use:<kind>:<carrier>``, ``difference:<carrier>``, ``conversion_losses`` and ``ambient``.
    """

    unit: str
    flows: tuple[Flow, ...]
    balances: tuple[CarrierBalance, ...]


def flow_view(site: Site, history: History, fed: Array, drawn: Array, unit: str) -> FlowView:
    """Return the flow of what was fed and drawn; both (asset, carrier) in the history's order and never negative."""
    tables = _by_kind(site, history, fed, drawn)
    flows: list[Flow] = []
    balances: list[CarrierBalance] = []
    for column, carrier in enumerate(history.carriers):
        if carrier not in site.carriers:
            continue
        balances.append(_balance(carrier, {k: (t[0][column], t[1][column]) for k, t in tables.items()}))
        flows += _on_carrier(carrier, column, tables)
        flows += _difference(balances[-1])
    for kind, (given, taken) in tables.items():
        if kind in CONVERTERS:
            flows += _conversion(kind, float(given.sum()), float(taken.sum()))
    return FlowView(unit, tuple(f for f in flows if f.amount > NOTHING), tuple(balances))


def flow_now(site: Site, history: History, power_kw: Array) -> FlowView:
    """Return the flow of one instant from powers (asset, carrier)."""
    return flow_view(site, history, np.clip(power_kw, 0.0, None), np.clip(-power_kw, 0.0, None), "kW")


def flow_over(memory: Memory, snapshot: Snapshot, period_h: float) -> tuple[FlowView, datetime]:
    """Return the flow of the present, or summed over the last hours, and when the measured part of it begins."""
    site, history = memory.site, memory.history
    if period_h == 0:
        return flow_now(site, history, history.matrix(snapshot.power_kw)), snapshot.at
    start = snapshot.at - timedelta(hours=period_h)
    span = history.span(start, snapshot.at)
    view = flow_view(site, history, span.fed_kwh.sum(axis=0), span.drawn_kwh.sum(axis=0), "kWh")
    measured = [s for s, seen in zip(span.starts, span.seen_h, strict=True) if seen > 0]
    return view, measured[0] if measured else start


def _by_kind(site: Site, history: History, fed: Array, drawn: Array) -> Mapping[str, tuple[Array, Array]]:
    """Return (given, taken) over carriers by kind.

    What noise lets a one-way kind do beside its nature (an engine at rest that seems to draw electricity) is left to the difference.
    """
    row = {name: i for i, name in enumerate(history.assets)}
    tables: dict[str, tuple[Array, Array]] = {}
    for kind, assets in by_kind(site).items():
        rows = [row[a.id] for a in assets]
        given, taken = fed[rows].sum(axis=0), drawn[rows].sum(axis=0)
        if kind not in TWO_WAY:
            net = given - taken
            gives = np.array([c in GIVES.get(kind, ()) for c in history.carriers])
            given, taken = np.clip(net, 0.0, None) * gives, np.clip(-net, 0.0, None) * ~gives
        tables[kind] = (given, taken)
    return tables


def _on_carrier(carrier: Carrier, column: int, tables: Mapping[str, tuple[Array, Array]]) -> Iterator[Flow]:
    hub = f"carrier:{carrier}"
    for kind, (given, taken) in tables.items():
        yield Flow(f"{kind}:out" if kind in TWO_WAY else kind, hub, carrier, float(given[column]))
        yield Flow(hub, _taker(kind, carrier), carrier, float(taken[column]))


def _taker(kind: str, carrier: Carrier) -> str:
    if kind in TWO_WAY:
        return f"{kind}:in"
    return f"use:{kind}:{carrier}" if kind in USES else kind


def _balance(carrier: Carrier, sums: Mapping[str, tuple[float, float]]) -> CarrierBalance:
    from_stores = sum(given for kind, (given, _) in sums.items() if kind in STORES)
    into_stores = sum(taken for kind, (_, taken) in sums.items() if kind in STORES)
    exported = sum(taken for kind, (_, taken) in sums.items() if kind in CONNECTIONS)
    supplied = sum(given for given, _ in sums.values()) - from_stores
    used = sum(taken for _, taken in sums.values()) - into_stores - exported
    difference = supplied + from_stores - into_stores - exported - used
    amounts = (supplied, used, into_stores, from_stores, exported, difference)
    return CarrierBalance(carrier, *(float(a) for a in amounts))


def _difference(balance: CarrierBalance) -> Iterator[Flow]:
    hub, rest = f"carrier:{balance.carrier}", f"difference:{balance.carrier}"
    if balance.difference >= 0:
        yield Flow(hub, rest, balance.carrier, balance.difference)
    else:
        yield Flow(f"{rest}:in", hub, balance.carrier, -balance.difference)


def _conversion(kind: str, given: float, taken: float) -> Iterator[Flow]:
    """Close a converter: what it takes beyond what it gives is lost, what it gives beyond comes from its surroundings."""
    if taken >= given:
        yield Flow(kind, "conversion_losses", Carrier.HEAT, taken - given)
    else:
        yield Flow("ambient", kind, Carrier.HEAT, given - taken)
