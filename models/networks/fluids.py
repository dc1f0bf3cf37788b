"""Properties of the liquids and gases in the pipes.

Water: saturated liquid after IAPWS-95 and the IAPWS 2008 viscosity, tabulated every 10 K and read linearly (viscosity in
the logarithm); within 0.1 % of the formulation, 0.5 % for viscosity. Water with propylene glycol: Melinder, "Properties
of secondary working fluids for indirect systems", IIR 2010, valid from freezing to 40 degC and for mass shares to 0.6.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.data import GasNetwork, PipeNetwork

GAS_CONSTANT_J_PER_MOL_K = 8.314462618
GRAVITY_M_PER_S2 = 9.80665
ZERO_DEGC_K = 273.15

LOG_SERIES = np.array([(-1) ** k / k for k in range(2, 12)])
SERIES_TO = 0.025

WATER_DEGC = np.arange(0.0, 151.0, 10.0)
WATER_KG_PER_M3 = np.array(
    [999.8, 999.7, 998.2, 995.6, 992.2, 988.0, 983.2, 977.8, 971.8, 965.3, 958.4, 950.9, 943.1, 934.8, 926.1, 917.0]
)
WATER_UPA_S = np.array(
    [1792.0, 1306.0, 1002.0, 797.4, 652.7, 546.9, 466.0, 403.6, 354.1, 314.2, 281.6, 254.7, 232.1, 213.0, 196.6, 182.5]
)
WATER_J_PER_KG_K = np.array(
    [
        4219.0,
        4196.0,
        4184.0,
        4180.0,
        4180.0,
        4182.0,
        4185.0,
        4190.0,
        4197.0,
        4205.0,
        4216.0,
        4228.0,
        4244.0,
        4262.0,
        4283.0,
        4307.0,
    ]
)

# Rows are powers of (temperature - base), columns powers of (share - base).
GLYCOL_BASE_DEGC, GLYCOL_BASE_SHARE = 32.7083, 0.307031
GLYCOL_KG_PER_M3 = (
    (1018.0, 76.04, -24.98, -155.0, -113.1, 234.2),
    (-0.5406, -0.945, 0.27, 2.829, -2.221, 0.0),
    (-2.666e-3, 5.541e-3, -4.018e-3, -7.175e-3, 0.0, 0.0),
    (1.347e-5, -1.343e-5, 3.376e-5, 0.0, 0.0, 0.0),
)
GLYCOL_J_PER_KG_K = (
    (3882.0, -1304.0, -1598.0, 353.9, 5000.0, -4959.0),
    (2.699, 5.07, 0.9534, 31.02, -71.35, 0.0),
    (-1.659e-3, -4.752e-3, 0.1167, -0.295, 0.0, 0.0),
    (-1.032e-5, 1.522e-4, -4.87e-4, 0.0, 0.0, 0.0),
)
GLYCOL_LOG_MPA_S = (
    (0.6837, 3.328, 0.5453, -3.9, -1.587, 35.64),
    (-3.045e-2, -3.984e-2, -8.6e-4, 0.1054, 4.475e-2, 0.0),
    (2.525e-4, 4.332e-4, -1.593e-4, -1.589e-3, 0.0, 0.0),
    (-1.399e-6, -1.86e-6, -4.465e-7, 0.0, 0.0, 0.0),
)
GLYCOL_FREEZING_K = ((259.9, -66.31, -109.4, -228.3, -340.9, 146.5),)


@dataclass(frozen=True, slots=True)
class Fluid:
    """A liquid as the kernels need it: constant at the temperatures of supply and return."""

    supply_kg_per_m3: float
    return_kg_per_m3: float
    supply_pa_s: float
    return_pa_s: float
    heat_j_per_kg_k: float
    """Between supply and return temperature; constant, so energy is conserved to rounding."""


def liquid(network: PipeNetwork, supply_degc: float | None = None, return_degc: float | None = None) -> Fluid:
    """Return the network's liquid at its design temperatures, or at those given."""
    hot = network.supply_degc if supply_degc is None else supply_degc
    cold = network.return_degc if return_degc is None else return_degc
    share = network.glycol_share
    return Fluid(
        supply_kg_per_m3=density_kg_per_m3(hot, share),
        return_kg_per_m3=density_kg_per_m3(cold, share),
        supply_pa_s=viscosity_pa_s(hot, share),
        return_pa_s=viscosity_pa_s(cold, share),
        heat_j_per_kg_k=heat_capacity_j_per_kg_k((hot + cold) / 2, share),
    )


def density_kg_per_m3(degc: float, glycol_share: float = 0.0) -> float:
    """Return the density of water or of water with propylene glycol."""
    if glycol_share == 0:
        return float(np.interp(degc, WATER_DEGC, WATER_KG_PER_M3))
    return _double_polynomial(GLYCOL_KG_PER_M3, degc, glycol_share)


