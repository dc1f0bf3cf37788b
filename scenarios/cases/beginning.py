"""Cases that begin where a site really stood: at a turn of the live loop on record, in the demand and weather that were measured from then on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

import xarray as xr

from models.actuals import Actuals
from models.components import Store
from models.errors import SetupError
from models.forecast.measured import MeasuredHistory
from models.horizon import Horizon
from models.site import Site
from models.state import Snapshot, UnitState
from models.tariffs.time_of_use import PeriodFinder
from twin.log import Kind, SqliteLog
from twin.packing import unpack
from twin.replay import replay
from twin.state import Layout, build_snapshot, start_snapshot, stored_of

Series = Mapping[str, float]
LOOK_BACK = timedelta(hours=1)
"""The turn that a case begins from is no older than this."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a site stood at an instant, and what was measured from then on, as (instant, values by series)."""

    at: datetime
    stored_kwh: Series
    units: Mapping[str, UnitState] = field(default_factory=dict)
    measured: tuple[tuple[datetime, Series], ...] = field(default=(), repr=False)

    def snapshot(self, site: Site, at: datetime) -> Snapshot:
        """Return the state on a site that a case may have changed: what is new is at rest, half full; what is smaller is full at most."""
        rest = start_snapshot(site, at)
        held = {s.id: s for s in site.assets if isinstance(s, Store)}
        stored = stored_of(rest)
        for name in stored.keys() & self.stored_kwh.keys():
            known, store = self.stored_kwh[name], held.get(name)
            stored[name] = known if store is None else min(max(known, store.stored_min_kwh), store.stored_max_kwh)
        units = {u: self.units.get(u, state) for u, state in rest.units.items()}
        return build_snapshot(Layout.of(site), at, {}, stored, units=units)

    def world(self, actuals: Actuals, days: float) -> "Past":
        """Return the series of a run: as measured, and as the site's profiles say where nobody measured."""
        history = MeasuredHistory(actuals, kept=timedelta(days=days + 1))
        for at, values in self.measured:
            history.add(at, values)
        return Past(actuals.names, history)


class Outside(Protocol):
    """The series outside of a site: the profiles' or those that were measured."""

    @property
    def names(self) -> tuple[str, ...]:
        """The series."""
        ...

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series over every step; dims (series, time)."""
        ...

    def over(self, instant: datetime, step_s: float) -> dict[str, float]:
        """Return the mean of every series over a step."""
        ...


@dataclass(frozen=True)
class Past:
    """Measured series behind the door of a site's actuals."""

    names: tuple[str, ...]
    history: MeasuredHistory

    def means(self, horizon: Horizon) -> xr.DataArray:
        """Return the mean of every series over every step; dims (series, time)."""
        return self.history.means(horizon)

    def over(self, instant: datetime, step_s: float) -> dict[str, float]:
        """Return the mean of every series over a step."""
        step = timedelta(seconds=step_s)
        found = self.history.means(Horizon.uniform(instant, instant + step, step))
        return dict(zip(self.names, found.sel(series=list(self.names)).to_numpy()[:, 0].tolist(), strict=True))


def beginning_of(
    log: SqliteLog,
    site: Site,
    billing_period: PeriodFinder,
    *,
    at: datetime | None = None,
    step_s: float = 900.0,
    days: float = 1.0,
) -> Beginning:
    """Return where a site stood at the last turn on record, or at the last one up to ``at``, and what was measured in the ``days`` after.

    The instant is moved back to a whole step of ``step_s`` seconds, as runs begin on those.

    Raises
    ------
    SetupError
        When nothing is on record there, with what is.
    """
    span = log.span()
    if span is None:
        raise SetupError("the log is empty; nothing has been operated yet")
    held = f"the log holds {span[0].isoformat()} to {span[1].isoformat()}"
    end = min(at or span[1], span[1])
    if end < span[0]:
        raise SetupError(f"no turn is on record at {end.isoformat()}; {held}")
    moments = tuple(replay(log, site, max(end - LOOK_BACK, span[0]), end + timedelta(microseconds=1), billing_period))
    if not moments:
        raise SetupError(f"no turn is on record in the hour before {end.isoformat()}; {held}")
    last = moments[-1].snapshot
    start = last.at - timedelta(seconds=last.at.timestamp() % step_s)
    records = log.read(start, start + timedelta(days=days), (Kind.MEASURED,))
    measured = tuple((r.at, MappingProxyType(dict(unpack(r.body)))) for r in records)
    return Beginning(start, stored_of(last), dict(last.units), measured)
