"""Flatten a grid into the arrays that the batch engine works on, once per topology."""

import cmath
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.cache import compiled_once
from models.networks.data import ElectricNetwork
from models.networks.electricity.topology import Branch, branches_of, fuse_buses, reached
from models.networks.labels import Frame
from models.networks.symbolic import Elimination, IntArray, eliminate

ComplexArray = npt.NDArray[np.complex128]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BranchTable:
    """Branches as arrays; nodes are positions in the elimination, the slack comes last, -1 has no voltage."""

    ids: tuple[str, ...]
    from_node: IntArray
    to_node: IntArray
    ff: ComplexArray
    ft: ComplexArray
    tf: ComplexArray
    tt: ComplexArray
    from_current_ka: FloatArray
    """Current of one per unit (1 MVA) at the from end."""
    to_current_ka: FloatArray
    from_limit_ka: FloatArray
    to_limit_ka: FloatArray


@dataclass(frozen=True, slots=True)
class JoinedBuses:
    """Live buses sorted by the node that they share."""

    bus: npt.NDArray[np.intp]
    node: npt.NDArray[np.intp]
    """Nodes with any bus, each once."""
    first: npt.NDArray[np.intp]
    """Place in ``bus`` of the first bus of every such node."""

    @classmethod
    def of(cls, bus_node: IntArray) -> "JoinedBuses":
        """Return the buses of every node, in the order of the file."""
        live = np.flatnonzero(bus_node >= 0)
        bus = live[np.argsort(bus_node[live], kind="stable")]
        node, first = np.unique(bus_node[bus], return_index=True)
        return cls(bus, node.astype(np.intp), first)


@dataclass(frozen=True, slots=True)
class CompiledGrid:
    """A grid as arrays in per unit of 1 MVA, in elimination order with the slack last."""

    bus_ids: tuple[str, ...]
    bus_node: IntArray
    """Position of every bus; -1 where nothing connects it to the slack."""
    joined: JoinedBuses
    frame: Frame
    vn_kv: FloatArray
    elimination: Elimination
    edge_from: IntArray
    edge_to: IntArray
    edge_block: IntArray
    """Block of (from, to); the one after it is (to, from). -1 when an end is the slack."""
    y_edge: ComplexArray
    y_edge_back: ComplexArray
    y_diagonal: ComplexArray
    held_vm_pu: FloatArray
    """Voltage that a generator holds, NaN at every other node."""
    slack_v: complex
    branches: BranchTable
    start: ComplexArray
    """Voltages without any load, where iterations begin."""
    tolerance_mva: float

    @property
    def node_count(self) -> int:
        """Nodes whose voltage is unknown."""
        return len(self.elimination.order)

    @property
    def unsupplied(self) -> tuple[str, ...]:
        """Buses that no path of closed branches joins to the slack."""
        return tuple(bus for bus, node in zip(self.bus_ids, self.bus_node, strict=True) if node < 0)


@compiled_once
def compile_grid(network: ElectricNetwork) -> CompiledGrid:
    """Return the arrays of a grid; equal networks share one result."""
    node_of_bus = fuse_buses(network)
    branches = branches_of(network, node_of_bus)
    count = max(node_of_bus.values()) + 1
    slack = node_of_bus[network.slack_bus]
    live = reached(count, branches, slack)
    unknown = [i for i in range(count) if live[i] and i != slack]
    local = {node: i for i, node in enumerate(unknown)}
    edges = sorted(_edges(branches, live))
    inner = [(local[a], local[b]) for a, b in edges if slack not in (a, b)]
    elimination = eliminate(len(unknown), inner)
    position = np.full(count, -1, dtype=np.int32)
    position[[unknown[i] for i in elimination.order]] = np.arange(len(unknown))
    position[slack] = len(unknown)
    return _assemble(
        network, node_of_bus, branches, position, elimination, [(position[a], position[b]) for a, b in edges]
    )


def _edges(branches: list[Branch], live: list[bool]) -> set[tuple[int, int]]:
    return {
        (min(b.from_node, b.to_node), max(b.from_node, b.to_node))
        for b in branches
        if b.admittance.ft != 0 and b.from_node != b.to_node and live[b.from_node]
    }


