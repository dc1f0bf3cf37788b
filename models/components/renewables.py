"""Photovoltaics and wind: what is available, and what may be curtailed."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from annotated_types import Ge, Le

from models.carriers import Carrier
from models.components.base import Asset
from models.units import Id, NonNegative, PositiveKw, Share

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pv(Asset):
    """A rooftop photovoltaic field; ``profile`` names its AC output per unit of ``peak_kw``."""

    kind: Literal["pv"] = "pv"
    electricity_node: Id
    peak_kw: PositiveKw
    profile: str
    tilt_deg: Annotated[float, Ge(0), Le(90)] = 20.0
    azimuth_deg: Annotated[float, Ge(0), Le(360)] = 180.0
    """180 faces south."""
    loss_share: Share = 0.14
    reactive_max_kvar: NonNegative = 0.0
    """Reactive power that its inverter can feed or draw at any output."""
    apparent_max_kva: PositiveKw | None = None
    """What its converter carries of real and reactive power together; None where only each by itself is limited."""

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def series(self) -> tuple[str, ...]:
        """Return the per-unit output profile."""
        return (self.profile,)

    def available_kw(self, per_unit: Array) -> Array:
        """Return what the field could feed, from its output per unit of peak power."""
        return self.peak_kw * np.clip(per_unit, 0.0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wind(Asset):
    """A wind turbine; ``profile`` names its output per unit of ``rated_kw``."""

    kind: Literal["wind"] = "wind"
    electricity_node: Id
    rated_kw: PositiveKw
    profile: str

    control: ClassVar[Carrier] = Carrier.ELECTRICITY

    def series(self) -> tuple[str, ...]:
        """Return the per-unit output profile."""
        return (self.profile,)

    def available_kw(self, per_unit: Array) -> Array:
        """Return what the turbine could feed, from its output per unit of rated power."""
        return self.rated_kw * np.clip(per_unit, 0.0, 1.0)


def pv_per_unit(
    pv: Pv,
    times_utc: pd.DatetimeIndex,
    ghi_w_per_m2: Array,
    air_degc: Array,
    *,
    latitude_deg: float,
    longitude_deg: float,
) -> Array:
    """Return the AC output per unit of peak power that the weather allows; shape (time,), 0 at night.

    Global irradiance is split by Erbs, transposed isotropically, the cell follows the Ross relation of PVWatts (NOCT 45 degC),
    power loses 0.4 %/K above 25 degC.

    Source: pvlib; PVWatts version 5 manual (NREL/TP-6A20-62641).
    """
    import pvlib

    sun = _sun_at(times_utc.to_numpy("datetime64[ns]").tobytes(), latitude_deg, longitude_deg)
    split = pvlib.irradiance.erbs(ghi_w_per_m2, sun["zenith"], sun.index)
    plane = pvlib.irradiance.get_total_irradiance(
        pv.tilt_deg, pv.azimuth_deg, sun["apparent_zenith"], sun["azimuth"], split["dni"], ghi_w_per_m2, split["dhi"]
    )
    irradiance = plane["poa_global"].fillna(0.0).to_numpy()
    cell_degc = air_degc + irradiance * (45.0 - 20.0) / 800.0
    dc = pvlib.pvsystem.pvwatts_dc(irradiance, cell_degc, 1.0, -0.004)
    return np.asarray(np.clip(dc * (1.0 - pv.loss_share), 0.0, None), dtype=float)


@lru_cache(maxsize=64)
def _sun_at(utc_ns: bytes, latitude_deg: float, longitude_deg: float) -> pd.DataFrame:
    """Return where the sun stands; most of the work, and the same for every year of weather that is tried on some times."""
    import pvlib

    times = pd.DatetimeIndex(np.frombuffer(utc_ns, dtype="datetime64[ns]"), tz="UTC")
    where: pd.DataFrame = pvlib.solarposition.get_solarposition(times, latitude_deg, longitude_deg)
    return where


def wind_per_unit(speed_m_per_s: Array, *, cut_in: float = 3.0, rated: float = 13.0, cut_out: float = 25.0) -> Array:
    """Return turbine output per unit of rated power from wind speed at hub height; cubic between cut-in and rated speed.

    Source: standard idealised power curve (Manwell et al., Wind Energy Explained, chapter 7).
    """
    rising = (speed_m_per_s**3 - cut_in**3) / (rated**3 - cut_in**3)
    inside = (speed_m_per_s >= cut_in) & (speed_m_per_s < cut_out)
    return np.where(inside, np.clip(rising, 0.0, 1.0), 0.0)
