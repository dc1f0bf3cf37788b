"""Rows of the electric grid: voltages, injections and branch flows in polar form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.data import ElectricNetwork
from models.networks.electricity.compile import CompiledGrid, compile_grid
from twin.estimate.problem import Array, Rows, Sensor

ComplexArray = npt.NDArray[np.complex128]
KW_PER_MW = 1e3
BUS_QUANTITIES = ("power_kw", "reactive_kvar", "vm_pu")
BRANCH_QUANTITIES = ("from_power_kw", "from_reactive_kvar", "to_power_kw", "to_reactive_kvar")


@dataclass(frozen=True, slots=True)
class ElectricRows:
    """A grid whose state is every node's voltage: angles first, then magnitudes.

    Sensors name a bus (``power_kw``, ``reactive_kvar``: injection, positive feeds the grid; ``vm_pu``) or a branch
    (``from_power_kw``, ``from_reactive_kvar``, ``to_power_kw``, ``to_reactive_kvar``: flow into the branch at that end).
    Buses in ``zero_injection`` feed and draw nothing: a law, not a measurement.
    """

    sensors: tuple[Sensor, ...]
    grid: CompiledGrid
    admittance: ComplexArray
    """Nodal admittance matrix in per unit of 1 MVA, shape (node, node)."""
    zero_nodes: npt.NDArray[np.int64]
    row_number: Mapping[str, int]
    state_names: tuple[str, ...]
    """Angle and magnitude of every node, named by its first bus."""

    @classmethod
    def of(
        cls, network: ElectricNetwork, sensors: Sequence[Sensor], zero_injection: Sequence[str] = ()
    ) -> "ElectricRows":
        """Return the rows of a network for a set of sensors."""
        grid = compile_grid(network)
        node = dict(zip(grid.bus_ids, grid.bus_node.tolist(), strict=True))
        zero = sorted({node[bus] for bus in zero_injection if 0 <= node[bus] < grid.node_count})
        first = {i: bus for bus, i in reversed(node.items())}
        names = [first[i] for i in range(grid.node_count + 1)]
        states = (*(f"{n}.angle_rad" for n in names), *(f"{n}.vm_pu" for n in names))
        numbers = _row_numbers(grid)
        return cls(tuple(sensors), grid, _admittance(grid), np.array(zero, dtype=np.int64), numbers, states)

    @property
    def _size(self) -> int:
        return self.grid.node_count + 1

    def start(self) -> Array:
        """Return the voltages without any load."""
        v = self._unloaded()
        return np.concatenate([np.angle(v), np.abs(v)])

    def _unloaded(self) -> ComplexArray:
        return np.append(self.grid.start, self.grid.slack_v)[: self._size]

    def _voltage(self, x: Array) -> ComplexArray:
        return np.asarray(x[self._size :] * np.exp(1j * x[: self._size]))

    def measured(self, x: Array) -> Rows:
        """Return what every sensor would show."""
        return self.quantities([s.name for s in self.sensors], x)

    def quantities(self, names: Sequence[str], x: Array) -> Rows:
        """Return quantities named ``bus.quantity`` or ``branch.quantity``."""
        rows = [self.row_number[name] for name in names]
        table = self._table(self._voltage(x), branches=max(rows, default=0) >= 3 * self._size)
        return Rows(table.value[rows], table.slope[rows])

    def _table(self, v: ComplexArray, *, branches: bool) -> Rows:
        """Return injections of all nodes in kW and kvar and their voltages, then flows into the branches at both ends where asked for."""
        injection, by_angle, by_size = _injection(self.admittance, v)
        powers = [(injection, np.hstack([by_angle, by_size]))]
        if branches:
            powers += _branch_flows(self.grid, v)
        parts = [p for value, slope in powers for p in ((value.real, slope.real), (value.imag, slope.imag))]
        parts = [(KW_PER_MW * value, KW_PER_MW * slope) for value, slope in parts]
        parts.insert(2, (np.abs(v), np.hstack([np.zeros((len(v), len(v))), np.eye(len(v))])))
        return Rows(np.concatenate([value for value, _ in parts]), np.vstack([slope for _, slope in parts]))

    def laws(self, x: Array) -> Rows:
        """Return the slack angle's offset (rad) and the power balance of nodes without injection (MW, Mvar)."""
        v = self._voltage(x)
        injection, by_angle, by_size = _injection(self.admittance, v)
        slopes = np.hstack([by_angle, by_size])[self.zero_nodes]
        slack = np.zeros((1, 2 * self._size))
        slack[0, self._size - 1] = 1.0
        offset = x[self._size - 1] - np.angle(self.grid.slack_v)
        zero = injection[self.zero_nodes]
        return Rows(np.concatenate([[offset], zero.real, zero.imag]), np.vstack([slack, slopes.real, slopes.imag]))


