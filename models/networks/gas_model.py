"""A gas network as the arrays that its solvers read, once per network."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.cache import compiled_once
from models.networks.data import GasNetwork
from models.networks.fluids import GRAVITY_M_PER_S2, GasLaw, gas_law
from models.networks.friction import CODE
from models.networks.gas_kernel import Gaswork, Law
from models.networks.graph import CompiledGraph, Edge, compile_graph
from models.networks.hydraulics import Floats, Tubes, shape_of, tubes_of
from models.networks.labels import Frame
from models.networks.pipes import Places, heights_of, pipe_edges, places_of, sum_at

KW_S_PER_KWH = 3600.0


@dataclass(frozen=True, slots=True)
class GasModel:
    """A gas network as arrays; edges are its pipes, then its compressors."""

    graph: CompiledGraph
    tubes: Tubes
    height_m: Floats
    """Per node."""
    rise_m: Floats
    """Height gained along every edge."""
    law: GasLaw
    consumers: Places
    frame: Frame


@compiled_once
def compile_gas(network: GasNetwork) -> GasModel:
    """Return the arrays of a gas network; equal networks share one result."""
    closed = frozenset(p.id for p in network.pipes if not p.open)
    compressors = [Edge(c.id, c.from_junction, c.to_junction, 0.0) for c in network.compressors]
    edges = (*pipe_edges(network.pipes), *compressors)
    graph = compile_graph(tuple(j.id for j in network.junctions), edges, closed, network.source_junction)
    height = heights_of(network.junctions, graph)
    return GasModel(
        graph=graph,
        tubes=tubes_of(network.pipes, len(network.compressors)),
        height_m=height,
        rise_m=np.where(graph.start >= 0, height[graph.end] - height[graph.start], 0.0),
        law=gas_law(network),
        consumers=places_of(network.consumers, graph),
        frame=Frame({"junction": graph.junction_ids, "pipe": graph.edge_ids}),
    )


def demand_kg_per_s(network: GasNetwork, model: GasModel, demand_kw: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what every node draws, dims (step, node), from power per consumer, and the steps that strand some of it."""
    per_kg = network.lower_heating_value_kwh_per_kg * KW_S_PER_KWH
    return sum_at(model.consumers, demand_kw / per_kg, model.graph.node_count)


def gaswork_of(network: GasNetwork, model: GasModel, law: GasLaw) -> Gaswork:
    """Return a network in the order that kernels expect."""
    viscosity = np.array([network.viscosity_upa_s * 1e-6])
    lift, node = GRAVITY_M_PER_S2 * model.rise_m, model.graph.node
    return shape_of(model.graph), model.tubes, CODE[network.friction], viscosity, lift, node, law_of(law)


def law_of(law: GasLaw) -> Law:
    """Return an equation of state as kernels expect it."""
    return float(law.specific_j_per_kg), float(law.b1), float(law.b2_per_pa), law.linear


def linepack_kg(model: GasModel, law: GasLaw, pressure: Floats) -> Floats:
    """Return the gas that the pipes hold, half of each at the density of either end."""
    density = law.density(pressure)
    length, _, area, *_ = model.tubes
    live = model.graph.start >= 0
    ends = density[:, model.graph.start] + density[:, model.graph.end]
    return np.asarray((np.where(live, ends, 0.0) * area * length / 2).sum(axis=1))