def _assemble(
    network: ElectricNetwork,
    node_of_bus: dict[str, int],
    branches: list[Branch],
    position: IntArray,
    elimination: Elimination,
    edges: list[tuple[int, int]],
) -> CompiledGrid:
    table = _branch_table(branches, position)
    size = len(elimination.order)
    bus_node = np.array([position[node_of_bus[bus.id]] for bus in network.buses], dtype=np.int32)
    where = {bus.id: int(node) for bus, node in zip(network.buses, bus_node, strict=True)}
    edges = [(a, b) if a < b else (b, a) for a, b in edges]
    y_edge, y_back, y_diagonal = nodal_admittance(table, edges, size)
    for shunt in network.shunts:
        if where[shunt.bus] >= 0:
            y_diagonal[where[shunt.bus]] += complex(-shunt.p_kw, shunt.q_kvar) / 1e3
    held = np.full(size, np.nan)
    for control in network.voltage_controls:
        if 0 <= where[control.bus] < size:
            held[where[control.bus]] = control.vm_pu
    upper = _upper_blocks(elimination)
    slack_v = cmath.rect(network.slack_vm_pu, math.radians(network.slack_angle_deg))
    return CompiledGrid(
        bus_ids=tuple(bus.id for bus in network.buses),
        bus_node=bus_node,
        joined=JoinedBuses.of(bus_node),
        frame=Frame({"bus": [bus.id for bus in network.buses], "branch": table.ids}),
        vn_kv=np.array([bus.vn_kv for bus in network.buses]),
        elimination=elimination,
        edge_from=np.array([a for a, _ in edges], dtype=np.int32),
        edge_to=np.array([b for _, b in edges], dtype=np.int32),
        edge_block=np.array([upper.get(edge, -1) for edge in edges], dtype=np.int32),
        y_edge=y_edge,
        y_edge_back=y_back,
        y_diagonal=y_diagonal,
        held_vm_pu=held,
        slack_v=slack_v,
        branches=table,
        start=_no_load(edges, y_edge, y_back, y_diagonal, held, slack_v),
        tolerance_mva=max(1e-9, 8 * np.finfo(float).eps * float(np.abs(y_diagonal).max(initial=0))),
    )


def _upper_blocks(elimination: Elimination) -> dict[tuple[int, int], int]:
    row = np.repeat(np.arange(len(elimination.order)), np.diff(elimination.ptr))
    pairs = zip(row.tolist(), elimination.column.tolist(), elimination.upper.tolist(), strict=True)
    return {(i, j): block for i, j, block in pairs}


def _branch_table(branches: list[Branch], position: IntArray) -> BranchTable:
    def column(name: str) -> ComplexArray:
        return np.array([getattr(b.admittance, name) for b in branches], dtype=np.complex128)

    def limit(values: list[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    return BranchTable(
        ids=tuple(b.id for b in branches),
        from_node=np.array([position[b.from_node] for b in branches], dtype=np.int32),
        to_node=np.array([position[b.to_node] for b in branches], dtype=np.int32),
        ff=column("ff"),
        ft=column("ft"),
        tf=column("tf"),
        tt=column("tt"),
        from_current_ka=limit([1 / (3**0.5 * b.from_vn_kv) for b in branches]),
        to_current_ka=limit([1 / (3**0.5 * b.to_vn_kv) for b in branches]),
        from_limit_ka=limit([b.from_limit_ka for b in branches]),
        to_limit_ka=limit([b.to_limit_ka for b in branches]),
    )


def nodal_admittance(
    table: BranchTable, edges: list[tuple[int, int]], size: int
) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Return the nodal admittances (from, to), (to, from) per edge and the diagonal including the slack."""
    number = {edge: i for i, edge in enumerate(edges)}
    forth = np.zeros(len(edges), dtype=np.complex128)
    back = np.zeros(len(edges), dtype=np.complex128)
    diagonal = np.zeros(size + 1, dtype=np.complex128)
    for i, (a, b) in enumerate(zip(table.from_node.tolist(), table.to_node.tolist(), strict=True)):
        if a >= 0:
            diagonal[a] += table.ff[i]
        if b >= 0:
            diagonal[b] += table.tt[i]
        if a == b and a >= 0:
            diagonal[a] += table.ft[i] + table.tf[i]
        elif (a, b) in number:
            forth[number[a, b]] += table.ft[i]
            back[number[a, b]] += table.tf[i]
        elif (b, a) in number:
            forth[number[b, a]] += table.tf[i]
            back[number[b, a]] += table.ft[i]
    return forth, back, diagonal


def _no_load(
    edges: list[tuple[int, int]],
    forth: ComplexArray,
    back: ComplexArray,
    diagonal: ComplexArray,
    held: FloatArray,
    slack_v: complex,
) -> ComplexArray:
    """Return the voltages without load; this carries the phase shift of transformers, which a flat start lacks."""
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    size = len(held)
    if size == 0:
        return np.array([slack_v], dtype=np.complex128)
    a, b = np.array(edges).T
    row = np.concatenate([a, b, np.arange(size + 1)])
    column = np.concatenate([b, a, np.arange(size + 1)])
    y = csc_matrix((np.concatenate([forth, back, diagonal]), (row, column)))
    inner = splu(y[:size, :size].tocsc())
    v = inner.solve(-np.asarray(y[:size, size:].todense()).ravel() * slack_v)
    if not np.isnan(held).all():
        v = np.where(np.isnan(held), 1.0, held) * v / np.abs(v)  # long idle lines would start far too high
    return np.append(v, slack_v)
