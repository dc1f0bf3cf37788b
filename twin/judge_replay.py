"""What the replay of a plan shows: networks beyond their limits, demand unmet, units that cannot do what was planned."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.components import ColdStore, Consumer, GasSupply, GridConnection, HotTank, Meter, Store
from models.dispatch import Plan
from models.findings import Finding, Severity
from models.site import Site
from models.station import Port
from models.told import Told, told
from twin.judge_networks import judge_network
from twin.judge_plan import PlannedUnits
from twin.step import FloatArray, Replay
from twin.words import Speaker, Worst, worst_above

FLOATING = (GridConnection, GasSupply, HotTank, ColdStore, Consumer, Meter)
"""What follows from everything else and is not told what to do."""
UNSERVED_KW = 1.0
UNSETTLED_KW = 1.0
MOVED_SHARE = 0.02
"""A unit that does within 2 % of its plan does its plan."""
STORED_SHARE = 0.05
"""How far a store may stand from its plan at the end of the horizon before anybody should know, as a share of its size."""


def judge_replay(plan: Plan, planned: PlannedUnits, site: Site, replay: Replay) -> list[Finding]:
    """Return everything that the replay forbids or that a reader of the plan should know."""
    speaker = Speaker(plan.horizon)
    findings: list[Finding] = []
    for _, network in site.networks:
        findings += judge_network(network, replay.networks.states[network.id], speaker)
    findings += _connections(site, replay, speaker)
    findings += _unserved(plan, replay, speaker)
    findings += _corrected(planned, site, replay, speaker)
    findings += _stores(planned, site, replay)
    findings += _unsettled(replay, speaker)
    return findings


def _unsettled(replay: Replay, speaker: Speaker) -> Iterator[Finding]:
    """Yield the steps in which machines come and go with what the networks lose, so that neither answer holds."""

    def fact(worst: Worst) -> Told:
        return told("unsettled", "machines and networks disagree by {kw:.1f} kW about what is lost,", kw=worst.value)

    way_on = told("leave_room", "A unit trips at its limit and comes back; leave it some room.")
    yield from speaker.finding(
        Severity.WARNING, "networks", worst_above(replay.residual_kw, 0.0, UNSETTLED_KW), fact, way_on
    )


def _connections(site: Site, replay: Replay, speaker: Speaker) -> Iterator[Finding]:
    """Yield connections that the replay drives to their limit, where the next kilowatt is cut off."""
    kinds: Sequence[GridConnection | GasSupply] = (*site.of_kind(GridConnection), *site.of_kind(GasSupply))

    def fact(worst: Worst) -> Told:
        return told("all_import", "the import of {kw:.0f} kW is all that the connection allows,", kw=worst.value)

    for asset in kinds:
        power = np.array([b.power_kw[asset.id, asset.control] for b in replay.balances])
        worst = worst_above(power, asset.import_max_kw, -1e-3)
        yield from speaker.finding(
            Severity.WARNING, asset.id, worst, fact, told("generate_more", "Generate, discharge or shift more.")
        )


def _unserved(plan: Plan, replay: Replay, speaker: Speaker) -> Iterator[Finding]:
    """Yield demand that nobody meets: an error when the plan does not know, a warning when it says so itself."""
    for port in sorted({p for b in replay.balances for p in b.unserved_kw}):
        short = np.array([b.unserved_kw.get(port, 0.0) for b in replay.balances])
        yield from _short(port, short, _declared(plan, port, len(short)), speaker)


def _short(port: Port, short_kw: FloatArray, declared_kw: FloatArray, speaker: Speaker) -> Iterator[Finding]:
    asset, carrier = port[0], port[1].value
    named = told(carrier, carrier)

    def news(worst: Worst) -> Told:
        pattern = "{kw:.0f} kW of {carrier} demand cannot be met, the plan says {known:.0f} kW,"
        return told("unmet", pattern, kw=worst.value, carrier=named, known=worst.limit)

    def known(worst: Worst) -> Told:
        pattern = "{kw:.0f} kW of {carrier} demand stays unmet, as the plan says,"
        return told("stays_unmet", pattern, kw=worst.value, carrier=named)

    way_on = told("run_more", "Run more {carrier} supply, or start with fuller stores.", carrier=named)
    new = worst_above(short_kw, declared_kw, UNSERVED_KW)
    yield from speaker.finding(Severity.ERROR, asset, new, news, way_on, asset, carrier)
    if new is None:
        yield from speaker.finding(Severity.WARNING, asset, worst_above(short_kw, 0.0, UNSERVED_KW), known, way_on)


def _declared(plan: Plan, port: Port, steps: int) -> FloatArray:
    """Return the demand that the plan itself leaves unmet at a port, shape (time,)."""
    table = plan.unserved_kw
    if port[0] not in table["asset"].values or port[1].value not in table["carrier"].values:
        return np.zeros(steps)
    return np.asarray(table.sel(asset=port[0], carrier=port[1].value).to_numpy(), dtype=float)


def _corrected(planned: PlannedUnits, site: Site, replay: Replay, speaker: Speaker) -> Iterator[Finding]:
    """Yield units that end up doing something else than planned, because a store or a limit gets in the way."""
    for asset in (a for a in site.assets if not isinstance(a, FLOATING)):
        if asset.id in planned.control_kw:
            done = np.array([b.power_kw[asset.id, asset.control] for b in replay.balances])
            yield from _differs(asset.id, planned.control_kw[asset.id], done, speaker)


def _differs(asset: str, wanted: FloatArray, done: FloatArray, speaker: Speaker) -> Iterator[Finding]:
    size = float(max(np.abs(wanted).max(), np.abs(done).max()))
    off = np.abs(done - wanted)

    def fact(worst: Worst) -> Told:
        pattern = "{wanted:.0f} kW planned, {done:.0f} kW happens because stores or limits leave no choice,"
        return told("no_choice", pattern, wanted=wanted[worst.step], done=done[worst.step])

    way_on = told("plan_replayed", "Plan again from the replayed state and losses.")
    worst = worst_above(off, 0.0, max(MOVED_SHARE * size, 5.0))
    yield from speaker.finding(Severity.WARNING, asset, worst, fact, way_on)


def _stores(planned: PlannedUnits, site: Site, replay: Replay) -> Iterator[Finding]:
    for store in (a for a in site.assets if isinstance(a, Store)):
        if store.id not in planned.stored_kwh:
            continue
        plan_kwh = float(planned.stored_kwh[store.id][-1])
        found_kwh = replay.stored_kwh[-1][store.id]
        if abs(found_kwh - plan_kwh) > STORED_SHARE * store.energy_kwh:
            pattern = "{found:.0f} kWh left at the end of the horizon, the plan says {planned:.0f} kWh. Plan again with the replayed losses."
            words = told("left_at_end", pattern, found=found_kwh, planned=plan_kwh)
            yield Finding(Severity.WARNING, store.id, words, (store.id,), found_kwh, plan_kwh)
