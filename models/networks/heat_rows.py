"""What a heat or cold network shows in a solved step, in the order of its file, as compiled loops.

Written row by row while a step's numbers are at hand: over a year of steps, moving whole tables to and fro takes longer than this.
"""

import numpy as np

from models.networks.hydraulics import Floats, Ints
from models.networks.jit import compiled

PlantPump = tuple[bool, float, float]
"""Whether it watches the worst consumer, its largest lift and the pressure difference it keeps there, both in kPa."""
Places = tuple[Ints, Ints, Floats, Floats, Floats, PlantPump]
"""Node of every junction, junction of every consumer, pressure at rest of supply and return (kPa, junction), mass per metre of every
edge's supply, the plant's pump."""
Rows = tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats, Floats]
"""Supply and return temperature, pressure difference, supply and return pressure (step, junction), flow and velocity (step, edge),
flow of consumers (step, consumer)."""
Totals = tuple[Floats, Floats, Floats, Floats, Floats, Ints]
"""Flow of the plant in kg/s, temperature of its return, heat lost in W, lift of its pump and least pressure difference in kPa, and the
number of the consumer that has it (step)."""
Solved = tuple[Floats, Floats, Floats, Floats, Floats, Floats]
"""Flow of edges, then of nodes, both temperatures, and both pressures in Pa above the plant's return without any lift (node)."""


@compiled
def lift_of(left: Floats, consumers: Ints, pump: PlantPump) -> float:
    """Return the plant's lift in kPa; ``left`` is the pressure difference at every junction without any lift."""
    watches, most, wanted = pump
    if not watches or len(consumers) == 0:
        return most
    least = np.inf
    for j in consumers:
        if left[j] < least:
            least = left[j]
    return min(most, max(wanted - least, 0.0)) if least < np.inf else most


@compiled
def lift_steps(left: Floats, consumers: Ints, pump: PlantPump, lift: Floats) -> None:
    """Fill the plant's lift of many steps; ``left`` has dims (step, junction)."""
    for t in range(len(left)):
        lift[t] = lift_of(left[t], consumers, pump)


@compiled
def _pressures(t: int, supply_pa: Floats, return_pa: Floats, places: Places, rows: Rows, totals: Totals) -> None:
    """Fill a step's pressures, the lift, and the consumer with the least difference."""
    node, consumers, supply_rest, return_rest, _, pump = places
    dp, supply_kpa, return_kpa = rows[2][t], rows[3][t], rows[4][t]
    for j in range(len(node)):
        i = node[j]
        supply_kpa[j] = supply_pa[i] / 1e3 if i >= 0 else np.nan
        return_kpa[j] = return_pa[i] / 1e3 if i >= 0 else np.nan
        dp[j] = supply_kpa[j] - return_kpa[j]
    lift = lift_of(dp, consumers, pump)
    for j in range(len(node)):
        dp[j] = lift + dp[j]
        supply_kpa[j] += lift + supply_rest[j]
        return_kpa[j] += return_rest[j]
    least, worst = np.inf, 0
    for c in range(len(consumers)):
        if dp[consumers[c]] < least:
            least, worst = dp[consumers[c]], c
    totals[3][t], totals[4][t], totals[5][t] = lift, least, worst


@compiled
def describe(t: int, solved: Solved, lost_w: float, places: Places, rows: Rows, totals: Totals) -> None:
    """Fill row ``t`` of the results; NaN on islands."""
    m, flow, supply_t, return_t, supply_pa, return_pa = solved
    node, consumers, per_metre = places[0], places[1], places[4]
    for j in range(len(node)):
        i = node[j]
        rows[0][t, j] = supply_t[i] if i >= 0 else np.nan
        rows[1][t, j] = return_t[i] if i >= 0 else np.nan
    _pressures(t, supply_pa, return_pa, places, rows, totals)
    for k in range(len(m)):
        rows[5][t, k] = m[k]
        rows[6][t, k] = m[k] / per_metre[k]
    for c in range(len(consumers)):
        i = node[consumers[c]]
        rows[7][t, c] = max(flow[i], 0.0) if i >= 0 else np.nan
    totals[0][t], totals[1][t], totals[2][t] = -flow[0], return_t[0], lost_w


@compiled
def describe_failed(t: int, rows: Rows, totals: Totals) -> None:
    """Fill row ``t`` of a step without solution with NaN."""
    for table in rows:
        for k in range(table.shape[1]):
            table[t, k] = np.nan
    flow, back, lost, lift, least, worst = totals
    flow[t], back[t], lost[t], lift[t], least[t], worst[t] = np.nan, np.nan, np.nan, np.nan, np.inf, 0
