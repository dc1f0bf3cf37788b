"""Calls on capacity that is held ready, replayed: every provider must give what it holds, whenever it is called and for as long as agreed.

A call takes from each provider, at every instant, what it holds in the step of that instant. What a call moves in a store is missed, or in
its way, for the rest of the plan; a store that recovers must only last through the call.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import Engine, FlexibleLoad, Store
from models.dispatch import Plan
from models.findings import Finding, error
from models.limits import power_range_kw
from models.site import ReserveContract, Site

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
STARTS = 4
"""Instants within each step at which a call may begin."""
TOLERANCE_KW = 0.5
TOLERANCE_KWH = 0.5


@dataclass(frozen=True, slots=True)
class CallReplay:
    """How many calls were replayed, how many could not be answered, and where: one finding per contract, direction and provider."""

    calls: int
    failed: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """One provider under one contract and direction; arrays over quarters of steps, powers at them, contents at their ends."""

    power_kw: Floats
    call_kw: Floats
    stored_kwh: Floats
    running: Floats


def replay_calls(plan: Plan, site: Site, stored_before_kwh: dict[str, float]) -> CallReplay:
    """Return what full calls on every contract of a plan would meet, each beginning at four instants of every step."""
    if plan.reserve_kw is None:
        return CallReplay(0, 0, ())
    calls, failed, found = 0, 0, list[Finding]()
    fine_h = np.repeat(plan.horizon.step_h / STARTS, STARTS)
    for contract in site.reserves:
        for sign in (s for s, asked in ((1.0, contract.up), (-1.0, contract.down)) if asked):
            broken = np.zeros(len(fine_h), dtype=bool)
            for asset in plan.reserve_kw["asset"].to_numpy().tolist():
                mine = _broken(plan, site, contract, str(asset), sign, fine_h, stored_before_kwh)
                broken |= mine
                found += _words(plan, contract, str(asset), sign, mine)
            calls, failed = calls + len(fine_h), failed + int(broken.sum())
    return CallReplay(calls, failed, tuple(found))


def _broken(
    plan: Plan, site: Site, contract: ReserveContract, name: str, sign: float, fine_h: Floats, before: dict[str, float]
) -> Flags:
    """Return from which instants on a provider cannot answer a call."""
    assert plan.reserve_kw is not None  # noqa: S101 - asked for by the caller
    held = plan.reserve_kw.sel(contract=contract.id, asset=name).to_numpy()
    nothing = np.zeros(len(fine_h), dtype=bool)
    if not (held > TOLERANCE_KW).any():
        return nothing
    asset = site.asset(name)
    power = plan.power_kw.sel(asset=name, carrier=Carrier.ELECTRICITY.value).to_numpy()
    call = np.repeat(sign * held, STARTS)
    power = np.repeat(power, STARTS)
    running = (
        np.repeat(plan.running.sel(asset=name).to_numpy(), STARTS) if isinstance(asset, Engine) else np.ones(len(call))
    )
    short = _beyond_power(asset, power, call, running)
    late = nothing
    if isinstance(asset, Store | FlexibleLoad):
        stored = plan.stored_kwh.sel(asset=name).to_numpy()
        late = _beyond_energy(asset, power, call, _between(stored, before.get(name, stored[0])), fine_h, contract)
    return _during(short, fine_h, contract.sustain_h) | late


def _beyond_power(asset: object, power: Floats, call: Floats, running: Floats) -> Flags:
    """Return the instants at which what is called does not fit into the power range."""
    if isinstance(asset, Engine):
        low, high = asset.power_min_kw * running, asset.power_max_kw * np.maximum(running, (call > 0) * 1.0)
    else:
        limits = power_range_kw(asset)  # type: ignore[arg-type] # whatever holds capacity is an asset
        if limits is None:
            return np.zeros(len(call), dtype=bool)
        low, high = np.full(len(call), limits[0]), np.full(len(call), limits[1])
    after = power + call
    found: Flags = (np.abs(call) > TOLERANCE_KW) & ((after < low - TOLERANCE_KW) | (after > high + TOLERANCE_KW))
    return found


def _beyond_energy(
    asset: Store | FlexibleLoad, power: Floats, call: Floats, stored: Floats, fine_h: Floats, contract: ReserveContract
) -> Flags:
    """Return from which instants on a call runs a store out of its limits, while it lasts or, unless it recovers, later."""
    give, take, least, most = _exchange(asset)
    moved = (_drawn(power + call, give, take) - _drawn(power, give, take)) * fine_h
    found, count = np.zeros(len(call), dtype=bool), len(call)
    for start in range(count):
        lasts = _share_within(fine_h[start:], contract.sustain_h)
        missing = np.cumsum(moved[start:] * lasts)
        after = stored[start:] - missing
        seen = lasts > 0 if contract.recovers else np.ones(count - start, dtype=bool)
        found[start] = bool(((after < least - TOLERANCE_KWH) | (after > most + TOLERANCE_KWH))[seen].any())
    return found


def _drawn(power: Floats, give: float, take: float) -> Floats:
    """Return how fast a store empties at a power; positive feeds."""
    return np.where(power > 0, power * give, power * take)


def _exchange(asset: Store | FlexibleLoad) -> tuple[float, float, float, float]:
    if isinstance(asset, Store):
        return 1.0 / asset.discharge_efficiency, asset.charge_efficiency, asset.stored_min_kwh, asset.stored_max_kwh
    return 1.0, 1.0, -asset.shiftable_kwh, asset.shiftable_kwh


def _share_within(fine_h: Floats, lasts_h: float) -> Floats:
    """Return the share of each following instant that lies within a call."""
    ends = np.cumsum(fine_h)
    return np.clip((lasts_h - (ends - fine_h)) / fine_h, 0.0, 1.0)


def _during(short: Flags, fine_h: Floats, lasts_h: float) -> Flags:
    """Return from which instants on a call meets an instant that is short."""
    return np.array(
        [bool((short[k:] & (_share_within(fine_h[k:], lasts_h) > 0)).any()) for k in range(len(short))], dtype=bool
    )


def _between(stored: Floats, before: float) -> Floats:
    """Return contents at the ends of all quarters of steps, on straight lines between the steps' ends."""
    edges = np.concatenate([[before], stored])
    shares = (np.arange(STARTS) + 1.0) / STARTS
    return (edges[:-1, None] + np.diff(edges)[:, None] * shares).ravel()


def _words(plan: Plan, contract: ReserveContract, name: str, sign: float, broken: Flags) -> Iterator[Finding]:
    if broken.any():
        first = int(np.argmax(broken)) // STARTS
        way = "more" if sign > 0 else "less"
        yield error(
            contract.id,
            f"{name} cannot feed {way} for {contract.sustain_h:g} h when called at {plan.horizon.edges[first]:%Y-%m-%d %H:%M} UTC, nor at "
            f"{int(broken.sum()) - 1} other instants; hold less there or let it recover",
            name,
            value=float(broken.sum()),
        )
