"""A gas network as the arrays that its solvers read, once per network."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.cache import compiled_once
from models.networks.data import GasNetwork
from models.networks.fluids import GasLaw, gas_law
from models.networks.graph import CompiledGraph, Edge, compile_graph
from models.networks.hydraulics import Floats, Tubes, tubes_of
from models.networks.pipes import pipe_edges

KW_S_PER_KWH = 3600.0


@dataclass(frozen=True, slots=True)
class GasModel:
    """A gas network as arrays; edges are its pipes, then its compressors."""

    graph: CompiledGraph
    tubes: Tubes
    height_m: Floats
    """Per node."""
    law: GasLaw

    @property
    def rise_m(self) -> Floats:
        """Height gained along every edge."""
        g = self.graph
        return np.where(g.start >= 0, self.height_m[g.end] - self.height_m[g.start], 0.0)


@dataclass(frozen=True, slots=True)
class GasFlow:
    """Solved flows and pressures, dims (step, edge) and (step, node)."""

    m: Floats
    pressure_pa: Floats
    converged: npt.NDArray[np.bool_]
    residual_share: Floats


@compiled_once
def compile_gas(network: GasNetwork) -> GasModel:
    """Return the arrays of a gas network; equal networks share one result."""
    closed = frozenset(p.id for p in network.pipes if not p.open)
    compressors = [Edge(c.id, c.from_junction, c.to_junction, 0.0) for c in network.compressors]
    edges = (*pipe_edges(network.pipes), *compressors)
    graph = compile_graph(tuple(j.id for j in network.junctions), edges, closed, network.source_junction)
    height = np.zeros(graph.node_count)
    for junction, node in zip(network.junctions, graph.node, strict=True):
        if node >= 0:
            height[node] = junction.height_m
    return GasModel(graph, tubes_of(network.pipes, len(network.compressors)), height, gas_law(network))


def demand_kg_per_s(network: GasNetwork, model: GasModel, demand_kw: Floats) -> Floats:
    """Return what every junction draws, dims (step, junction), from power per consumer."""
    place = {junction: i for i, junction in enumerate(model.graph.junction_ids)}
    demand = np.zeros((len(demand_kw), len(place)))
    np.add.at(demand.T, [place[junction] for junction in network.consumers], demand_kw.T)
    return demand / (network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH)


def linepack_kg(model: GasModel, law: GasLaw, pressure: Floats) -> Floats:
    """Return the gas that the pipes hold, half of each at the density of either end."""
    density = law.density(pressure)
    length, _, area, *_ = model.tubes
    live = model.graph.start >= 0
    ends = density[:, model.graph.start] + density[:, model.graph.end]
    return np.asarray((np.where(live, ends, 0.0) * area * length / 2).sum(axis=1))
