"""The emulated plant read and commanded directly: the same physics and units, no instruments and no wire, for weeks at a time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import xarray as xr

from hil.emulators.plant import EmulatedPlant
from models.carriers import ENERGY_CARRIERS, Carrier
from models.components import GridConnection, Store
from models.dispatch import Plan, PlanCheck
from models.forecast import Forecast
from models.horizon import HOUR, QUARTER, quarter_start
from models.ports import Clock, Command, Outcome, Reading, Receipt
from models.site import Site
from models.state import ImportSoFar, Snapshot
from models.station import Balance
from twin.state import Layout, build_snapshot, next_units, start_snapshot

E = Carrier.ELECTRICITY
RUNNING_KW = 0.1
LOSSES_OVER = timedelta(hours=1)
"""Network losses are taken to stay at their mean over so long."""
VOLTAGE_BAND = (0.93, 1.07)
"""GB/T 12325 for 20 kV and below: 7 % either way."""


class DirectPlant:
    """An emulated plant as both ends of the loop: what is read is true, what is commanded is taken.

    Satisfies :class:`models.ports.Plant`, and stands in for the synchroniser: its snapshots are the plant's own state, with the
    quarter-hours of a billing meter. What is left between plan and plant are the units' manners and parameters that differ.
    """

    def __init__(self, site: Site, emulated: EmulatedPlant, clock: Clock) -> None:
        self.site, self.emulated, self.clock = site, emulated, clock
        self.layout = Layout.of(site)
        self.bill = QuarterBill()
        self.band_breaks = 0
        """Steps in which a voltage left its band."""
        self._asset = {d.id: d.asset for d in site.devices}
        self._grids = [g.id for g in site.of_kind(GridConnection)]
        self._units = dict(start_snapshot(site, emulated.now).units)
        self._stated = {s.id: s for s in site.of_kind(Store)}
        self._losses: list[dict[Carrier, float]] = []

    async def read(self) -> Sequence[Reading]:
        """Let the plant live until now; no instrument shows anything, the snapshot does."""
        self._live(self.clock.now())
        return ()

    async def write(self, command: Command) -> Receipt:
        """Take one set-point."""
        self.emulated.command(self._asset[command.device], command.value)
        return Receipt(command, Outcome.APPLIED, "applied", "taken", self.clock.now(), command.value)

    def snapshot(self, readings: Sequence[Reading], now: datetime) -> Snapshot:
        """Return the plant's state at ``now``; there are no readings to make it from."""
        del readings
        emulated = self.emulated
        stored = {k: self._shown_kwh(k, v) for k, v in emulated.stored_kwh.items()}
        stored |= {f: p.need_kwh for f, p in emulated.parks.items()}
        seen = build_snapshot(self.layout, now, emulated.balance.power_kw, stored, units=self._units)
        return replace(seen, peak_import_kw=self.bill.peak_kw, import_so_far=self.bill.running)

    def losses_check(self, plan: Plan, initial: Snapshot, forecast: Forecast) -> PlanCheck:
        """Return a verdict without objections whose losses are those of the last hour: what a balance of meters shows."""
        del initial, forecast
        horizon = plan.horizon
        mean = [float(np.mean([row.get(c, 0.0) for row in self._losses] or [0.0])) for c in ENERGY_CARRIERS]
        losses = xr.DataArray(
            np.repeat(np.array(mean)[:, None], len(horizon), axis=1),
            {"carrier": [c.value for c in ENERGY_CARRIERS], "time": horizon.times},
            ("carrier", "time"),
            "losses_kw",
        )
        return PlanCheck(plan.id, (), {}, plan.stored_kwh, losses, 0.0)

    def _shown_kwh(self, keeper: str, true_kwh: float) -> float:
        """Return a store's content within what the site file says it can hold; the plant's own tank may be larger."""
        stated = self._stated.get(keeper)
        return true_kwh if stated is None else min(max(true_kwh, stated.stored_min_kwh), stated.stored_max_kwh)

    def _live(self, now: datetime) -> None:
        """Advance step by step, so that every step is seen."""
        emulated = self.emulated
        step = timedelta(seconds=emulated.step_s)
        while emulated.now + step <= now:
            at = emulated.now
            emulated.advance(at + step)
            self._note(at, step, emulated.balance)

    def _note(self, at: datetime, step: timedelta, balance: Balance) -> None:
        self.bill.add(at, step, balance.total_kw(E, self._grids))
        running = {u: abs(balance.power_kw.get((u, self.site.asset(u).control), 0.0)) > RUNNING_KW for u in self._units}
        self._units = next_units(self.site, self._units, running, step / HOUR)
        self._losses.append(dict(balance.losses_kw))
        del self._losses[: -(LOSSES_OVER // step)]
        low, high = VOLTAGE_BAND
        volts = (v for s in self.emulated.grid_states.values() for v in s.voltage_pu.values())
        self.band_breaks += any(not low <= v <= high for v in volts)


class QuarterBill:
    """Counts the import of each quarter-hour as the bill does, from powers that hold over whole steps."""

    def __init__(self) -> None:
        self.peak_kw: float | None = None
        self.running: ImportSoFar | None = None

    def add(self, at: datetime, step: timedelta, import_kw: float) -> None:
        """Take a step that lies inside one quarter-hour."""
        hours = step / HOUR
        run = self.running or ImportSoFar(quarter_start(at), 0.0, 0.0)
        run = ImportSoFar(run.start, run.covered_h + hours, run.energy_kwh + max(import_kw, 0.0) * hours)
        if at + step >= run.start + QUARTER:
            self.peak_kw = max(self.peak_kw or 0.0, run.mean_kw)
            run = ImportSoFar(run.start + QUARTER, 0.0, 0.0)
        self.running = run
