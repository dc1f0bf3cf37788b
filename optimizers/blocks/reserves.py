"""Capacity held ready: headroom on every provider, energy to sustain it, and what a contract asks and pays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from models.carriers import Carrier
from models.components import (
    ElectricBoiler,
    Electrolyser,
    Engine,
    EvFleet,
    FlexibleLoad,
    GridConnection,
    Pv,
    Store,
    Wind,
)
from models.site import ReserveContract, Site
from optimizers.blocks.book import Book, Facts, Values, group_name
from optimizers.compile.rules import Column, Rule, Step

HELD = "reserve"


@dataclass(frozen=True, slots=True)
class Held:
    """One contract's capacity on one provider."""

    contract: ReserveContract
    column: Column


@dataclass(frozen=True, slots=True)
class ReserveBlock:
    """Every contract on every provider; equal engines hold together what they plan together.

    The planned power is the mean with expected calls: of a reserve that is called for a share of the time, that share is in it already
    and only the rest needs headroom.
    """

    site: Site
    groups: tuple[tuple[Engine, ...], ...]

    def declare(self, book: Book) -> None:
        """Write what each provider holds, its headroom, and what each contract gets."""
        held = {name: self._declare_held(book, members) for name, members in self._providers().items()}
        for name, members in self._providers().items():
            _declare_headroom(book, self.site.asset(members[0]), name, held[name])
        self._declare_connection(book, [h for several in held.values() for h in several])
        for contract in self.site.reserves:
            self._declare_contract(
                book, contract, [h.column for hs in held.values() for h in hs if h.contract is contract]
            )

    def _providers(self) -> dict[str, tuple[str, ...]]:
        """Return the members behind every name that holds anything, in the order of the contracts."""
        of = {u.id: tuple(v.id for v in group) for group in self.groups for u in group}
        ids = dict.fromkeys(p for c in self.site.reserves for p in c.providers)
        groups = dict.fromkeys(of.get(i, (i,)) for i in ids)
        return {group_name(members): members for members in groups}

    def _declare_held(self, book: Book, members: tuple[str, ...]) -> list[Held]:
        mine = [c for c in self.site.reserves if members[0] in c.providers]
        return [Held(c, book.f.column(group_name(members), f"{HELD}_{c.id}_kw")) for c in mine]

    def _declare_connection(self, book: Book, held: Sequence[Held]) -> None:
        """Keep room for calls at the connections to the grid."""
        f, grids = book.f, self.site.of_kind(GridConnection)
        ports = [(f.columns[f"{g.id}.import_kw"], f.columns[f"{g.id}.export_kw"]) for g in grids]

        def imported(t: Step) -> Any:
            return sum(bought[t] - sold[t] for bought, sold in ports)

        def most(t: Step, way: str) -> Any:
            return sum(f.series(f"{g.id}.{way}_max_kw")[t] for g in grids)

        up, down = [h for h in held if h.contract.up], [h for h in held if h.contract.down]
        if up:
            f.row(HELD, "export_room", lambda t: _called(up, down, t) - imported(t) <= most(t, "export"))
        if down:
            f.row(HELD, "import_room", lambda t: imported(t) + _called(down, up, t) <= most(t, "import"))

    def _declare_contract(self, book: Book, contract: ReserveContract, held: Sequence[Column]) -> None:
        """Meet what was awarded, or pay for what is missing; earn for the rest up to what is taken."""
        f, name, step_h = book.f, contract.id, book.step_h
        missing, asked = f.column(name, "missing_kw"), f.series(f"{name}.asked_kw")
        f.row(name, "award", lambda t: sum(c[t] for c in held) + missing[t] >= asked[t])
        if contract.most_kw is not None:
            f.row(name, "most", lambda t: sum(c[t] for c in held) <= contract.most_kw)
        f.cost("reserve", name, lambda t: contract.short_price_per_kw_h * step_h[t] * missing[t])
        if contract.income_per_kw_h:
            f.cost("reserve", name, lambda t: -1.0 * contract.income_per_kw_h * step_h[t] * sum(c[t] for c in held))

    def values(self, facts: Facts) -> Values:
        """Return what each contract asks at each step."""
        asked = facts.problem.reserve_kw
        told = set() if asked is None else set(asked["contract"].values.tolist())
        return {
            f"{c.id}.asked_kw": asked.sel(contract=c.id).values if asked is not None and c.id in told else c.required_kw
            for c in self.site.reserves
        }


