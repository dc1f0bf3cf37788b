"""A pipe network as the arrays that its kernels read, once per network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.cache import compiled_once
from models.networks.data import Friction, Junction, Pipe, PipeNetwork
from models.networks.fluids import Fluid
from models.networks.friction import CODE
from models.networks.graph import CompiledGraph, Edge, compile_graph
from models.networks.hydraulics import Floats, Ints, Pumps, Tubes, shape_of, tubes_of
from models.networks.labels import Frame
from models.networks.thermal import Adjacency, Pipework, adjacency


@dataclass(frozen=True, slots=True)
class Places:
    """Where consumers or plants sit in the graph."""

    junction: Ints
    """Number of the junction of every one of them."""
    node: Ints
    """-1 on islands."""
    distinct: bool
    """Whether each has a node for itself."""


@dataclass(frozen=True, slots=True)
class PipeModel:
    """Graph, tubes and loss of a network; edges are its pipes, its pumps, its regulators, then the ways from the plant to further sources."""

    graph: CompiledGraph
    near: Adjacency
    tubes: Tubes
    loss_w_per_k: Floats
    pumps: Pumps
    """Pressure drop in Pa that does not depend on the flow (pumps have it below zero), and its part per squared kg/s."""
    height_m: Floats
    """Per node."""
    junction_height_m: Floats
    consumers: Places
    feed_ins: Places
    frame: Frame

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
    return shape, model.near, model.tubes, CODE[friction], media, model.pumps


@compiled_once
def compile_pipes(network: PipeNetwork) -> PipeModel:
    """Return the arrays of a heat, cold or water network; equal networks share one result."""
    closed = frozenset(p.id for p in network.pipes if not p.open)
    junctions = tuple(j.id for j in network.junctions)
    stations = [Edge(p.id, p.from_junction, p.to_junction, 0.0) for p in network.pumps]
    stations += [Edge(r.id, r.from_junction, r.to_junction, 0.0) for r in network.regulators]
    sources = [Edge(f"{s.junction} (source)", network.plant_junction, s.junction, 0.0) for s in network.further_sources]
    graph = compile_graph(junctions, (*pipe_edges(network.pipes), *stations, *sources), closed, network.plant_junction)
    none, others = [0.0] * len(network.pipes), [0.0] * (len(network.regulators) + len(sources))
    return PipeModel(
        graph=graph,
        near=adjacency(graph),
        tubes=tubes_of(network.pipes, len(stations) + len(sources)),
        loss_w_per_k=np.array(
            [p.heat_loss_w_per_m_k * p.length_m for p in network.pipes] + [0.0] * len(network.pumps) + others
        ),
        pumps=(
            np.array(none + [-1e3 * p.lift_kpa for p in network.pumps] + others),
            np.array(none + [1e3 * p.lift_drop_kpa_s2_per_kg2 for p in network.pumps] + others),
        ),
        height_m=heights_of(network.junctions, graph),
        junction_height_m=np.array([j.height_m for j in network.junctions], dtype=np.float64),
        consumers=places_of(network.consumers, graph),
        feed_ins=places_of(network.feed_in_junctions, graph),
        frame=Frame(
            {
                "junction": junctions,
                "pipe": graph.edge_ids[: len(graph.edge_ids) - len(sources)],
                "consumer": network.consumers,
            }
            | ({"source": [s.junction for s in network.further_sources]} if sources else {})
        ),
    )


def places_of(junctions: Sequence[str], graph: CompiledGraph) -> Places:
    """Return where things at these junctions sit."""
    number = {junction: i for i, junction in enumerate(graph.junction_ids)}
    at = np.array([number[j] for j in junctions], dtype=np.int32)
    node = graph.node[at]
    return Places(at, node, bool((node >= 0).all()) and len(np.unique(node)) == len(node))


def heights_of(junctions: Sequence[Junction], graph: CompiledGraph) -> Floats:
    """Return the height of every node."""
    height = np.zeros(graph.node_count)
    for junction, node in zip(junctions, graph.node, strict=True):
        if node >= 0:
            height[node] = junction.height_m
    return height


def sum_at(places: Places, values: Floats, node_count: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return values per place, dims (step, place), summed per node, and the steps in which an island has any."""
    out = np.zeros((len(values), node_count))
    if places.distinct:
        out[:, places.node] = values
        return out, np.zeros(len(values), np.bool_)
    live = places.node >= 0
    np.add.at(out.T, places.node[live], values.T[live])
    return out, np.asarray((values[:, ~live] != 0).any(axis=1))


def pipe_edges(pipes: Iterable[Pipe]) -> list[Edge]:
    """Return pipes as graph edges weighted by their resistance."""
    return [Edge(p.id, p.from_junction, p.to_junction, p.length_m / p.inner_diameter_mm**5) for p in pipes]


def to_junctions(graph: CompiledGraph, per_node: Floats) -> Floats:
    """Return values per node in the order of junctions, NaN on islands; dims (step, junction)."""
    out, island = per_node[:, graph.node], graph.node < 0
    if island.any():
        out[:, island] = np.nan
    return out
