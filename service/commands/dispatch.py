"""``dispatch``: the cheapest plan for one day, checked by the twin."""

from pathlib import Path

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table

from models.carriers import Carrier
from models.components import Store
from models.dispatch import Plan
from models.site import Site
from models.site.file import load_site
from service.commands.files import require_writable
from service.commands.plan_files import WRITERS, write_plan
from service.commands.screen import console, findings_table, searching
from service.console.figures import grouped, local_time
from service.day_plan import DayAsked, made_plan
from service.history import History
from service.memory import MadePlan
from service.views.groups import by_kind

SHOWN_KW = 0.5
SHORT = {
    "grid_connection": "grid",
    "extraction_chp": "turb",
    "gas_supply": "gas",
    "heat_pump": "pump",
    "gas_boiler": "boil",
    "electric_boiler": "e-b",
    "electric_chiller": "chill",
    "absorption_chiller": "abs",
    "electrolyser": "H2",
    "battery": "bat",
    "hot_tank": "hot",
    "cold_store": "cold",
    "ev_fleet": "ev",
    "flexible_load": "flex",
}
"""Column heads that let a day fit on a terminal."""


def plan_day(site_file: Path, asked: DayAsked, out: Path | None) -> int:
    """Plan a local day, print the plan and what the twin says; return 1 when the twin objects."""
    require_writable(out, WRITERS)
    site = load_site(site_file)
    asked.read(site)  # what cannot be read is told before the spinner turns
    with searching("the plan of the day") as (_, told):
        made = made_plan(site, asked, told)
    plan, check = made.plan, made.check
    assert check is not None  # noqa: S101 - the plan of a day is always replayed
    if out is not None:
        write_plan(made, out)
    console.print(plan_table(site, made))
    console.print(cost_line(site, plan))
    for line in supply_lines(plan):
        console.print(line, markup=False)
    if check.findings:
        console.print(findings_table(check.findings, "The twin's replay"))
    console.print("the twin agrees" if check.ok else "[bold red]the twin objects[/]", f"({check.seconds:.1f} s)")
    return 0 if check.ok else 1


COLUMNS_SHOWN = 9
"""So many columns of figures fit beside the time on a terminal of eighty characters."""


def plan_table(site: Site, made: MadePlan) -> Group:
    """Return a plan by hour, local time: power of every kind that moves (kW on its control carrier), then how full stores are."""
    columns = [*power_columns(site, made), *store_columns(site, made)]
    times = [local_time(made.plan.horizon.edges[h[0]], site.location.time_zone, "%H:%M") for h in hours_of(made.plan)]
    title = f"{site.title}, {made.plan.source}, kW (positive feeds the network), stores in %"
    pieces = [columns[k : k + COLUMNS_SHOWN] for k in range(0, len(columns), COLUMNS_SHOWN)]
    return Group(*(_piece(title if k == 0 else None, times, piece) for k, piece in enumerate(pieces)))


def _piece(title: str | None, times: list[str], columns: list[tuple[str, list[str]]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("time", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    for row, at in enumerate(times):
        table.add_row(at, *(cells[row] for _, cells in columns))
    return table


def power_columns(site: Site, made: MadePlan) -> list[tuple[str, list[str]]]:
    """Return a column of hourly means for every kind of equipment that does anything in the plan."""
    history, hours, found = History(site), hours_of(made.plan), []
    for kind, assets in by_kind(site).items():
        if kind == "consumer":
            continue
        ports = [(history.assets.index(a.id), history.carriers.index(_shown(a.control))) for a in assets]
        means = [float(np.mean([sum(made.power_kw[k, i, c] for i, c in ports) for k in hour])) for hour in hours]
        if max(abs(m) for m in means) >= SHOWN_KW:
            found.append((SHORT.get(kind, kind), [grouped(m) for m in means]))
    return found


def store_columns(site: Site, made: MadePlan) -> list[tuple[str, list[str]]]:
    """Return a column with every store's content at the end of each hour, percent."""
    history, hours = History(site), hours_of(made.plan)
    stores = [a for a in site.assets if isinstance(a, Store)]
    return [
        (
            f"{SHORT.get(s.kind, s.kind)} %",
            [grouped(100 * float(made.stored_kwh[h[-1], history.assets.index(s.id)]) / s.energy_kwh) for h in hours],
        )
        for s in stores
    ]


def hours_of(plan: Plan) -> list[list[int]]:
    """Return the steps of a plan by the hour that they start in."""
    found: dict[object, list[int]] = {}
    for index, edge in enumerate(plan.horizon.edges[:-1]):
        found.setdefault(edge.replace(minute=0, second=0, microsecond=0), []).append(index)
    return list(found.values())


def cost_line(site: Site, plan: Plan) -> str:
    """Return what the plan costs, part by part, and how it was found."""
    parts = ", ".join(f"{name} {grouped(value)}" for name, value in plan.cost.items() if abs(value) >= 0.5)
    solver = plan.solver
    words = "certified" if solver.certified else "not certified"
    return (
        f"[bold]{grouped(plan.total_cost)} {site.currency}[/]: {parts}\n"
        f"{solver.status}, {100 * solver.gap_share:.2f} % from the bound, {words}; built in {solver.build_s:.2f} s, solved in {solver.solve_s:.2f} s"
        f"{proof_line(site, plan)}"
    )


def proof_line(site: Site, plan: Plan) -> str:
    """Return what the grid says of a plan; nothing for a plan without a grid."""
    proof = plan.proof
    if proof is None:
        return ""
    rounds = "1 replay" if proof.rounds == 1 else f"{proof.rounds} replays"
    return (
        f"\ngrid: {proof.status.replace('_', ' ')} after {rounds}; on the grid the plan costs {grouped(proof.replayed_cost)} {site.currency}, "
        f"none can cost less than {grouped(proof.lower_bound)}; losses {grouped(proof.loss_kwh)} kWh, "
        f"cables at most {100 * (1 - proof.margins['loading_share']):.0f} % loaded, limits cost {grouped(proof.security_cost)} {site.currency}"
    )


def supply_lines(plan: Plan) -> list[str]:
    """Return what the plan says of heat networks whose supply temperature was free to move."""
    if plan.supply_degc is None:
        return []
    networks = {str(n) for n in plan.supply_degc["network"].values}
    return [f"{f.place}: {f.message}" for f in plan.findings if f.place in networks]


def _shown(carrier: Carrier) -> Carrier:
    return Carrier.ELECTRICITY if carrier is Carrier.WATER else carrier
