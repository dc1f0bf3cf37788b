"""Pressure levels of supply and return along the tree, as a compiled loop."""

import numpy as np

from models.networks.fluids import GRAVITY_M_PER_S2
from models.networks.hydraulics import Floats, drop
from models.networks.jit import compiled
from models.networks.thermal import Pipework


@compiled
def tube_pressures(m: Floats, pipework: Pipework, height: Floats) -> tuple[Floats, Floats]:
    """Return supply and return pressures in Pa relative to the plant, dims (step, node); pumps count in the supply."""
    shape, _, tubes, model, media, curve, head = pipework
    _, _, parent, parent_edge, parent_sign, _, _, _, _ = shape
    viscosity, weight = media
    supply = np.zeros((len(m), len(parent)))
    back = np.zeros((len(m), len(parent)))
    for t in range(len(m)):
        for i in range(1, len(parent)):
            k, up = parent_edge[i], parent[i]
            flow = m[t, k]
            rise = GRAVITY_M_PER_S2 * (height[i] - height[up])
            pump = head[k] + curve[k] * flow * abs(flow)
            down = weight[0] * drop(flow, k, tubes, model, viscosity[0]) + pump
            supply[t, i] = supply[t, up] - parent_sign[i] * down - rise / weight[0]
            along = weight[1] * drop(flow, k, tubes, model, viscosity[1])
            back[t, i] = back[t, up] + parent_sign[i] * along - rise / weight[1]
    return supply, back
