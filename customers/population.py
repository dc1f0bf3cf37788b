"""Made-up customers whose truth is known: kinds of business, sizes, answers to the weather, growth from year to year, noise.

They are what methods are tried on before real customers are; nothing in them was measured. The same seed and number give the same
customers, and each of their years only adds that year's weather and growth.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from customers.intervals.clock import local_clock
from customers.intervals.series import MeterTable
from customers.weather import NORTH_CHINA, Climate, WeatherYear, weather_year, year_intervals
from models.networks.jit import compiled, in_pieces

Array = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
ZONE = "Asia/Shanghai"
FIRST_YEAR = 2022
BALANCE_COOL_DEGC, BALANCE_HEAT_DEGC = 21.0, 13.0
KELVINS = 10.0
"""A response is the share of the mean load that ten kelvins beyond the balance temperature add."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of business: its day on a working day and at the weekend as (hour, load) corners, and its usual answers."""

    name: str
    workday: tuple[tuple[float, float], ...]
    weekend: tuple[tuple[float, float], ...]
    cooling: float
    heating: float
    noise: float
    weather_all_day: bool = False
    """Whether weather acts at night too, or in proportion to the day's own shape."""


_SHOP = ((0, 0.3), (8.5, 0.35), (11, 1.02), (20, 1.2), (22.5, 0.5))
_GUESTS = ((0, 0.5), (5, 0.45), (7.5, 1), (10, 0.7), (16, 0.66), (20.5, 1.15), (23.5, 0.6))
_SHIFT = ((0, 0.18), (6, 0.2), (7.5, 1), (11.8, 1), (12.3, 0.72), (13.2, 1), (16.8, 0.95), (18, 0.22))
_DESKS = ((0, 0.22), (6.5, 0.24), (9, 1), (17.5, 0.98), (20, 0.35))
KINDS = (
    Kind("one_shift", _SHIFT, ((0, 0.17), (12, 0.2)), 0.06, 0.03, 0.08),
    Kind("three_shift", ((0, 0.9), (5, 0.86), (7, 1), (15, 1.02), (22, 0.93)), ((0, 0.86), (12, 0.9)), 0.05, 0.02, 0.05),
    Kind("office", _DESKS, ((0, 0.21), (9, 0.3), (18, 0.28)), 0.34, 0.08, 0.06),
    Kind("retail", ((0, 0.3), (8, 0.32), (10, 0.85), (17, 0.95), (20, 1.15), (22, 0.5)), _SHOP, 0.26, 0.05, 0.06),
    Kind("cold_store", ((0, 0.72), (8, 0.86), (18, 0.88), (21, 0.76)), ((0, 0.72), (12, 0.78)), 0.42, 0.0, 0.07, True),
    Kind("hotel", _GUESTS, ((0, 0.55), (6, 0.48), (9, 1.05), (20.5, 1.2)), 0.3, 0.24, 0.07, True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Between:
    """How years differ, as standard deviations of the logarithm of a customer's load."""

    growth: float = 0.012
    """Mean growth per year."""
    own: float = 0.05
    """Each customer for itself."""
    common: float = 0.018
    """All of them together."""


@dataclass(frozen=True, eq=False)
class Population:
    """Made-up customers; every array has shape (customer,)."""

    seed: int
    kind: npt.NDArray[np.int64]
    """Place in ``KINDS``."""
    mean_kw: Array
    shift_h: Array
    """How much later than usual their day begins."""
    cooling: Array
    heating: Array
    noise: Array
    between: Between = Between()
    climate: Climate = NORTH_CHINA
    zone: str = ZONE

    @property
    def count(self) -> int:
        """Number of customers."""
        return len(self.kind)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the customers: their number, with no hint of their kind."""
        return tuple(f"c{k:05d}" for k in range(self.count))

    def level(self, year: int) -> Array:
        """Return how much more (than in the first year) each customer draws in a year, for any reason but the weather."""
        total = np.zeros(self.count)
        for y in range(FIRST_YEAR + 1, year + 1):
            rng = np.random.default_rng([self.seed, 77, y])
            total += self.between.growth + rng.normal(0, self.between.common)
            total += rng.normal(0, self.between.own, self.count)
        return np.asarray(np.exp(total))

    def weather(self, year: int, minutes: int = 15) -> WeatherYear:
        """Return the weather of a year."""
        return weather_year(year_intervals(year, minutes), self.seed, self.climate)

    def meters(self, year: int = FIRST_YEAR, minutes: int = 15, weather: WeatherYear | None = None) -> MeterTable:
        """Return what their meters count in a year, in kWh; ``weather`` replaces the year's own (its intervals must fit)."""
        weather = weather or self.weather(year, minutes)
        clock = local_clock(weather.intervals, self.zone)
        energy = np.empty((self.count, weather.intervals.count), dtype=np.float32)
        days = _days(self, clock.per_day)
        size = self.mean_kw * self.level(year) * minutes / 60.0
        scale = np.stack([size, self.cooling, self.heating, self.noise], axis=1)
        steady = np.array([k.weather_all_day for k in KINDS])[self.kind]
        seeds = np.random.default_rng([self.seed, 5, year]).integers(1, 2**63 - 1, self.count)
        weekend = (clock.kind > 0).astype(np.int64)[clock.day]
        air = weather.air_degc.astype(np.float64)

        def work(first: int, last: int) -> None:
            part = slice(first, last)
            _fill(energy[part], days[part], scale[part], steady[part], seeds[part], clock.slot, clock.day, weekend, air)

        in_pieces(self.count, work)
        return MeterTable.of(self.names, weather.intervals.start, minutes, energy, self.zone)


def population(count: int, seed: int = 1, between: Between = Between(), zone: str = ZONE) -> Population:
    """Return so many made-up customers, kinds in equal parts, sizes over two orders of magnitude."""
    rng = np.random.default_rng([seed, 3])
    kind = rng.permutation(np.arange(count) % len(KINDS))
    usual = np.array([(k.cooling, k.heating, k.noise) for k in KINDS])[kind]
    apart = np.exp(rng.normal(0, 0.25, (count, 3)))
    size = np.exp(rng.normal(np.log(120.0), 0.9, count))
    return Population(
        seed, kind, size, rng.normal(0, 0.5, count), usual[:, 0] * apart[:, 0], usual[:, 1] * apart[:, 1],
        usual[:, 2] * apart[:, 2], between, zone=zone,
    )  # fmt: skip


def _days(p: Population, per_day: int) -> Array:
    """Return each customer's usual day, mean of a working day 1; shape (customer, 2, slot): working day, weekend."""
    hours = (np.arange(per_day) + 0.5) * 24 / per_day
    found = np.empty((p.count, 2, per_day))
    own = np.exp(np.random.default_rng([p.seed, 11]).normal(0, 0.06, (p.count, 2, 24)))
    for c in range(p.count):
        kind = KINDS[p.kind[c]]
        for w, corners in enumerate((kind.workday, kind.weekend)):
            at, load = zip(*corners, strict=True)
            shape = np.interp((hours - p.shift_h[c]) % 24, at, load, period=24)
            found[c, w] = shape * np.interp(hours, np.arange(24) + 0.5, own[c, w], period=24)
        found[c] /= found[c, 0].mean()
    return found


@compiled
def _fill(
    out: Floats,
    days: Array,
    scale: Array,
    steady: npt.NDArray[np.bool_],
    seeds: npt.NDArray[np.int64],
    slot: npt.NDArray[np.int16],
    day: npt.NDArray[np.int32],
    weekend: npt.NDArray[np.int64],
    air: Array,
) -> None:
    """Write the energy of every interval: usual day, weather, a shock per day, noise that lasts for an hour or two, whole 10 Wh."""
    for c in range(out.shape[0]):
        state = np.uint64(seeds[c])
        size, cooling, heating, noise = scale[c, 0], scale[c, 1], scale[c, 2], scale[c, 3]
        shock, lasting, before = 0.0, 0.0, -1
        for k in range(out.shape[1]):
            if day[k] != before:
                before = day[k]
                state, drawn = _normal(state)
                shock = 0.5 * shock + 0.035 * drawn
            usual = days[c, weekend[k], slot[k]]
            share = 0.85 if steady[c] else usual
            warm, cold = max(air[k] - BALANCE_COOL_DEGC, 0.0), max(BALANCE_HEAT_DEGC - air[k], 0.0)
            weather = share * (cooling * warm + heating * cold) / KELVINS
            state, drawn = _normal(state)
            lasting = 0.8 * lasting + 0.6 * drawn
            value = size * (usual * (1.0 + shock) + weather) * max(1.0 + noise * lasting, 0.05)
            out[c, k] = np.rint(value * 100.0) / 100.0


@compiled
def _normal(state: np.uint64) -> tuple[np.uint64, float]:
    """Return the generator's next state and a draw that is nearly normal: four uniform 16-bit parts of one word.

    Source: xorshift64* (Vigna 2016), sum of uniforms (Irwin-Hall).
    """
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    word = state * np.uint64(2685821657736338717)
    mask = np.uint64(0xFFFF)
    total = (
        float(word & mask)
        + float((word >> np.uint64(16)) & mask)
        + float((word >> np.uint64(32)) & mask)
        + float((word >> np.uint64(48)) & mask)
    )
    return state, (total / 65535.0 - 2.0) * 1.7320508075688772
