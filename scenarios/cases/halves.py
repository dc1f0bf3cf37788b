"""A long run in two processes side by side, with the result of one that lives through it from its start to its end.

What a site does in July does not depend on how it came into January: stores have been full and empty since then, engines on and off. So a
second process begins some days before the middle, at rest, and comes by itself into the state in which the first one arrives there. Where a
billing period begins nothing but that state is carried on: the bill starts anew, and so does the planner
(:class:`scenarios.cases.informed.Informed`). There both say how they stand. Where they stand alike to the last bit, the first one has done its part
and the rest is the second one's; where they do not, the first one goes on, at worst to the end, and only time is lost.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import xarray as xr

from models.horizon import to_index
from scenarios.cases.case import Case, setting_of
from scenarios.cases.course import CaseCourse, Lived, Progress
from scenarios.operate import OperatingLoop

WARM_UP = timedelta(days=10)
SHORTEST = timedelta(days=56)
DAY = timedelta(days=1)
HEARD_S = 1.0
STOPPED_S = 5.0


def can_be_halved(course: CaseCourse) -> bool:
    """Return whether a run is long, and its parts hand on nothing but the plant's state.

    Plans that the twin proves keep what they learnt of the networks, failures follow from one another since the first, and an emission budget
    is spent from its start on.
    """
    setting, options = course.setting, course.options
    alone = course.known or setting.failures or setting.co2_cap_kg_per_day is not None
    plain = options.mode == "operate" and options.proof == "each_step" and setting.control == "optimizer"
    long = course.period.end - course.period.start >= SHORTEST
    return plain and long and not alone and course.case.beginning is None and bool(seams(course))


def seams(course: CaseCourse) -> list[datetime]:
    """Return the beginnings of billing periods where the parts may meet: the one nearest to the middle, and those after it."""
    start, end = course.period.start, course.period.end
    found, at = [], course.billing(start).end
    while at < end:
        found.append(at)
        at = course.billing(at).end
    inside = [at for at in found if at - start > WARM_UP]
    middle = start + (end - start) / 2
    nearest = min(range(len(inside)), key=lambda k: abs(inside[k] - middle), default=0)
    return inside[nearest:]


def lived_in_halves(course: CaseCourse) -> Lived:
    """Live through a run with a second process that takes its later part, and return what came of it."""
    meetings = seams(course)
    shared = _Progress(
        course.diary.progress, (meetings[0] - course.period.start) / (course.period.end - course.period.start)
    )
    course.diary.progress = shared.first
    helper = _Helper(course.case, meetings, shared.second)
    shared.listen = helper.listen
    later: list[tuple[datetime, Lived]] = []

    async def go(loop: OperatingLoop) -> None:
        for at in meetings:
            await loop.run(until=at + loop.settings.poll)
            if helper.standing(at) == standing(course, loop) and (rest := helper.lived()) is not None:
                later.append((at, rest))
                return
        await loop.run(until=course.period.end)

    try:
        course.operate(go)
    finally:
        helper.close()
    return joined(course.lived(), *later[0]) if later else course.lived()


def joined(first: Lived, at: datetime, later: Lived) -> Lived:
    """Return what came of a run whose first part ends at an instant where the later one goes on."""
    seam = np.datetime64(to_index(at))
    parts = [
        first.arrays.sel(time=first.arrays["time"] < seam),
        later.arrays.sel(time=later.arrays["time"] >= seam),
    ]
    faults = [f for f in first.faults if f.at < at] + [f for f in later.faults if f.at >= at]
    return replace(first, arrays=xr.concat(parts, "time", join="exact"), faults=tuple(faults))


def standing(course: CaseCourse, loop: OperatingLoop) -> str:
    """Return how everything stands that decides what comes next, as a text that differs where the last bit does."""
    meter = course.synchroniser.memory.meter
    now = loop.course
    plan = "" if now.plan is None else now.plan.id
    told = sorted(now.planned_kw.items()), sorted(now.in_force_kw.items()), sorted(now.doubtful)
    parts = (course.plant.standing(), meter, plan, told, now.floor_kw, now.cap_kw, now.asked)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class _Progress:
    """Tells of two parts as of one run."""

    def __init__(self, progress: Progress, first_share: float) -> None:
        self.progress, self.first_share = progress, first_share
        self.done = [0.0, 0.0]
        self.listen: Callable[[], None] = lambda: None

    def first(self, share: float, words: str) -> None:
        """Take how much of the whole the first part has lived through."""
        self.listen()
        self.done[0] = min(share, self.first_share)
        self._tell(words)

    def second(self, share: float, words: str) -> None:
        """Take how much of itself the second part has lived through."""
        self.done[1] = share * (1.0 - self.first_share)
        self._tell(words)

    def _tell(self, words: str) -> None:
        self.progress(min(sum(self.done), 1.0), words)


class _Helper:
    """The process that lives through the later part."""

    def __init__(self, case: Case, meetings: list[datetime], progress: Progress) -> None:
        context = get_context("spawn")
        self._link, theirs = context.Pipe(duplex=False)
        self._progress = progress
        self._standing: dict[datetime, str] = {}
        self._lived: Lived | None = None
        self._process = context.Process(target=live_later, args=(case, meetings, theirs), daemon=False)
        self._process.start()
        theirs.close()  # so that its end is heard here

    def standing(self, at: datetime) -> str | None:
        """Return how the later part stood at an instant; None when its process has ended before."""
        self._hear(lambda: at in self._standing)
        return self._standing.get(at)

    def lived(self) -> Lived | None:
        """Return what came of the later part; None when its process has failed."""
        self._hear(lambda: self._lived is not None)
        return self._lived

    def listen(self) -> None:
        """Take what has been said by now."""
        self._hear(lambda: not self._link.poll())

    def close(self) -> None:
        """End the process, whatever it does."""
        self._link.close()
        self._process.join(STOPPED_S if self._lived is not None else 0.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _hear(self, enough: Callable[[], bool]) -> None:
        try:
            while not enough():
                if self._link.poll(HEARD_S):
                    self._take(self._link.recv())
        except (EOFError, OSError):
            return  # it has ended

    def _take(self, message: Any) -> None:
        match message:
            case Lived():
                self._lived = message
            case (datetime() as at, str(standing)):
                self._standing[at] = standing
            case (float(share), str(words)):
                self._progress(share, words)


def live_later(case: Case, meetings: list[datetime], link: Connection) -> None:
    """Live through the later part of a case in a process of its own; tell how it stands at every meeting, and what came of it."""
    told = [meetings[0]]

    def tell(_: float, words: str) -> None:
        if course.clock.now() >= told[0]:
            told[0] += DAY
            link.send((max((course.clock.now() - meetings[0]) / (course.period.end - meetings[0]), 0.0), words))

    async def go(loop: OperatingLoop) -> None:
        for at in meetings:
            await loop.run(until=at + loop.settings.poll)
            link.send((at, standing(course, loop)))
        await loop.run(until=course.period.end)

    course = CaseCourse(case, setting_of(case), tell, meetings[0] - WARM_UP)
    course.operate(go)
    link.send(course.lived())
    link.close()
