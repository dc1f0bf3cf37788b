"""A park that has been running for half a day, without devices: balances by the station's physics, plans and receipts made up."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from models.actuals import Actuals
from models.carriers import ENERGY_CARRIERS, Carrier
from models.dispatch import Plan, PlanCheck, SolverReport
from models.findings import warning
from models.forecast.forecast import Forecast
from models.horizon import QUARTER, Horizon
from models.ports import Command, Outcome, Quality, Receipt
from models.site.file import load_site
from models.state import Snapshot, TagState, UnitState
from models.station import Balance, Station, resolve
from service.memory import Memory
from service.places import PARK
from service.runtime import PlantKind, Runtime
from tests.service.people import QUICK
from tests.service.stores import ENGINES, Engines

NOON = datetime(2015, 7, 15, 4, 0, tzinfo=UTC)
"""12:00 on a summer day at the park."""
STEP = timedelta(minutes=5)
LOSSES_KW = {Carrier.ELECTRICITY: 35.0, Carrier.HEAT: 120.0, Carrier.COLD: 25.0}


class StandingClock:
    """A clock that somebody else moves."""

    def __init__(self, now):
        self.instant = now

    def now(self):
        return self.instant

    def monotonic(self):
        return self.instant.timestamp()

    async def sleep(self, seconds):
        self.instant += timedelta(seconds=seconds)


class Rehearsal:
    """Plays the park from its profiles with a simple operator."""

    def __init__(self, site, start):
        self.site, self.station, self.actuals = site, Station.of(site), Actuals(site, 7)
        self.at = start
        self.stored = {s.id: 0.5 * s.energy_kwh for s in self.station.stores}

    def control(self, hour):
        peak = 10 <= hour < 13 or 17 <= hour < 22
        valley = hour >= 23 or hour < 7
        return {
            **{c.id: c.power_max_kw for c in self.station.chps if peak},
            **{h.id: 0.7 * h.heat_max_kw for h in self.station.heat_pumps},
            **{c.id: (0.8 if valley else 0.35) * c.cold_max_kw for c in self.station.electric_chillers},
            **{b.id: 0.8 * b.discharge_max_kw if peak else -0.6 * b.charge_max_kw for b in self.station.batteries},
            **{f.id: -120.0 for f in self.station.fleets},
        }

    def step(self, step=STEP) -> Balance:
        hour = (self.at.hour + 8) % 24
        conditions = self.station.conditions(self.actuals.at(self.at), {f.id: 20.0 for f in self.station.fleets})
        balance = resolve(
            self.station, conditions, self.control(hour), self.stored, step.total_seconds() / 3600, LOSSES_KW
        )
        self.stored = dict(balance.stored_kwh)
        self.at += step
        return balance


def powers(site, balances):
    """Stack balances to (time, asset, carrier)."""
    names, carriers = [a.id for a in site.assets], list(ENERGY_CARRIERS)
    values = np.full((len(balances), len(names), len(carriers)), np.nan)
    for i, balance in enumerate(balances):
        for (asset, carrier), kw in balance.power_kw.items():
            if carrier in carriers:
                values[i, names.index(asset), carriers.index(carrier)] = kw
    return values, names, [c.value for c in carriers]


def snapshot_of(site, balance, at, *, peak_kw=2890.0):
    values, names, carriers = powers(site, [balance])
    stored = dict(balance.stored_kwh)
    tags = {(d.asset, "electricity_kw"): TagState(Quality.GOOD, 4.0) for d in site.devices}
    tags["wind", "electricity_kw"] = TagState(Quality.STALE, 340.0)
    tags["ashp", "heat_kw"] = TagState(Quality.SUBSTITUTED, 60.0)
    return Snapshot(
        at,
        xr.DataArray(values[0], {"asset": names, "carrier": carriers}, ("asset", "carrier")),
        xr.DataArray(list(stored.values()), {"asset": list(stored)}, ("asset",)),
        {"chp1": UnitState(True, 2.5), "chp2": UnitState(False, 1.0)},
        peak_kw,
        {},
        tags,
    )


def plan_of(site, at, number=1):
    rehearsal = Rehearsal(site, at)
    horizon = Horizon.uniform(at, at + timedelta(hours=24))
    balances = [rehearsal.step(QUARTER) for _ in range(len(horizon))]
    values, names, carriers = powers(site, balances)
    values = np.nan_to_num(values)
    stores = [s.id for s in rehearsal.station.stores]
    stored = np.array([[b.stored_kwh[s] for b in balances] for s in stores])
    power = xr.DataArray(
        values.transpose(1, 2, 0),
        {"asset": names, "carrier": carriers, "time": horizon.times},
        ("asset", "carrier", "time"),
    )
    return Plan(
        id=f"plan-{number}",
        made_at=at,
        horizon=horizon,
        power_kw=power,
        stored_kwh=xr.DataArray(stored, {"asset": stores, "time": horizon.times}, ("asset", "time")),
        running=xr.DataArray(np.ones((1, len(horizon))), {"asset": ["chp1"], "time": horizon.times}, ("asset", "time")),
        unserved_kw=xr.zeros_like(power),
        cost={"energy": 31000.0, "gas": 9000.0, "demand": 1200.0},
        price_per_kwh=xr.DataArray(
            np.full((2, len(horizon)), 0.5),
            {"carrier": ["electricity", "heat"], "time": horizon.times},
            ("carrier", "time"),
        ),
        solver=SolverReport("optimal", 41200.0, 41190.0, 2e-4, 0.1, 0.4, certified=True),
    )


def forecast_of(plan):
    series = xr.DataArray(
        [[900.0] * len(plan.horizon)],
        {"series": ["office.electricity_kw"], "time": plan.horizon.times},
        ("series", "time"),
    )
    return Forecast(plan.made_at, plan.horizon, series, "naive")


def check_of(plan):
    found = (warning("park_20kv.bus_8", "voltage reaches 1.064 at 13:15; allowed 1.07", value=1.064, limit=1.07),)
    return PlanCheck(plan.id, found, {}, plan.stored_kwh, xr.zeros_like(plan.price_per_kwh), 0.8)


def receipt_of(number, device, value, at, outcome=Outcome.APPLIED):
    command = Command(f"c{number}", device, "setpoint_kw", value, at, "plan", at + timedelta(minutes=1), "plan-1")
    code = {Outcome.APPLIED: "applied", Outcome.NO: "refused_limit", Outcome.MAYBE: "unreachable"}[outcome]
    seen = value if outcome is Outcome.APPLIED else None
    return Receipt(command, outcome, code, f"{device} {code}", at, seen)


def play(memory, start, hours):
    """Run the rehearsal into a memory: snapshots, two plans, receipts."""
    rehearsal = Rehearsal(memory.site, start)
    count = int(hours * 3600 / STEP.total_seconds())
    number = 0
    for index in range(count):
        at = rehearsal.at
        if index in (0, count // 2):
            plan = plan_of(memory.site, at, index + 1)
            memory.take_plan(plan, check_of(plan), 3000.0)
            memory.forecast = forecast_of(plan)
        if index % 3 == 0:
            controls = list(rehearsal.control((at.hour + 8) % 24).items())
            outcomes = [
                Outcome.NO if index == 60 and i == 0 else Outcome.MAYBE if index == 63 and i == 2 else Outcome.APPLIED
                for i in range(len(controls))
            ]
            memory.take_receipts(
                [
                    receipt_of(number + i, a, v, at, o)
                    for i, ((a, v), o) in enumerate(zip(controls, outcomes, strict=True))
                ]
            )
            number += len(controls)
        memory.take_snapshot(snapshot_of(memory.site, rehearsal.step(), rehearsal.at))
    memory.take_guard(rehearsal.at, "battery raised to 1 100 kW: import would have passed 3 000 kW")
    memory.take_fault(rehearsal.at, "wind", "no answer since 11:54; its last value is shown as stale")
    return rehearsal


@pytest.fixture(scope="session")
def park():
    return load_site(PARK)


@pytest.fixture
def quiet(park):
    """A runtime that has not seen anything yet."""
    return Runtime(Memory(park), StandingClock(NOON), PlantKind.EMULATED, 144.0)


@pytest.fixture(scope="session")
def running(park):
    """A runtime after twelve hours."""
    memory = Memory(park)
    rehearsal = play(memory, NOON - timedelta(hours=12), 12)
    return Runtime(memory, StandingClock(rehearsal.at), PlantKind.EMULATED, 144.0)


@pytest.fixture(scope="session")
def engines(tmp_path_factory):
    """Both engines that a store can stand on, each started when the first test asks for it."""
    made = Engines(tmp_path_factory.mktemp("stores"))
    yield made
    made.close()


@pytest.fixture(params=ENGINES)
def engine(request):
    """What a store stands on."""
    return request.param


@pytest.fixture
def store_at(engine, engines):
    """Where a fresh store is, on either engine."""
    return engines[engine].fresh()


@pytest.fixture
def quick_hashes(monkeypatch):
    """Passwords that are hashed in no time."""
    monkeypatch.setattr("service.auth.secrets.HASHER", QUICK)


@pytest.fixture
def inhabited(engine, engines):
    """Where a fresh store is in which two tenants live, and who lives there."""
    place, town = engines.town(engine)
    return engines[engine].fresh(place), town
