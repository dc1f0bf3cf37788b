"""A pipe network as the arrays that its kernels read, once per network."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.cache import compiled_once
from models.networks.data import Friction, Pipe, PipeNetwork
from models.networks.fluids import Fluid
from models.networks.friction import CODE
from models.networks.graph import CompiledGraph, Edge, compile_graph
from models.networks.hydraulics import Floats, Tubes, shape_of, tubes_of
from models.networks.thermal import Adjacency, Pipework, adjacency


@dataclass(frozen=True, slots=True)
class PipeModel:
    """Graph, tubes and loss of a network; edges are its pipes, then its pumps."""

    graph: CompiledGraph
    near: Adjacency
    tubes: Tubes
    loss_w_per_k: Floats
    head_pa: Floats
    """Pressure drop that does not depend on the flow; pumps have it below zero."""
    curve_pa_s2_per_kg2: Floats
    height_m: Floats
    """Per node."""

    @property
    def live(self) -> npt.NDArray[np.bool_]:
        """Edges that are open and joined to the plant."""
        return np.asarray(self.graph.start >= 0)


def pipework_of(model: PipeModel, friction: Friction, fluid: Fluid) -> Pipework:
    """Return a network in the order that kernels expect, with drops of supply and return in Pa."""
    media = (
        np.array([fluid.supply_pa_s, fluid.return_pa_s]),
        np.array([1 / fluid.supply_kg_per_m3, 1 / fluid.return_kg_per_m3]),
    )
    shape = shape_of(model.graph)
    return shape, model.near, model.tubes, CODE[friction], media, model.curve_pa_s2_per_kg2, model.head_pa


@compiled_once
def compile_pipes(network: PipeNetwork) -> PipeModel:
    """Return the arrays of a heat, cold or water network; equal networks share one result."""
    closed = frozenset(p.id for p in network.pipes if not p.open)
    junctions = tuple(j.id for j in network.junctions)
    edges = (*pipe_edges(network.pipes), *(Edge(p.id, p.from_junction, p.to_junction, 0.0) for p in network.pumps))
    graph = compile_graph(junctions, edges, closed, network.plant_junction)
    none = [0.0] * len(network.pipes)
    height = np.zeros(graph.node_count)
    for junction, node in zip(network.junctions, graph.node, strict=True):
        if node >= 0:
            height[node] = junction.height_m
    return PipeModel(
        graph=graph,
        near=adjacency(graph),
        tubes=tubes_of(network.pipes, len(network.pumps)),
        loss_w_per_k=np.array([p.heat_loss_w_per_m_k * p.length_m for p in network.pipes] + [0.0] * len(network.pumps)),
        head_pa=np.array(none + [-1e3 * p.lift_kpa for p in network.pumps]),
        curve_pa_s2_per_kg2=np.array(none + [1e3 * p.lift_drop_kpa_s2_per_kg2 for p in network.pumps]),
        height_m=height,
    )


def pipe_edges(pipes: Iterable[Pipe]) -> list[Edge]:
    """Return pipes as graph edges weighted by their resistance."""
    return [Edge(p.id, p.from_junction, p.to_junction, p.length_m / p.inner_diameter_mm**5) for p in pipes]


def to_nodes(graph: CompiledGraph, per_junction: Floats) -> Floats:
    """Return values per junction summed per graph node, dims (step, node); values of islands are dropped."""
    out = np.zeros((len(per_junction), graph.node_count))
    live = graph.node >= 0
    out[:, graph.node[live]] = per_junction[:, live]
    return out


def to_junctions(graph: CompiledGraph, per_node: Floats) -> Floats:
    """Return values per node in the order of junctions, NaN on islands; dims (step, junction)."""
    return np.where(graph.node >= 0, per_node[:, graph.node], np.nan)
