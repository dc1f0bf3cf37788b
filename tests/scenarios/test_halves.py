"""A long run whose later part another process lives through: where parts may meet, what they hand on, and what is done when they do not."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from models.tariffs.time_of_use import BillingPeriod, monthly
from scenarios.cases import halves
from scenarios.cases.course import Lived
from scenarios.events import Fault
from scenarios.sites import park_path

START = datetime(2014, 12, 31, 16, tzinfo=UTC)
"""The new year in Shanghai."""
HOUR = timedelta(hours=1)


class Course:
    """What the halves ask of a run; it logs the hour, so that everybody sees whose hours they are."""

    def __init__(self, days: float, **changes: object) -> None:
        options = {"mode": "operate", "proof": "each_step"}
        self.options = SimpleNamespace(**{k: changes.pop(k, v) for k, v in options.items()})
        self.setting = SimpleNamespace(
            failures=changes.pop("failures", {}), co2_cap_kg_per_day=changes.pop("cap", None),
            control=changes.pop("control", "optimizer"),
        )  # fmt: skip
        self.period = BillingPeriod(START, START + timedelta(days=days))
        self.billing = monthly("Asia/Shanghai")
        self.case = SimpleNamespace(beginning=None)
        self.known = changes.pop("known", ())
        self.now, self.told = START, []
        self.diary = SimpleNamespace(progress=lambda share, words: self.told.append(share))
        assert not changes

    async def run(self, until: datetime) -> None:
        self.now = until
        self.diary.progress((until - START) / (self.period.end - START), "")

    def operate(self, go) -> None:
        asyncio.run(go(SimpleNamespace(run=self.run, settings=SimpleNamespace(poll=HOUR))))

    def lived(self) -> Lived:
        return hours(START, self.now, 1.0)


def hours(start: datetime, end: datetime, value: float) -> Lived:
    times = pd.date_range(start, end, freq="1h", inclusive="left").tz_localize(None)
    arrays = xr.Dataset({"power_kw": ("time", np.full(len(times), value))}, {"time": times})
    return Lived(arrays, (), (Fault(start, "planner", "no plan"),))


class Helper:
    """A later part that stands as it is told to."""

    def __init__(self, case, meetings, progress) -> None:
        self.meetings, self.closed = meetings, False
        Helper.last = self
        progress(0.5, "")

    def listen(self) -> None:
        pass

    def standing(self, at: datetime) -> str | None:
        return self.stands[self.meetings.index(at)]

    def lived(self) -> Lived | None:
        return self.made

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(halves, "_Helper", Helper)
    monkeypatch.setattr(halves, "standing", lambda course, loop: "alike")
    return Helper


def test_parts_meet_at_the_middle_of_the_year_or_at_a_month_after_it() -> None:
    found = halves.seams(Course(365))
    assert [f"{(at + 8 * HOUR):%m-%d}" for at in found] == ["07-01", "08-01", "09-01", "10-01", "11-01", "12-01"]


@pytest.mark.parametrize(
    "changes",
    [{"days": 40}, {"proof": "each_plan"}, {"mode": "optimise"}, {"control": "common rule"}, {"failures": {"chp1": 1}},
     {"cap": 5.0}, {"known": ("outage",)}],
)  # fmt: skip
def test_what_hands_on_more_than_the_plants_state_stays_whole(changes) -> None:
    assert halves.can_be_halved(Course(365))
    assert not halves.can_be_halved(Course(**{"days": 365, **changes}))


def test_the_rest_is_the_later_parts_from_where_both_stand_alike(helped) -> None:
    course = Course(365)
    seam = halves.seams(course)[1]
    helped.stands = ["otherwise", "alike", "alike", "alike", "alike", "alike"]
    helped.made = hours(START + timedelta(days=150), course.period.end, 2.0)
    lived = halves.lived_in_halves(course)
    assert lived.arrays.sizes["time"] == 8760
    whose = lived.arrays["power_kw"].to_numpy()
    first = (seam - START) // HOUR
    assert (whose[:first] == 1.0).all()
    assert (whose[first:] == 2.0).all()
    assert [f.at for f in lived.faults] == [START]  # the later part's own beginning is not part of the run
    assert course.now == seam + HOUR
    assert max(course.told) <= 1.0
    assert helped.last.closed


@pytest.mark.parametrize(("stands", "made"), [(["otherwise"] * 6, True), ([None] * 6, True), (["alike"] * 6, False)])
def test_a_later_part_that_stands_otherwise_or_dies_costs_time_and_nothing_else(helped, stands, made) -> None:
    course = Course(365)
    helped.stands, helped.made = stands, hours(START, course.period.end, 2.0) if made else None
    lived = halves.lived_in_halves(course)
    assert course.now == course.period.end
    assert (lived.arrays["power_kw"] == 1.0).all()
    assert helped.last.closed


def test_a_process_that_cannot_live_is_heard_to_have_ended(tmp_path) -> None:
    from scenarios.cases.file import load_case

    path = tmp_path / "gone.yaml"
    path.write_text(
        f"format: jouletwin-case/1\nname: gone\ntitle: Gone\nsite: {park_path()}\nstart: 2015-01-01\ndays: 1\n",
        encoding="utf-8",
    )
    case = replace(load_case(path), site_file=tmp_path / "not_there.yaml")
    helper = halves._Helper(case, [START + timedelta(days=181)], lambda share, words: None)
    assert helper.standing(START + timedelta(days=181)) is None
    assert helper.lived() is None
    helper.close()
