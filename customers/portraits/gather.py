"""Everything that portraits need, put together: from base data and weather, or from a site file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customers.efficiency.benchmark import benchmark, hints
from customers.features.table import features_of
from customers.intervals.clock import keep_holidays
from customers.intervals.series import MeterTable
from customers.intervals.store import IntervalStore
from customers.packages.customer import PackageCustomer
from customers.packages.park import park_customers
from customers.portraits.customer import Business, CustomerPortrait, Drawn, portrait
from customers.segments.segmentation import SegmentModel, assign, segment
from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import Consumer, EvFleet, FlexibleLoad, Pv, Wind
from models.site import Site
from models.site.profiles import load_profiles
from models.site.site import ElectricityContract
from models.tariffs.bill import bill
from models.tariffs.charges import Meters
from models.tariffs.compile import compile_tariff

Array = npt.NDArray[np.float64]
HOUR = 60


@dataclass(frozen=True, slots=True, eq=False)
class SiteCustomers:
    """The customers of a site: their meter data, the outdoor air by interval (None where the site has none), and what is known of them."""

    table: MeterTable
    air_degc: Array | None
    businesses: Mapping[str, Business]


def drawn_from(
    store: IntervalStore, air_degc: npt.NDArray[np.floating] | None, model: SegmentModel | None = None, seed: int = 0
) -> Drawn:
    """Return what portraits are drawn from; with a ``model`` customers are put into its segments, without one segments are made."""
    table = store.best
    features = features_of(table, air_degc)
    segments = segment(features, seed=seed) if model is None else assign(features, model)
    covered, made = store.raw.coverage_share(), table.estimated_share()
    return Drawn(features, segments, benchmark(features, segments.label), covered.tolist(), made.tolist())


def portraits_with_hints(
    drawn: Drawn, businesses: Mapping[str, Business], rows: Sequence[int]
) -> list[CustomerPortrait]:
    """Return the portraits of some customers with the measures that their peers hint at."""
    names, label = drawn.features.customers, drawn.segments.label
    return [portrait(drawn, r, businesses.get(names[r], Business()), hints(drawn.features, label, r)) for r in rows]


def with_own_holidays(table: MeterTable) -> MeterTable:
    """Return a table whose public holidays are working days where its customers work on them, as in many typical years."""
    return table if keep_holidays(table) else replace(table, country="")


def site_customers(site: Site) -> SiteCustomers:
    """Return the customers of a site that take electricity, from its profiles; hourly.

    Raises
    ------
    DataError
        If the site has no profiles or no customer with electricity.
    """
    there = park_customers(site, HOUR)
    grid = there[0].intervals
    energy = np.stack([c.wh for c in there]) / 1e3
    table = with_own_holidays(MeterTable.of([c.id for c in there], grid.start, HOUR, energy, site.location.time_zone))
    profiles = load_profiles(site)
    air = next((n for n in profiles.columns if n.endswith("_degc")), None)
    paid = _paid(site, table)
    known = {c.id: _business(site, c, float(paid[k])) for k, c in enumerate(there)}
    return SiteCustomers(table, None if air is None else profiles[air].to_numpy(dtype=float), known)


def _paid(site: Site, table: MeterTable) -> Array:
    """Return what each customer pays for electricity in the site's year by its own contract; 0 without one."""
    contract = next((c for c in site.contracts if isinstance(c, ElectricityContract)), None)
    if contract is None:
        return np.zeros(len(table.customers))
    charges = bill(compile_tariff(site.tariff(contract.id), table.intervals), Meters(table.whole_wh()))
    return np.asarray(charges.total_micro.sum(axis=1) / 1e6)


def _business(site: Site, customer: PackageCustomer, paid: float) -> Business:
    flexible = [f for f in site.of_kind(FlexibleLoad) if f.electricity_node == customer.bus]
    moved = sum(f.shift_down_kw for f in flexible)
    back = max((2 * f.shiftable_kwh / f.shift_down_kw for f in flexible if f.shift_down_kw), default=0.0)
    assets = [f"{a.title or a.id} ({size})" for a, size in _assets(site, customer.bus)]
    known = {Carrier.ELECTRICITY: float(customer.wh.sum()) / 1e3} | _carriers(site, customer.id)
    source = ", ".join(f.title or f.id for f in flexible)
    return Business(
        customer.name, customer.sector, tuple(assets), known, float(moved), back, source, paid, site.currency
    )


def _carriers(site: Site, customer: str) -> dict[Carrier, float]:
    """Return the energy of the site's year that a customer takes of every other carrier than electricity."""
    profiles = load_profiles(site)
    step_h = 1.0 if site.profiles is None else site.profiles.step_s / 3600
    consumer = next(site.asset(c.consumer) for c in site.customers if c.id == customer)
    assert isinstance(consumer, Consumer)  # noqa: S101 - a customer names its consumer
    others = [d for d in consumer.demands if d.carrier in ENERGY_CARRIERS and d.carrier is not Carrier.ELECTRICITY]
    return {d.carrier: float(d.scale * profiles[d.profile].sum() * step_h) for d in others}


def _assets(site: Site, bus: str) -> list[tuple[Pv | Wind | EvFleet, str]]:
    """Return what stands at a customer's bus, with its size in words."""
    fields = [(p, f"{p.peak_kw:,.0f} kWp") for p in site.of_kind(Pv) if p.electricity_node == bus]
    mills = [(w, f"{w.rated_kw:,.0f} kW") for w in site.of_kind(Wind) if w.electricity_node == bus]
    fleets = [
        (f, f"{sum(g.vehicles for g in f.groups)} vehicles") for f in site.of_kind(EvFleet) if f.electricity_node == bus
    ]
    return [*fields, *mills, *fleets]
