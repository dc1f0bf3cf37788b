"""What a package costs us and brings the customer in a year: capital as an annuity, operation, and modules that need no simulation."""

from collections.abc import Iterator
from dataclasses import dataclass

from customers.costs.library import CostLibrary
from customers.packages.variants import CHP_EFFICIENCY, Bench, Simulated
from models.finance import annuity_factor

KWH_PER_MWH = 1e3
MOST_SAVED_BY_HEAT_PUMP = 0.9
"""Share of a customer's heat that a heat pump takes over; the coldest hours stay with what there is."""


@dataclass(frozen=True, slots=True)
class Item:
    """One module's money in a year, in the library's currency.

    ``size`` is in the module's unit; ``capital`` is what is spent on the first day; ``yearly_cost`` its annuity with operation, paid by us;
    ``yearly_gain`` what the customer gains of it beside its electricity bill.
    """

    module: str
    size: float
    unit: str
    capital: float
    yearly_cost: float
    yearly_gain: float = 0.0

    @property
    def worth(self) -> float:
        """What it brings beside the electricity bill, less what it costs."""
        return self.yearly_gain - self.yearly_cost


def annuity(library: CostLibrary, capital: float, life: str | float) -> float:
    """Return the yearly payment for a capital over a life, which may be a figure of the library."""
    years = library[life] if isinstance(life, str) else life
    return capital * annuity_factor(library["discount_rate"], years)


def built_items(bench: Bench, simulated: Simulated) -> Iterator[Item]:
    """Yield the money of everything that a simulated variant builds; its effect on the bill is in the simulation."""
    library, variant = bench.library, simulated.variant
    if variant.pv_kw:
        yield _pv(bench, simulated)
    if variant.battery_kwh:
        yield _storage(bench, simulated)
    if variant.saved_share:
        yield _efficiency(bench, variant.saved_share)
    if variant.chp_kw:
        yield _chp(bench, simulated)
    if variant.points:
        capital = variant.points * library["charger_capex"]
        cost = annuity(library, capital, "charger_life") + variant.points * library["charger_om"]
        earned = simulated.charged_kwh * bench.runs_per_year
        # vehicles pay their electricity at the mean price and the fee on top
        yield Item(
            "charging", variant.points, "points", capital, cost, earned * (library["charging_fee"] + bench.mean_price)
        )


def _pv(bench: Bench, simulated: Simulated) -> Item:
    library, kw = bench.library, simulated.variant.pv_kw
    capital = kw * library["pv_capex"] + library["pv_site"]
    used_kwh = (simulated.generated_kwh - simulated.exported_kwh) * bench.runs_per_year
    # the first year is simulated; what modules lose on average over their life is counted as a cost
    ageing = 0.5 * library["pv_degradation"] * library["pv_life"] * max(used_kwh, 0.0) * bench.mean_price
    return Item("pv", kw, "kW", capital, annuity(library, capital, "pv_life") + kw * library["pv_om"] + ageing)


def _storage(bench: Bench, simulated: Simulated) -> Item:
    library, kwh = bench.library, simulated.variant.battery_kwh
    capital = kwh * library["battery_capex"] + library["battery_site"]
    cycles = simulated.discharged_kwh * bench.runs_per_year / kwh
    life = min(library["battery_life"], library["battery_cycles"] / max(cycles, 1.0))
    return Item("storage", kwh, "kWh", capital, annuity(library, capital, max(life, 1.0)) + kwh * library["battery_om"])


def _efficiency(bench: Bench, share: float) -> Item:
    """Measures are paid back by what they save of a mean kWh in the years of the library, the audit and the follow-up come per site."""
    library, saved_kwh = bench.library, share * bench.customer.yearly_kwh
    yearly = saved_kwh * bench.before / max(bench.customer.wh.sum() / KWH_PER_MWH, 1.0)
    capital = yearly * library["efficiency_payback"] + library["efficiency_audit"]
    cost = annuity(library, capital, "efficiency_life") + library["efficiency_follow_up"]
    return Item("efficiency", share, "of the load", capital, cost)


def _chp(bench: Bench, simulated: Simulated) -> Item:
    library, facts = bench.library, bench.customer.facts
    capital, kwh = simulated.variant.chp_kw * library["chp_capex"], simulated.chp_kwh * bench.runs_per_year
    fuel = kwh / CHP_EFFICIENCY * facts.gas_price
    heat = kwh * 1.15 * (facts.heat_price or facts.gas_price / 0.925)
    cost = annuity(library, capital, "chp_life") + kwh * library["chp_om"] + fuel
    return Item("chp", simulated.variant.chp_kw, "kW", capital, cost, heat)


def added_items(bench: Bench) -> Iterator[Item]:
    """Yield every module that needs no simulation and whose facts are known, whether it pays or not."""
    facts, library = bench.customer.facts, bench.library
    price = bench.before / max(bench.customer.wh.sum() / KWH_PER_MWH, 1.0)
    if facts.heat_kwh and facts.heat_price:
        kw, kwh = 0.6 * (facts.heat_kw or facts.heat_kwh / 2000.0), MOST_SAVED_BY_HEAT_PUMP * facts.heat_kwh
        capital = kw * library["heat_pump_capex"]
        gain = kwh * (facts.heat_price - price / library["heat_pump_cop"])
        yield Item("heat", kw, "kW", capital, annuity(library, capital, "heat_pump_life"), gain)
    if facts.cold_kwh and facts.cold_price:
        kw = facts.cold_kw or facts.cold_kwh / 1500.0
        capital = kw * library["chiller_capex"]
        gain = facts.cold_kwh * (facts.cold_price - price / library["chiller_cop"])
        yield Item("cold", kw, "kW", capital, annuity(library, capital, 20.0), gain)
    if facts.flexible_kw:
        capital = facts.flexible_kw * library["response_capex"]
        gain = facts.flexible_kw * library["response_hours"] * library["response_income"]
        yield Item("response", facts.flexible_kw, "kW", capital, annuity(library, capital, 10.0), gain)
    if facts.critical_kw:
        capital = facts.critical_kw * library["backup_capex"]
        cost = annuity(library, capital, "backup_life") + facts.critical_kw * library["backup_om"]
        yield Item(
            "backup", facts.critical_kw, "kW", capital, cost, facts.critical_kw * facts.outage_hours * facts.outage_cost
        )
    if facts.green_share:
        mwh = facts.green_share * bench.customer.yearly_kwh / KWH_PER_MWH
        yield Item("certificates", mwh, "MWh/a", 0.0, mwh * library["certificate_price"])


def supply_item(bench: Bench) -> Item:
    """Return the supply itself: what a retailer keeps of a kWh is our gain and in the customer's bill already."""
    kwh = bench.customer.yearly_kwh
    return Item("supply", kwh / KWH_PER_MWH, "MWh/a", 0.0, -kwh * bench.library["retail_margin"])
