"""The estimator looks over the synchroniser's shoulder: a meter that no state of the site explains is marked, and nobody is to act on it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.carriers import Carrier
from models.ports import Command, Quality, Reading
from models.site import Site
from models.state import Snapshot, TagState
from twin.candidate import Candidates
from twin.estimate.live import LiveEstimator
from twin.estimate.problem import Origin, SensorReport, SensorStatus
from twin.estimate.site import SiteEstimate
from twin.sync import Synchroniser

Key = tuple[str, str]
"""Asset and quantity of a value."""
EVERY = timedelta(minutes=1)
CONVINCED = 2
"""So many estimates in a row have to take a meter out before it is disputed, or let it in before it is trusted again."""
RESTING = 0.0
DISPUTABLE = ("_kw", "_pu", "_kpa")
"""Quantities that can be disputed; temperatures tell of water that left long ago, and in quiet pipes nobody knows when."""
QUANTITY_OF = {"vm_pu": "voltage_pu", "delta_k": "return_degc"}
"""What the estimator's rows are called where a device calls them otherwise."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an estimate says of the site's meters.

    ``residual`` is measured minus modelled of every meter that the estimate can judge, in the unit of its name; ``disputed`` are the
    meters that lie. ``powers`` are the reconciled powers as (asset, carrier, kW).
    """

    at: datetime
    plausible: bool
    residual: Mapping[str, float]
    disputed: tuple[Key, ...]
    powers: tuple[tuple[str, Carrier, float], ...]


def unseen(verdict: Verdict) -> None:
    """Look at nothing."""
    del verdict


class Watch:
    """A synchroniser whose snapshots say of every disputed value that it is uncertain, and by how much it is off.

    Parameters
    ----------
    inner
        Makes the snapshots.
    every
        Time between two estimates; between them the last verdict stands.
    listener
        Is given every verdict.
    """

    def __init__(
        self,
        site: Site,
        inner: Synchroniser,
        *,
        every: timedelta = EVERY,
        listener: Callable[[Verdict], None] = unseen,
    ) -> None:
        self.inner, self.every, self.listener = inner, every, listener
        self._estimator = LiveEstimator(site)
        self._names = _names(site)
        self._against: Counter[Key] = Counter()
        self._disputed: set[Key] = set()
        self._asset_of = {d.id: d.asset for d in site.devices}
        self._candidates = Candidates(site)
        self.verdict: Verdict | None = None
        self._asked: datetime | None = None

    def snapshot(self, readings: Sequence[Reading], now: datetime) -> Snapshot:
        """Return the state of the site at ``now``, disputed values marked."""
        found = self.inner.snapshot(readings, now)
        if self._asked is None or now - self._asked >= self.every:
            self._asked = now
            self._judge(readings, now)
        return marked(found, self.verdict)

    def objection(self, command: Command) -> str | None:
        """Return why a command must not be given now, in words; what stops a unit is never forbidden.

        A set-point acts on what its asset does and holds; while one of these values is disputed nobody knows what it would do. Where
        it is known, the power flow of the state with the set-point must not break what holds without it.
        """
        asset = self._asset_of.get(command.device)
        verdict = self.verdict
        if verdict is None or command.value == RESTING or command.quantity != "setpoint_kw":
            return None
        for place, quantity in verdict.disputed:
            if place == asset and (quantity.endswith("_kw") or quantity.startswith("stored_")):
                off = verdict.residual[f"{place}.{quantity}"]
                return (
                    f"{quantity} of {place} is {off:+.4g} off what every other meter says; check the meter."
                    " Until it fits again, only 0 is written"
                )
        return self._candidates.objection(command)

    def _judge(self, readings: Sequence[Reading], now: datetime) -> None:
        """Estimate once more; where no state is found nothing is known of any meter until the next time."""
        try:
            estimate = self._estimator.update(readings, now)
        except Exception:  # whatever it stumbles over, an adviser must not stop the loop that it advises
            self._give(Verdict(now, plausible=False, residual={}, disputed=(), powers=()))
            return
        reports = [r for r in estimate.estimate.sensors if r.sensor.origin is Origin.METER]
        removed = (key for r in reports if r.status is SensorStatus.REMOVED for key in self._keys(r))
        self._count({key for key in removed if key[1].endswith(DISPUTABLE)})
        residual = {
            f"{a}.{q}": r.measured - r.modelled
            for r in reports
            if r.status is not SensorStatus.UNTESTABLE
            for a, q in self._keys(r)
        }
        disputed = tuple(sorted(k for k in self._disputed if f"{k[0]}.{k[1]}" in residual))
        powers = tuple(_powers(estimate))
        self._candidates.present({(asset, carrier): kw for asset, carrier, kw in powers})
        self._give(Verdict(now, estimate.estimate.plausible, residual, disputed, powers))

    def _give(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.listener(verdict)

    def _count(self, removed: set[Key]) -> None:
        """Dispute what was taken out often enough in a row, trust again what was let in as often."""
        for key in removed | self._disputed | set(self._against):
            before = self._against[key]
            step = 1 if key in removed else -1
            self._against[key] = min(max(before + step, 0), CONVINCED)
            if self._against[key] == CONVINCED:
                self._disputed.add(key)
            elif self._against[key] == 0:
                self._disputed.discard(key)
                del self._against[key]

    def _keys(self, report: SensorReport) -> tuple[Key, ...]:
        """Return the values behind a row of the estimate."""
        return self._names.get((report.sensor.element, report.sensor.quantity), ())


def marked(snapshot: Snapshot, verdict: Verdict | None) -> Snapshot:
    """Return the snapshot with a verdict in its tags: how far measured and modelled differ, and what is disputed as uncertain."""
    if verdict is None:
        return snapshot
    disputed = set(verdict.disputed)
    tags = {
        key: _marked(tag, verdict.residual.get(f"{key[0]}.{key[1]}"), key in disputed)
        for key, tag in snapshot.tags.items()
    }
    return replace(snapshot, tags=tags)


def _marked(tag: TagState, residual: float | None, disputed: bool) -> TagState:
    quality = Quality.UNCERTAIN if disputed and tag.quality is Quality.GOOD else tag.quality
    return TagState(quality, tag.age_s, tag.residual if residual is None else residual)


def _powers(estimate: SiteEstimate) -> Iterator[tuple[str, Carrier, float]]:
    for (asset, carrier), kw in sorted(estimate.powers_kw.items()):
        yield asset, carrier, kw


def _names(site: Site) -> dict[Key, tuple[Key, ...]]:
    """Return which values stand behind every (element, quantity) that the estimator has rows for.

    A unit's rows carry its own name, a consumer's those of its node; heat and cold are both heat there.
    """
    found: dict[Key, tuple[Key, ...]] = {}
    for asset in site.assets:
        for carrier, node in asset.ports().items():
            power = f"{carrier.value}_kw"
            found[asset.id, power] = ((asset.id, power),)
            for row in {power, "heat_kw"}:
                found[node, row] = (*found.get((node, row), ()), (asset.id, power))
            for row in ("vm_pu", "supply_degc", "delta_k", "pressure_kpa"):
                found[node, row] = (*found.get((node, row), ()), (asset.id, QUANTITY_OF.get(row, row)))
    return found