def _row_numbers(grid: CompiledGrid) -> dict[str, int]:
    """Return where each quantity stands in the table of a grid; buses of one node share its rows."""
    size, count = grid.node_count + 1, len(grid.branches.ids)
    number = {
        f"{bus}.{q}": k * size + node
        for k, q in enumerate(BUS_QUANTITIES)
        for bus, node in zip(grid.bus_ids, grid.bus_node.tolist(), strict=True)
        if node >= 0
    }
    branches = enumerate(grid.branches.ids)
    return number | {f"{b}.{q}": 3 * size + k * count + i for i, b in branches for k, q in enumerate(BRANCH_QUANTITIES)}


def _admittance(grid: CompiledGrid) -> ComplexArray:
    size = grid.node_count + 1
    y = np.zeros((size, size), dtype=np.complex128)
    y[np.arange(size), np.arange(size)] = grid.y_diagonal
    y[grid.edge_from, grid.edge_to] += grid.y_edge
    y[grid.edge_to, grid.edge_from] += grid.y_edge_back
    return y


def _injection(y: ComplexArray, v: ComplexArray) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Return nodal injections in MVA and their derivatives by angle and by magnitude; shapes (node,), (node, node), (node, node)."""
    current = y @ v
    unit = v / np.abs(v)
    by_angle = 1j * v[:, None] * np.conj(np.diag(current) - y * v[None, :])
    by_size = v[:, None] * np.conj(y * unit[None, :]) + np.diag(np.conj(current) * unit)
    return v * np.conj(current), by_angle, by_size


def _branch_flows(grid: CompiledGrid, v: ComplexArray) -> list[tuple[ComplexArray, ComplexArray]]:
    """Return flow into each branch in MVA with its derivative (branch, state), at the from ends and at the to ends; 0 at dead ends."""
    table = grid.branches
    return [
        _end_flow(v, table.from_node, table.to_node, table.ff, table.ft),
        _end_flow(v, table.to_node, table.from_node, table.tt, table.tf),
    ]


def _end_flow(
    v: ComplexArray, near: npt.NDArray[np.int32], far: npt.NDArray[np.int32], own: ComplexArray, other: ComplexArray
) -> tuple[ComplexArray, ComplexArray]:
    size, rows = len(v), np.arange(len(near))
    vn = np.where(near >= 0, v[near], 0)
    vf = np.where(far >= 0, v[far], 0)
    current = np.conj(own * vn + other * vf)
    slope = np.zeros((len(near), 2 * size), dtype=np.complex128)
    un, uf = vn / np.maximum(np.abs(vn), 1e-12), vf / np.maximum(np.abs(vf), 1e-12)
    slope[rows, near] += 1j * vn * current - 1j * vn * np.conj(own * vn)
    slope[rows, far] += -1j * vn * np.conj(other * vf)
    slope[rows, size + near] += un * current + vn * np.conj(own * un)
    slope[rows, size + far] += vn * np.conj(other * uf)
    return vn * current, slope