def provided(site: Site, unit: str) -> tuple[str, ...]:
    """Return the contracts that a unit holds capacity for: equal engines with different ones are planned apart."""
    return tuple(c.id for c in site.reserves if unit in c.providers)


def _called(toward: Sequence[Held], against: Sequence[Held], t: Step) -> Any:
    """Return by how much a full call moves the mean power one way: all that is held that way, less what the mean counts on already."""
    forth = sum((1.0 - h.contract.called_share) * h.column[t] for h in toward)
    back = sum(h.contract.called_share * h.column[t] for h in against if h.contract.called_share)
    return forth + back


def _moved(held: Sequence[Held]) -> bool:
    """Return whether expected calls are part of the mean power, so that the power without them needs its own room."""
    return any(h.contract.called_share for h in held)


def _declare_headroom(book: Book, asset: Any, name: str, held: Sequence[Held]) -> None:
    """Write the rows that keep what is held deliverable on one provider."""
    up, down = [h for h in held if h.contract.up], [h for h in held if h.contract.down]
    feeds = [x for x in book.feeds if x.asset == name and x.carrier is Carrier.ELECTRICITY]

    def power(t: Step) -> Any:
        return sum(book.at(x, t) for x in feeds)

    low, high = _range_of(book, asset, name)
    if up or _moved(down):
        book.f.row(name, "reserve_up", lambda t: power(t) + _called(up, down, t) <= high(t))
    if down or _moved(up):
        book.f.row(name, "reserve_down", lambda t: power(t) - _called(down, up, t) >= low(t))
    if isinstance(asset, Engine):
        _declare_running(book, asset, name, up, down)
    for number, row in enumerate(_energy_rows(book, asset, name, up, down)):
        book.f.row(name, f"reserve_energy_{number}", row)


def _range_of(book: Book, asset: Any, name: str) -> tuple[Rule, Rule]:
    """Return the lowest and highest power of a provider at a step, in terms of parameters and columns."""
    f = book.f
    match asset:
        case Engine():
            on, able = f.columns[f"{name}.on"], f.series(f"{name}.in_service")
            return (lambda t: asset.power_min_kw * on[t]), (lambda t: asset.power_max_kw * able[t])
        case Store():
            charge, discharge = f.series(f"{name}.charge_max_kw"), f.series(f"{name}.discharge_max_kw")
            return (lambda t: -1.0 * charge[t]), (lambda t: discharge[t])
        case FlexibleLoad():
            # only the shift is a feed here; the baseline is a draw beside it
            more, less = f.series(f"{name}.more_max_kw"), f.series(f"{name}.less_max_kw")
            return (lambda t: -1.0 * more[t]), (lambda t: less[t])
        case EvFleet():
            most = f.series(f"{name}.charge_max_kw")
            back = f.series(f"{name}.discharge_max_kw") if asset.v2g_kwh else None
            return (lambda t: -1.0 * most[t]), (lambda t: back[t] if back is not None else 0.0)
        case ElectricBoiler() | Electrolyser():
            size = f.series(f"{name}.output_max_kw")
            ratio = 1.0 / asset.efficiency if isinstance(asset, ElectricBoiler) else 1.0
            runs = f.columns.get(f"{name}.on")
            least_kw = asset.min_load_share * asset.power_max_kw if isinstance(asset, Electrolyser) else 0.0
            return (lambda t: -ratio * size[t]), (lambda t: -least_kw * runs[t] if runs is not None else 0.0)
        case Pv() | Wind():
            available = f.series(f"{name}.available_kw")
            return _nothing, (lambda t: available[t])
    raise TypeError(f"{name} cannot hold capacity ready")


