"""`jouletwin linepack`: how long the gas in the pipes lasts, and where it lasts longer than a step, what to buy when."""

from datetime import date
from pathlib import Path

import numpy as np
import xarray as xr
from rich import box
from rich.table import Table

from models.carriers import Carrier
from models.components import GasSupply
from models.dispatch import Plan
from models.networks.data import GasNetwork
from models.networks.gas import solve_gas
from models.networks.linepack import start_gas
from models.site import GasContract, Site, load_site
from optimizers.linepack import GasDay, GasPurchase, linepack_rule, plan_gas
from scenarios.checked import checked_plan
from service.commands.screen import console
from service.console.figures import local_time
from service.day_plan import day_problem

GAS = Carrier.GAS.value


def linepack_day(site_file: Path, day: date, *, seed: int, deadline_s: float) -> int:
    """Plan a local day, then ask each gas network what its pipes could carry of it; return 1 when demand stays short all the same."""
    site = load_site(site_file)
    problem = day_problem(site, day, seed)
    plan, _ = checked_plan(site, problem, deadline_s)
    short_kwh = sum(_network_day(site, network, plan) for network in site.networks.gas)
    if not site.networks.gas:
        console.print("the site has no gas network")
    return 1 if short_kwh > 1.0 else 0


def _network_day(site: Site, network: GasNetwork, plan: Plan) -> float:
    """Print what a network's pipes do on the day; return what stays short in kWh."""
    asked = asked_kw(site, network, plan)
    step_s = float(plan.horizon.step_h[0]) * 3600.0
    rule = linepack_rule(network, float(asked.clip(0.0).sum("consumer").max()), step_s)
    held = f"{network.id}: the pipes hold {rule.usable_kwh:,.0f} kWh between their limits, {rule.seconds:,.0f} s of the highest demand"
    if not rule.include:
        console.print(f"{held}: less than a step of {step_s:.0f} s, so plans need not know them")
        return 0.0
    console.print(f"{held}: more than a step of {step_s:.0f} s, so they are planned with")
    mean = asked.mean("time").expand_dims(time=plan.horizon.times[:1])
    start = start_gas(network, solve_gas(network, mean.transpose("consumer", "time")))
    found = plan_gas(network, asked, plan.horizon, start, _purchase(site, plan))
    console.print(_table(site, plan, asked, found))
    supply_kw = _purchase(site, plan).source_max_kw
    step_h = plan.horizon.step_h
    without = float(np.clip(asked.sum("consumer").to_numpy() - supply_kw, 0.0, None) @ step_h)
    short = float(found.short_kw @ step_h)
    console.print(f"the supply alone leaves {without:,.0f} kWh short, with the pipes {short:,.0f} kWh; {len(found.residual_bar)} rounds, "
                  f"pipes within {found.residual_bar[-1]:.1e} bar of their law, replayed within {found.apart_kpa:.1e} kPa")  # fmt: skip
    return short


def asked_kw(site: Site, network: GasNetwork, plan: Plan) -> xr.DataArray:
    """Return the gas that a plan's assets ask for at a network's consumers, served or not, dims (consumer, time)."""
    rows = {junction: np.zeros(len(plan.horizon)) for junction in network.consumers}
    for asset in site.assets:
        node = asset.ports().get(Carrier.GAS)
        if node in rows and not isinstance(asset, GasSupply) and asset.id in plan.power_kw["asset"].values:
            rows[node] -= plan.power_kw.sel(asset=asset.id, carrier=GAS).to_numpy()
            if asset.id in plan.unserved_kw["asset"].values:
                rows[node] += plan.unserved_kw.sel(asset=asset.id, carrier=GAS).to_numpy()
    coords = {"consumer": list(rows), "time": plan.horizon.times}
    return xr.DataArray(np.array(list(rows.values())), coords, ("consumer", "time"))


def _purchase(site: Site, plan: Plan) -> GasPurchase:
    gates = site.of_kind(GasSupply)
    prices = [c.price_per_kwh for c in site.contracts if isinstance(c, GasContract)]
    return GasPurchase(np.full(len(plan.horizon), min(prices, default=0.0)), sum(g.import_max_kw for g in gates))


def _table(site: Site, plan: Plan, asked: xr.DataArray, found: GasDay) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="gas by hour, local time", title_justify="left")
    for name in ("time", "asked, kW", "bought, kW", "least pressure, kPa"):
        table.add_column(name, justify="right")
    lowest = found.pressure_kpa.min("junction").to_numpy()
    total = asked.sum("consumer").to_numpy()
    per_hour = round(1.0 / float(plan.horizon.step_h[0]))
    for k in range(0, len(total), per_hour):
        at = local_time(plan.horizon.edges[k], site.location.time_zone, "%H:%M")
        part = slice(k, k + per_hour)
        table.add_row(
            at, f"{total[part].mean():,.0f}", f"{found.source_kw[part].mean():,.0f}", f"{lowest[part].min():,.0f}"
        )
    return table
