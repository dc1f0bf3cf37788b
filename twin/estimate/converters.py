"""Rows of the equipment: one state per running port, meters on them, and what a unit's characteristic says between them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import (
    AbsorptionChiller,
    Asset,
    Chp,
    ElectricBoiler,
    ElectricChiller,
    GasBoiler,
    HeatPump,
)
from twin.estimate.problem import Array, Origin, Rows, Sensor

E, H, G, C = Carrier.ELECTRICITY, Carrier.HEAT, Carrier.GAS, Carrier.COLD
MAP_POINTS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """What one port of a unit should be, given another: a smooth polynomial of the driving port, both signed as in the network."""

    asset: str
    output: Carrier
    driver: Carrier
    coefficients: tuple[float, float, float]
    """Constant, linear and quadratic, for the output in kW over the driver in kW."""
    sigma_share: float
    sigma_kw: float

    @property
    def quantity(self) -> str:
        """Name of the row: output over driver."""
        return f"{self.output}_over_{self.driver}_kw"


def characteristics(asset: Asset, air_degc: float) -> tuple[Characteristic, ...]:
    """Return the characteristics of a running unit; none for assets that convert nothing.

    Part-load maps are fitted by one parabola: kinks of a piecewise-linear map make an estimate jump from side to side.
    The uncertainties are judgements of how far units of each kind drift from their sheets.
    """
    if isinstance(asset, Chp):
        power = np.linspace(asset.power_min_kw, asset.power_max_kw, MAP_POINTS)
        fuel, heat = _parabola(power, -asset.fuel_kw(power)), _parabola(power, asset.heat_kw(power))
        return (_row(asset, G, E, fuel, 0.025), _row(asset, H, E, heat, 0.04))
    if isinstance(asset, GasBoiler):
        return (_row(asset, G, H, (0.0, -1.0 / asset.efficiency, 0.0), 0.025),)
    if isinstance(asset, HeatPump):
        return (_row(asset, E, H, (0.0, -1.0 / float(asset.cop(np.array(air_degc))), 0.0), 0.06),)
    if isinstance(asset, ElectricBoiler):
        return (_row(asset, E, H, (0.0, -1.0 / asset.efficiency, 0.0), 0.01),)
    if isinstance(asset, ElectricChiller):
        a, b, c = (asset.rated_electricity_kw * share for share in asset.part_load)
        return (_row(asset, E, C, (-a, -b / asset.cold_max_kw, -c / asset.cold_max_kw**2), 0.06),)
    if isinstance(asset, AbsorptionChiller):
        return (_row(asset, H, C, (0.0, -1.0 / asset.cop, 0.0), 0.06),)
    return ()


def _row(asset: Asset, output: Carrier, driver: Carrier, fit: Sequence[float], share: float) -> Characteristic:
    constant, linear, quadratic = fit
    return Characteristic(
        asset=asset.id,
        output=output,
        driver=driver,
        coefficients=(constant, linear, quadratic),
        sigma_share=share,
        sigma_kw=5.0,
    )


def _parabola(x: Array, y: Array) -> tuple[float, float, float]:
    quadratic, linear, constant = np.polyfit(x, y, 2)
    return float(constant), float(linear), float(quadratic)


@dataclass(frozen=True, slots=True)
class UnitRows:
    """Signed port powers of the running equipment as states; sensors are meters (``electricity_kw`` …) and characteristics (measured 0).

    ``expected_kw`` is where an iteration starts, by (asset, carrier).
    """

    sensors: tuple[Sensor, ...]
    ports: tuple[tuple[str, Carrier], ...]
    characteristics: Mapping[str, Characteristic]
    expected_kw: Mapping[tuple[str, Carrier], float]
    row_number: Mapping[str, int]
    outputs: npt.NDArray[np.int64]
    drivers: npt.NDArray[np.int64]
    polynomials: Array

    @classmethod
    def of(
        cls,
        ports: Iterable[tuple[str, Carrier]],
        meters: Iterable[Sensor],
        laws: Iterable[Characteristic],
        expected_kw: Mapping[tuple[str, Carrier], float],
    ) -> "UnitRows":
        """Return the rows of a set of ports with their meters and characteristics."""
        named = {f"{law.asset}.{law.quantity}": law for law in laws}
        pseudo = [
            Sensor(
                law.asset,
                law.quantity,
                law.sigma_kw + law.sigma_share * abs(expected_kw.get((law.asset, law.output), 0.0)),
                Origin.CHARACTERISTIC,
            )
            for law in named.values()
        ]
        order = tuple(ports)
        number = {name: i for i, name in enumerate([*(f"{a}.{c}_kw" for a, c in order), *named])}
        outputs, drivers = (
            np.array(
                [order.index((law.asset, port)) for law in named.values() for port in [getattr(law, end)]],
                dtype=np.int64,
            )
            for end in ("output", "driver")
        )
        polynomials = np.array([law.coefficients for law in named.values()]).reshape(len(named), 3)
        return cls((*meters, *pseudo), order, named, dict(expected_kw), number, outputs, drivers, polynomials)

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the port powers."""
        return tuple(f"{asset}.{carrier}_kw" for asset, carrier in self.ports)

    def start(self) -> Array:
        """Return the expected powers."""
        return np.array([self.expected_kw.get(port, 0.0) for port in self.ports])

    def laws(self, x: Array) -> Rows:
        """Return no laws: units are tied together by the networks between them."""
        return Rows(np.zeros(0), np.zeros((0, len(x))))

    def measured(self, x: Array) -> Rows:
        """Return what every meter would show, and how far each characteristic is missed."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return port powers or characteristics' misses, in kW."""
        table = self._table(x)
        rows = [self.row_number[name] for name in names]
        return Rows(table.value[rows], table.slope[rows])

    def _table(self, x: Array) -> Rows:
        """Return every port's power, then every characteristic's miss."""
        constant, linear, quadratic = self.polynomials.T
        driver, output, count = x[self.drivers], x[self.outputs], np.arange(len(self.drivers))
        slope = np.zeros((len(self.drivers), len(x)))
        slope[count, self.outputs] = 1.0
        slope[count, self.drivers] = -(linear + 2 * quadratic * driver)
        miss = output - (constant + linear * driver + quadratic * driver**2)
        return Rows(np.concatenate([x, miss]), np.vstack([np.eye(len(x)), slope]))
