"""Key figures of the present: what it costs, how near the peak is, what is stored, how old the plan is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from models.carriers import Carrier
from models.components import GridConnection, Pv, Store, Wind
from models.ports import Quality
from models.site import Site
from models.state import Snapshot
from service.history import Array, History
from service.memory import MadePlan, Memory
from service.views.flows import flow_now
from service.views.money import NO_PRICE, Rate, rate_now, spent


@dataclass(frozen=True, slots=True)
class StoreLevel:
    """How full one store is and what it does; ``power_kw`` is positive when it gives."""

    asset: str
    title: str
    kind: str
    stored_kwh: float
    stored_share: float
    energy_kwh: float
    power_kw: float


@dataclass(frozen=True, slots=True)
class PlanState:
    """The newest plan in short; ``check_ok`` is None before the twin has judged it."""

    plan_id: str
    age_s: float
    source: str
    status: str
    gap_share: float
    findings: int
    check_ok: bool | None


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """The present of a site in a few numbers.

    ``import_kw`` is net of export. ``peak_import_kw`` is the highest 15-min mean of the billing period, ``peak_cap_kw`` what the plan protects.
    ``self_use_share`` is the share of sun and wind that stays on the site, None when there is none.
    ``efficiency_share`` is the share of what came in, out of grid, gas network, sun, wind and air, that consumers, exports and stores got.
    ``values_good_share`` is the share of measured values with good quality.
    """

    at: datetime
    currency: str
    now: Rate
    price_per_kwh: float
    today: Rate
    import_kw: float
    peak_import_kw: float | None
    peak_cap_kw: float | None
    renewable_kw: float
    self_use_share: float | None
    efficiency_share: float | None
    stores: tuple[StoreLevel, ...]
    plan: PlanState | None
    values: Mapping[Quality, int]

    @property
    def values_good_share(self) -> float:
        """Share of measured values with good quality, 1 when nothing is measured."""
        total = sum(self.values.values())
        return self.values.get(Quality.GOOD, 0) / total if total else 1.0


def key_figures(memory: Memory, snapshot: Snapshot) -> KeyFigures:
    """Return the key figures at a snapshot."""
    site, history = memory.site, memory.history
    power = history.matrix(snapshot.power_kw)
    electricity = power[:, history.carriers.index(Carrier.ELECTRICITY)]
    import_kw = _total(history, site.of_kind(GridConnection), electricity)
    renewable_kw = max(
        _total(history, site.of_kind(Pv), electricity) + _total(history, site.of_kind(Wind), electricity), 0.0
    )
    prices = memory.prices.at(snapshot.at)
    made = memory.plan
    return KeyFigures(
        at=snapshot.at,
        currency=site.currency,
        now=rate_now(site, history, power, prices),
        price_per_kwh=next(iter(prices.values()), NO_PRICE).bought,
        today=today(memory, snapshot),
        import_kw=import_kw,
        peak_import_kw=snapshot.peak_import_kw,
        peak_cap_kw=None if made is None else made.peak_cap_kw,
        renewable_kw=renewable_kw,
        self_use_share=_self_use(renewable_kw, import_kw),
        efficiency_share=efficiency_share(site, history, power),
        stores=store_levels(site, history, snapshot),
        plan=None if made is None else plan_state(made, snapshot.at),
        values=quality_counts(snapshot),
    )


def efficiency_share(site: Site, history: History, power_kw: Array) -> float | None:
    """Return the share of all that came in which is of use; None while next to nothing comes in. ``power_kw`` is (asset, carrier)."""
    view = flow_now(site, history, power_kw)
    lost = sum(f.amount for f in view.flows if f.target == "conversion_losses" or f.target.startswith("difference:"))
    fed = {f.source for f in view.flows} - {f.target for f in view.flows}
    came = sum(f.amount for f in view.flows if f.source in fed)
    return None if came < 1.0 else 1.0 - lost / came


def today(memory: Memory, snapshot: Snapshot) -> Rate:
    """Return what the site's local day has cost and emitted so far, as far as it was measured."""
    span = memory.history.span(local_midnight(memory.site, snapshot.at), snapshot.at + timedelta(minutes=5))
    return spent(memory.site, memory.history, span, memory.prices)


def local_midnight(site: Site, at: datetime) -> datetime:
    """Return the start of the site's local day around an instant."""
    return at.astimezone(ZoneInfo(site.location.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)


def store_levels(site: Site, history: History, snapshot: Snapshot) -> tuple[StoreLevel, ...]:
    """Return every store's content and power; a store without a value is left out."""
    power = history.matrix(snapshot.power_kw)
    held = {
        str(a): float(v) for a, v in zip(snapshot.stored_kwh["asset"].values, snapshot.stored_kwh.values, strict=True)
    }
    found = []
    for store in (a for a in site.assets if isinstance(a, Store)):
        stored = held.get(store.id, float("nan"))
        if np.isfinite(stored):
            given = float(power[history.assets.index(store.id), history.carriers.index(store.control)])
            share = stored / store.energy_kwh
            found.append(
                StoreLevel(store.id, store.title or store.id, store.kind, stored, share, store.energy_kwh, given)
            )
    return tuple(found)


def plan_state(made: MadePlan, now: datetime) -> PlanState:
    """Return a plan in short, as seen at ``now``."""
    plan, check = made.plan, made.check
    findings = len(plan.findings) + (0 if check is None else len(check.findings))
    age_s = (now - plan.made_at).total_seconds()
    return PlanState(
        plan.id,
        age_s,
        plan.source,
        plan.solver.status,
        plan.solver.gap_share,
        findings,
        None if check is None else check.ok,
    )


def quality_counts(snapshot: Snapshot) -> Mapping[Quality, int]:
    """Return how many values have which quality."""
    counts = dict.fromkeys(Quality, 0)
    for tag in snapshot.tags.values():
        counts[tag.quality] += 1
    return counts


def _total(
    history: History, assets: tuple[GridConnection, ...] | tuple[Pv, ...] | tuple[Wind, ...], column: np.ndarray
) -> float:
    return float(sum(column[history.assets.index(a.id)] for a in assets))


def _self_use(renewable_kw: float, import_kw: float) -> float | None:
    if renewable_kw < 1.0:
        return None
    return 1.0 - min(max(-import_kw, 0.0) / renewable_kw, 1.0)
