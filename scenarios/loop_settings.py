"""How a loop is operated: how often it measures and plans, how far it looks, and what it leaves to others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.horizon import QUARTER
from models.tariffs.time_of_use import PeriodFinder
from scenarios.problem import Horizons


async def at_once(work: Callable[[], Any]) -> Any:
    """Do the work here and now: under virtual time nothing else may move meanwhile."""
    return work()


def no_margin() -> float:
    """Return no margin: plans use the peak to the last kilowatt."""
    return 0.0


def never(at: datetime, present: Mapping[str, float]) -> bool:
    """Return that no forecast is overtaken: plans are made when it is time."""
    del at, present
    return False


@dataclass(frozen=True)
class LoopSettings:
    """How often the loop measures and plans, and how far it looks.

    ``billing_period`` gives the period whose peak is charged, the calendar month by default; the synchroniser needs the same, since
    it follows that peak. ``floor_kw`` is the peak that it is taken to need anyway where no floor
    planner finds one. ``in_background`` runs a planner so that the loop's thread stays free. ``tracked`` plans anew, before its time,
    when the plant does not do what the plan counts on. ``margin_kw`` says how far below the peak that costs nothing a plan stays:
    what moves inside the quarter-hour, and what the forecast does not know, would otherwise raise it step by step. ``overtaken`` tells
    of an instant and what is measured then whether reality has left the forecast's band, so that a new plan is due before its time.
    ``trimmed`` lets batteries follow from poll to poll where a plan buys nothing, which is worth it for polls of a minute.
    """

    poll: timedelta = timedelta(minutes=1)
    replan: timedelta = QUARTER
    horizons: Horizons = field(default_factory=Horizons)
    billing_period: PeriodFinder | None = None
    in_background: Callable[[Callable[[], Any]], Awaitable[Any]] = asyncio.to_thread
    guarded: bool = True
    tracked: bool = True
    trimmed: bool = False
    floor_kw: float = 0.0
    margin_kw: Callable[[], float] = no_margin
    overtaken: Callable[[datetime, Mapping[str, float]], bool] = never
