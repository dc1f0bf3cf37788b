"""What an emulated plant's meters show, quarter-hour by quarter-hour, while the common operator runs it."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from hil.emulators.inprocess import InProcessPlant
from hil.emulators.plant import EmulatedPlant
from models.actuals import Actuals
from models.dispatch import DispatchProblem
from models.forecast.naive import PerfectForecaster
from models.horizon import QUARTER, Horizon
from models.ports import Reading, ReadingSource
from models.site import Site
from scenarios.day import JumpingClock, local_day
from scenarios.rules import Rule, RulePlanner
from scenarios.setpoints import setpoints_kw
from twin.state import start_snapshot


def shown_now(door: ReadingSource, plant: EmulatedPlant, clock: JumpingClock, at: datetime) -> Sequence[Reading]:
    """Return what an emulated plant's meters show after it has lived until an instant."""

    async def live() -> Sequence[Reading]:
        await clock.sleep((at - clock.now()).total_seconds())
        plant.advance(at)
        return await door.read()

    return asyncio.run(live())


def emulated_days(site: Site, day: date, days: int, seed: int) -> Iterator[tuple[datetime, Sequence[Reading]]]:
    """Yield the readings at the end of every quarter-hour of some local days."""
    start = local_day(site, day).start
    horizon = Horizon.uniform(start, start + timedelta(days=days))
    forecast = PerfectForecaster(Actuals(site, seed)).forecast(horizon)
    plan = RulePlanner(site, Rule()).plan(DispatchProblem(site, horizon, forecast, start_snapshot(site, start)))
    plant, clock = EmulatedPlant(site, seed, start), JumpingClock(start)
    door = InProcessPlant(site, plant, clock)
    for at in horizon.edges[:-1]:
        for asset, power_kw in setpoints_kw(site, plan, forecast, at).items():
            if asset in plant.units:
                plant.command(asset, power_kw)
        yield at + QUARTER, shown_now(door, plant, clock, at + QUARTER)