def _nothing(_t: Step) -> float:
    return 0.0


def _declare_running(book: Book, asset: Engine, name: str, up: Sequence[Held], down: Sequence[Held]) -> None:
    """Let only running engines hold what spins, and no more than their ramp gives in time."""
    on, points = book.f.columns[f"{name}.on"], book.f.columns
    spinning = [h for h in up if h.contract.spinning]
    power_kw = asset.operating_points().power_kw
    weights = [points[f"{name}.weight_{k}"] for k in range(len(power_kw))]
    if spinning:
        book.f.row(
            name,
            "reserve_spinning",
            lambda t: (
                sum(p * w[t] for p, w in zip(power_kw, weights, strict=True)) + _called(spinning, down, t)
                <= asset.power_max_kw * on[t]
            ),
        )
    for way, several in (("up", up), ("down", down)):
        for h in several:
            reach = asset.ramp_kw_per_min * h.contract.response_min
            if reach < asset.power_max_kw and (h.contract.spinning or way == "down"):
                _declare_reach(book, name, f"reserve_{h.contract.id}_{way}_ramp", h.column, reach)


def _declare_reach(book: Book, name: str, row: str, held: Column, reach_kw: float) -> None:
    """Bound what is held by what each running engine can ramp in time."""
    on = book.f.columns[f"{name}.on"]
    book.f.row(name, row, lambda t: held[t] <= reach_kw * on[t])


def _energy_rows(book: Book, asset: Any, name: str, up: Sequence[Held], down: Sequence[Held]) -> Iterator[Rule]:
    """Yield the rows that keep enough stored, before and after each step, to answer every call for as long as it may last.

    Where nobody makes good a call, what it moves must also be there, or have room, at the lowest and the highest level that is still to come.
    """
    if not isinstance(asset, Store | FlexibleLoad | EvFleet):
        return
    stored = book.f.columns[f"{name}.stored_kwh"]

    def lasting(held: Sequence[Held], t: Step) -> Any:
        return sum(h.contract.sustain_h * h.column[t] for h in held)

    if isinstance(asset, EvFleet):
        allowed = book.f.series(f"{name}.allowed_kwh")
        if up:
            yield lambda t: stored[t] + asset.efficiency * lasting(up, t) <= allowed[t]
        if down:
            yield lambda t: stored[t] - asset.efficiency * lasting(down, t) >= 0.0
        return
    moved, least, most = _exchange(asset)
    if up:
        yield lambda t: stored[t - 1] - moved * lasting(up, t) >= least
        yield lambda t: stored[t] - moved * lasting(up, t) >= least
    if down:
        yield lambda t: stored[t - 1] + moved * lasting(down, t) <= most
        yield lambda t: stored[t] + moved * lasting(down, t) <= most
    if missed := [h for h in up if not h.contract.recovers]:
        lowest = book.f.column(name, "lowest_later_kwh", lower=least, upper=most)
        yield lambda t: lowest[t] <= stored[t]
        yield lambda t: lowest[t - 1] <= lowest[t]
        yield lambda t: lowest[t] - moved * lasting(missed, t) >= least
    if added := [h for h in down if not h.contract.recovers]:
        highest = book.f.column(name, "highest_later_kwh", lower=least, upper=most)
        yield lambda t: highest[t] >= stored[t]
        yield lambda t: highest[t - 1] >= highest[t]
        yield lambda t: highest[t] + moved * lasting(added, t) <= most


def _exchange(asset: Store | FlexibleLoad) -> tuple[float, float, float]:
    """Return the stored energy that a called kWh moves at most, and the limits of what is stored.

    What a store feeds less stays in it with the losses of feeding, which is more than the same drawn would bring.
    """
    if isinstance(asset, Store):
        return 1.0 / asset.discharge_efficiency, asset.stored_min_kwh, asset.stored_max_kwh
    return 1.0, -asset.shiftable_kwh, asset.shiftable_kwh