def viscosity_pa_s(degc: float, glycol_share: float = 0.0) -> float:
    """Return the dynamic viscosity of water or of water with propylene glycol."""
    if glycol_share == 0:
        return float(np.exp(np.interp(degc, WATER_DEGC, np.log(WATER_UPA_S)))) * 1e-6
    return float(np.exp(_double_polynomial(GLYCOL_LOG_MPA_S, degc, glycol_share))) * 1e-3


def heat_capacity_j_per_kg_k(degc: float, glycol_share: float = 0.0) -> float:
    """Return the specific heat of water or of water with propylene glycol."""
    if glycol_share == 0:
        return float(np.interp(degc, WATER_DEGC, WATER_J_PER_KG_K))
    return _double_polynomial(GLYCOL_J_PER_KG_K, degc, glycol_share)


def freezing_degc(glycol_share: float = 0.0) -> float:
    """Return the temperature at which the first ice forms."""
    if glycol_share == 0:
        return 0.0
    return min(0.0, _double_polynomial(GLYCOL_FREEZING_K, GLYCOL_BASE_DEGC, glycol_share) - ZERO_DEGC_K)


def _double_polynomial(coefficients: tuple[tuple[float, ...], ...], degc: float, share: float) -> float:
    t, x = degc - GLYCOL_BASE_DEGC, share - GLYCOL_BASE_SHARE
    return float(np.polynomial.polynomial.polyval2d(t, x, np.array(coefficients)))


@dataclass(frozen=True, slots=True)
class GasLaw:
    """How density follows from pressure: ``rho = p (b1 + b2 p) / (R_s T)``, or Z falling linearly with pressure.

    ``linear`` selects ``Z = b1 + b2 p``; the two forms are different laws, not approximations of each other.
    """

    specific_j_per_kg: float
    """R_s T in J/kg."""
    b1: float
    b2_per_pa: float
    linear: bool

    def density(self, pa: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return kg/m3 at absolute pressure."""
        if self.linear:
            return np.asarray(pa / ((self.b1 + self.b2_per_pa * pa) * self.specific_j_per_kg))
        return np.asarray(pa * (self.b1 + self.b2_per_pa * pa) / self.specific_j_per_kg)

    def potential(self, pa: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the integral of density over pressure from vacuum."""
        if not self.linear:
            return np.asarray((self.b1 / 2 + self.b2_per_pa / 3 * pa) * pa**2 / self.specific_j_per_kg)
        x = self.b2_per_pa * pa / self.b1
        return np.asarray(pa**2 / self.b1 / self.specific_j_per_kg * log_excess(x))

    def pressure(self, potential: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the absolute pressure of a potential, NaN below vacuum (Newton from the ideal-gas value)."""
        positive = np.where(potential > 0, potential, np.nan)
        pa = np.sqrt(2 * positive * self.specific_j_per_kg * (self.b1 if self.linear else 1 / self.b1))
        for _ in range(30):
            change = (self.potential(pa) - positive) / self.density(pa)
            pa = pa - change
            if np.nanmax(np.abs(change) / pa, initial=0.0) < 1e-13:
                break
        return np.asarray(pa)


def log_excess(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``(x - log(1 + x)) / x**2``, 1/2 at zero; by its series near zero, where the difference loses all digits."""
    if np.nanmax(np.abs(x), initial=0.0) > SERIES_TO:
        near = np.abs(x) <= SERIES_TO
        safe = np.where(near, 1.0, x)
        return np.where(near, log_excess(np.where(near, x, 0.0)), (safe - np.log1p(safe)) / safe**2)
    return np.asarray(np.polynomial.polynomial.polyval(x, LOG_SERIES))


def gas_law(network: GasNetwork) -> GasLaw:
    """Return the equation of state of a gas network at its gas temperature.

    ``cnga``: California Natural Gas Association's formula for the compressibility of natural gas as used by Menon, "Gas
    Pipeline Hydraulics", 2005.
    """
    kelvin = network.gas_degc + ZERO_DEGC_K
    specific = GAS_CONSTANT_J_PER_MOL_K / (network.molar_mass_g_per_mol * 1e-3) * kelvin
    if network.equation_of_state == "constant":
        return GasLaw(specific, 1 / network.compressibility, 0.0, linear=False)
    if network.equation_of_state == "linear":
        return GasLaw(specific, network.compressibility, network.compressibility_slope_per_mpa / 1e6, linear=True)
    return GasLaw(specific, *cnga_coefficients(kelvin, network.molar_mass_g_per_mol / 28.9625), linear=False)


def cnga_coefficients(kelvin: float, gravity: float) -> tuple[float, float]:
    """Return b1 and b2 in 1/Pa of ``1 / Z = b1 + b2 p`` with absolute ``p``; ``gravity`` is relative to air."""
    a1, a2, a3 = 344400.0, 1.785, 3.825
    psi_pa, atmosphere_pa = 6894.75729, 101325.0
    factor = a1 * 10 ** (a2 * gravity) / (1.8 * kelvin) ** a3
    return 1 + factor * atmosphere_pa / psi_pa, factor / psi_pa
