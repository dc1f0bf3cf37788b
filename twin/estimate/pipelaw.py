"""Rows of pipe networks with their constants, taken from the same friction and fluid laws that the network kernels use."""

import numpy as np

from models.networks.cache import compiled_once
from models.networks.data import GasNetwork, Pipe, PipeNetwork
from models.networks.fluids import gas_law, liquid
from models.networks.friction import CODE
from models.networks.hydraulics import drop, tubes_of
from twin.estimate.gas import GasRows
from twin.estimate.heat import HeatRows, PipeLaw
from twin.estimate.problem import Array

DESIGN_M_PER_S = 1.0
"""Usual design velocity of distribution pipes; the friction law is fitted around it."""
GAS_DESIGN_KG_PER_S = 0.1
LOW_SHARE = 0.3


@compiled_once
def heat_rows(network: PipeNetwork) -> HeatRows:
    """Return a heat or cold network's rows without sensors; equal networks share one result."""
    return HeatRows.of(network, (), pipe_law(network), liquid(network).heat_j_per_kg_k / 1e3)


@compiled_once
def gas_rows(network: GasNetwork) -> GasRows:
    """Return a gas network's rows without sensors; equal networks share one result."""
    return GasRows.of(network, (), gas_quadratic(network))


def pipe_law(network: PipeNetwork) -> PipeLaw:
    """Return the constants of a heat or cold network's open pipes, in file order; supply and return are taken as alike."""
    fluid = liquid(network)
    pipes = [p for p in network.pipes if p.open]
    tubes = tubes_of(pipes)
    density = 0.5 * (fluid.supply_kg_per_m3 + fluid.return_kg_per_m3)
    viscosity = 0.5 * (fluid.supply_pa_s + fluid.return_pa_s)
    design = tubes[2] * density * DESIGN_M_PER_S
    model = CODE[network.friction]
    high, low = (
        np.array([drop(share * m, k, tubes, model, viscosity) for k, m in enumerate(design)])
        / density
        / 1e3
        / (share * design)
        for share in (1.0, LOW_SHARE)
    )
    quadratic = (high - low) / ((1.0 - LOW_SHARE) * design)
    conductance = np.array([p.heat_loss_w_per_m_k * p.length_m for p in pipes]) / 1e3
    return PipeLaw(
        quadratic=quadratic,
        linear=high - quadratic * design,
        conductance_kw_per_k=conductance,
        design_kg_per_s=design,
    )


def friction_factors(network: PipeNetwork) -> dict[str, float]:
    """Return Darcy's friction factor of every open pipe at its design flow, fittings included."""
    law = pipe_law(network)
    pipes = [p for p in network.pipes if p.open]
    length, diameter, area, *_ = tubes_of(pipes)
    fluid = liquid(network)
    density = 0.5 * (fluid.supply_kg_per_m3 + fluid.return_kg_per_m3)
    pa_s2_per_kg2 = (law.quadratic + law.linear / law.design_kg_per_s) * 1e3
    factors = pa_s2_per_kg2 * 2 * density * area**2 * diameter / np.where(length > 0, length, np.inf)
    return {p.id: float(f) for p, f in zip(pipes, factors, strict=True) if f > 0}


def gas_quadratic(network: GasNetwork) -> Array:
    """Return the fall of squared pressure per squared flow of every open pipe, kPa² per (kg/s)², at the source pressure's compressibility."""
    law = gas_law(network)
    pipes: list[Pipe] = [p for p in network.pipes if p.open]
    tubes = tubes_of(pipes)
    pressure_pa = np.array(network.source_pressure_kpa * 1e3)
    pa2_per_potential = 2.0 * pressure_pa / law.density(pressure_pa)
    fall = [
        drop(GAS_DESIGN_KG_PER_S, k, tubes, CODE[network.friction], network.viscosity_upa_s * 1e-6)
        for k in range(len(pipes))
    ]
    return np.array(fall) * pa2_per_potential / GAS_DESIGN_KG_PER_S**2 / 1e6
