"""What instruments show: the truth with a gain error, an offset and noise by class of measurement."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SensorClass:
    """Spread of an instrument class, one standard deviation each.

    ``gain_share`` and ``offset`` are drawn once per instrument and stay; ``noise_share`` (of the value) and ``noise`` (in the unit of the
    quantity) are new at every measurement.
    """

    gain_share: float = 0.0
    offset: float = 0.0
    noise_share: float = 0.0
    noise: float = 0.0


EXACT = SensorClass()
CLASSES: tuple[tuple[str, SensorClass], ...] = (
    ("electricity_kw", SensorClass(gain_share=0.0025, noise_share=0.0008, noise=0.02)),
    ("available_kw", SensorClass(gain_share=0.01, noise_share=0.004, noise=0.05)),
    ("reactive_kvar", SensorClass(gain_share=0.005, noise_share=0.002, noise=0.02)),
    ("heat_kw", SensorClass(gain_share=0.01, noise_share=0.004, noise=0.1)),
    ("cold_kw", SensorClass(gain_share=0.012, noise_share=0.004, noise=0.1)),
    ("gas_kw", SensorClass(gain_share=0.007, noise_share=0.002, noise=0.1)),
    ("hydrogen_kw", SensorClass(gain_share=0.01, noise_share=0.003, noise=0.05)),
    ("electricity_import_kwh", SensorClass(gain_share=0.0025)),
    ("electricity_export_kwh", SensorClass(gain_share=0.0025)),
    ("heat_kwh", SensorClass(gain_share=0.01)),
    ("cold_kwh", SensorClass(gain_share=0.012)),
    ("gas_kwh", SensorClass(gain_share=0.007)),
    ("water_m3", SensorClass(gain_share=0.01)),
    ("water_m3_per_h", SensorClass(gain_share=0.01, noise_share=0.01)),
    ("stored_share", SensorClass(offset=0.006, noise=0.0007)),
    ("stored_kwh", SensorClass(gain_share=0.01, noise_share=0.001)),
    ("voltage_pu", SensorClass(gain_share=0.001, noise=0.0004)),
    ("frequency_hz", SensorClass(offset=0.002, noise=0.003)),
)
"""Quantity → class. Electricity: class 0.5 meters (IEC 62053-22); heat and cold: EN 1434 class 2; gas: EN 1359 class 1.5."""
BY_ENDING: tuple[tuple[str, SensorClass], ...] = (
    ("_degc", SensorClass(offset=0.2, noise=0.04)),
    ("_kpa", SensorClass(gain_share=0.004, noise_share=0.001)),
    ("_v", SensorClass(gain_share=0.001, noise_share=0.0004)),
    ("_a", SensorClass(gain_share=0.002, noise_share=0.001)),
)


def sensor_class(quantity: str) -> SensorClass:
    """Return the instrument class of a quantity; exact for counts, flags and set-points."""
    by_name = dict(CLASSES)
    if quantity in by_name:
        return by_name[quantity]
    return next((c for ending, c in BY_ENDING if quantity.endswith(ending)), EXACT)


class Sensors:
    """The instruments of one plant, one per (asset, quantity); their errors are a function of the seed.

    A counter has the gain of the meter it belongs to, so that power and energy of one meter agree.
    """

    def __init__(self, points: Sequence[tuple[str, str]], seed: int) -> None:
        classes = [sensor_class(q) for _, q in points]
        own = [np.random.Generator(np.random.PCG64(_key(seed, a, _meter(q)))).standard_normal(2) for a, q in points]
        draws = np.clip(np.array(own).reshape(-1, 2), -2.0, 2.0)
        self.gain: Array = 1.0 + draws[:, 0] * [c.gain_share for c in classes]
        self.offset: Array = draws[:, 1] * [c.offset for c in classes]
        self._noise_share: Array = np.array([c.noise_share for c in classes])
        self._noise: Array = np.array([c.noise for c in classes])
        self._rng = np.random.Generator(np.random.PCG64(_key(seed, "", "noise")))

    def show(self, truth: Array) -> Array:
        """Return what the instruments show for the true values; shape (point,)."""
        shown = truth * self.gain + self.offset
        noise = self._rng.standard_normal(len(truth))
        # a standing unit reads an exact zero, as instruments with a cut-off do
        spread = np.where(truth == 0.0, 0.0, self._noise_share * np.abs(shown) + self._noise)
        return np.where(truth == 0.0, np.where(self.offset == 0.0, 0.0, shown), shown + noise * spread)


def _meter(quantity: str) -> str:
    """Return the carrier that a meter's power and counters share, or the quantity itself."""
    carrier = quantity.partition("_")[0]
    return carrier if quantity.endswith(("_kw", "_kwh", "_m3", "_m3_per_h")) else quantity


def _key(seed: int, asset: str, quantity: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{asset}/{quantity}".encode(), digest_size=8).digest(), "big")
