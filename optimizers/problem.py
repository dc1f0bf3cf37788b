"""From a dispatch problem to named parameters: which blocks a site has, their numbers, and what is wrong before any solver runs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import (
    AbsorptionChiller,
    Consumer,
    ElectricBoiler,
    ElectricChiller,
    Electrolyser,
    Engine,
    EvFleet,
    FlexibleLoad,
    GasBoiler,
    GasSupply,
    GridConnection,
    HeatPump,
    Pv,
    Store,
    Wind,
)
from models.dispatch import DispatchProblem
from models.labelled import rows_of
from models.site import GasContract, Site
from optimizers.blocks import converters, engines
from optimizers.blocks.book import Block, Book, Facts, Values
from optimizers.blocks.calls import CallBlock
from optimizers.blocks.demand import ConsumerBlock, FleetBlock, FlexibleLoadBlock
from optimizers.blocks.emissions import EmissionCap
from optimizers.blocks.engines import EngineBlock, EngineShape
from optimizers.blocks.grid import GridBlock, GridShape
from optimizers.blocks.position import PositionBlock
from optimizers.blocks.reserves import ReserveBlock, provided
from optimizers.blocks.stores import StoreBlock
from optimizers.blocks.supply import GasBlock, RenewableBlock
from optimizers.compile.rules import Formulation
from optimizers.compile.stencil import Stencil

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Structure:
    """What fixes the shape of a problem, so that problems of one structure share a compiled program.

    Engines are per group of equal ones, grids per connection.
    """

    engines: tuple[EngineShape, ...]
    grids: tuple[GridShape, ...]
    co2_cap: bool
    calls: bool
    traded: bool
    carriers: tuple[Carrier, ...]

    @classmethod
    def of(cls, problem: DispatchProblem) -> "Structure":
        """Return the structure of ``problem``."""
        site, step_h = problem.site, problem.horizon.step_h
        groups = _engine_groups(site)
        return cls(
            engines=tuple(EngineShape.of(g[0], step_h) for g in groups),
            grids=tuple(GridShape.of(problem, g, first=k == 0) for k, g in enumerate(site.of_kind(GridConnection))),
            co2_cap=problem.co2_cap is not None,
            calls=bool(problem.events),
            traded=problem.market is not None and problem.market.bought_kw is not None,
            carriers=tuple(c for c in ENERGY_CARRIERS if c in site.carriers),
        )


def _engine_groups(site: Site) -> list[tuple[Engine, ...]]:
    return engines.engine_groups(site.engines, lambda unit: provided(site, unit))


def blocks_of(site: Site, structure: Structure) -> list[Block]:
    """Return the blocks of a site, supply first."""
    grids, gates = site.of_kind(GridConnection), site.of_kind(GasSupply)
    found: list[Block] = [GridBlock(g, shape) for g, shape in zip(grids, structure.grids, strict=True)]
    found += [GasBlock(g, _gas_contract(site, g)) for g in gates]
    found += [EmissionCap((*grids, *gates))] if structure.co2_cap else []
    found += [RenewableBlock(u) for u in site.of_kind(Pv)]
    found += [RenewableBlock(u) for u in site.of_kind(Wind)]
    groups = _engine_groups(site)
    found += [EngineBlock(g, shape) for g, shape in zip(groups, structure.engines, strict=True)]
    found += [converters.gas_boiler(u) for u in site.of_kind(GasBoiler)]
    found += [converters.HeatPumpBlock(u) for u in site.of_kind(HeatPump)]
    found += [converters.electric_boiler(u) for u in site.of_kind(ElectricBoiler)]
    found += converters.electric_chillers(site.of_kind(ElectricChiller))
    found += [converters.absorption_chiller(u) for u in site.of_kind(AbsorptionChiller)]
    found += [converters.ElectrolyserBlock(u) for u in site.of_kind(Electrolyser)]
    found += [StoreBlock(s) for s in site.of_kind(Store)]
    found += [FlexibleLoadBlock(u) for u in site.of_kind(FlexibleLoad)]
    found += [FleetBlock(u) for u in site.of_kind(EvFleet)]
    found += [ConsumerBlock(u) for u in site.of_kind(Consumer)]
    found += [CallBlock(grids)] if structure.calls else []
    found += [PositionBlock(grids)] if structure.traded else []
    found += [ReserveBlock(site, tuple(groups))] if site.reserves else []
    return found


def write_book(blocks: Iterable[Block], carriers: Sequence[Carrier]) -> Book:
    """Return the formulation of the blocks with one balance per carrier: all feeds, gaps included, meet demand and losses."""
    book = Book()
    _ = book.step_h
    for block in blocks:
        block.declare(book)
    for carrier in carriers:
        _declare_balance(book, carrier)
    return book


def _declare_balance(book: Book, carrier: Carrier) -> None:
    """Balance one carrier.

    Demand may go unmet at a price, so that an impossible day still has a plan; what the network itself lacks for its losses
    or has too much of costs twice as much.
    """
    f, name = book.f, carrier.value
    feeds = [feed for feed in book.feeds if feed.carrier is carrier]
    draws, loss = [d.wanted for d in book.draws if d.carrier is carrier], f.series(f"{name}.loss_kw")
    lacking, spare, price = f.column(name, "lacking_kw"), f.column(name, "spare_kw"), f.series("unserved_per_kw")
    gaps = [lacking]
    if draws:
        gaps.append(f.column(name, "unserved_kw", upper=lambda t: sum(d[t] for d in draws)))
    # everything on the left: of two expressions Pyomo may swap the sides, and a price is read from this row with its sign
    f.row(
        name,
        "balance",
        lambda t: (
            sum(book.at(x, t) for x in feeds) + sum(g[t] for g in gaps) - spare[t] - loss[t] - sum(d[t] for d in draws)
            == 0.0
        ),
    )
    # the network's own gaps are dearer, so that demand goes unmet before losses do and nothing is made to be spared
    for gap, dearer in ((lacking, 2.0), (spare, 2.0), *((g, 1.0) for g in gaps[1:])):
        f.cost("unserved", name, lambda t, g=gap, k=dearer: k * price[t] * g[t])  # type: ignore[misc]


def formulation_of(problem: DispatchProblem) -> Formulation:
    """Return the formulation of a problem, for reading, for other solvers and for tests."""
    structure = Structure.of(problem)
    return write_book(blocks_of(problem.site, structure), structure.carriers).f


def stencil_of(site: Site, structure: Structure) -> Stencil:
    """Return the stencil of all problems with this site and structure; only this needs Pyomo."""
    from optimizers.compile.template import read

    return read(write_book(blocks_of(site, structure), structure.carriers).f)


def structure_content(site: Site, structure: Structure) -> dict[str, Any]:
    """Return everything a stencil depends on, as plain data to be hashed."""
    assets = [{**asdict(a), "sources": None, "title": None} for a in site.assets]
    return {"assets": assets, "reserves": [asdict(r) for r in site.reserves], "structure": asdict(structure)}


def facts_of(problem: DispatchProblem) -> Facts:
    """Return the problem's numbers as plain arrays."""
    step_h = problem.horizon.step_h
    rows = rows_of(problem.forecast.values, "series")
    stored = problem.initial.stored_kwh
    return Facts(
        problem=problem,
        step_h=step_h,
        start_h=np.concatenate([[0.0], np.cumsum(step_h)[:-1]]),
        series=rows,
        available=_available(problem),
        stored_kwh=dict(zip(stored["asset"].values.tolist(), stored.values.tolist(), strict=True)),
    )


def _available(problem: DispatchProblem) -> dict[str, Floats]:
    shares = problem.available_share
    if shares is None:
        return {}
    return rows_of(shares, "asset")


def parameters_of(facts: Facts, blocks: Iterable[Block], carriers: Sequence[Carrier]) -> Values:
    """Return the value of every parameter of the problem."""
    found: Values = {
        "step_h": facts.step_h,
        "unserved_per_kw": facts.problem.unserved_price_per_kwh * facts.step_h,
    }
    losses = facts.problem.losses_kw
    lost = {} if losses is None else rows_of(losses, "carrier")
    for carrier in carriers:
        found[f"{carrier.value}.loss_kw"] = lost.get(carrier.value, 0.0)
    for block in blocks:
        found |= block.values(facts)
    return found


def _gas_contract(site: Site, gate: GasSupply) -> GasContract:
    contract = site.contract(gate.contract)
    if not isinstance(contract, GasContract):
        raise TypeError(f"{gate.id}: contract {gate.contract} is not a gas contract")
    return contract
