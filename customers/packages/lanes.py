"""Compiled years of customers side by side: one instruction of the processor moves eight of them by an interval.

Tables have the customers of one interval (or cell, or month) next to one another, as lanes. Price bands and months are the same for all of
them, so no lane waits for another one's branch.
"""

import numpy as np

from customers.packages.kernels import CHARGE, DISCHARGE, Bytes, Ints, Singles
from models.networks.jit import compiled, inlined

LANES = 32
BOUGHT, SOLD, PEAK, STORED, CAP, PV_KW, POWER_KW, ENERGY = (k * LANES for k in range(8))
"""Where what is known of every lane begins: sums of the cell it is in, the battery's energy and cap, the sizes of what is built."""


@compiled
def side_by_side(load_kw: Singles, first: int, count: int, rows: Singles) -> None:
    """Write the loads (customer, interval) of ``count`` customers from ``first`` on as lanes (interval, lane); further lanes are 0."""
    rows[:] = 0.0
    for k in range(load_kw.shape[1]):
        for lane in range(count):
            rows[k, lane] = load_kw[first + lane, k]


@compiled
def sketch_years(
    rows: Singles,
    pv_pu: Singles,
    state: Singles,
    kept_share: np.float32,
    mode: Bytes,
    month: Ints,
    cell: Ints,
    into: np.float32,
    caps_kw: Singles,
    found: Singles,
) -> None:
    """Write what years with one design buy, send out and need at most by cell, in kW times intervals; ``found`` is (cell, row, lane).

    A battery acts as in :func:`customers.packages.kernels.run_battery`, held to it by a test; ``into`` is its efficiency one way,
    ``caps_kw`` (month, lane) what it aims at, and energy counts in kW times intervals. ``state`` begins with the sizes of what is built.
    """
    out_of, last, now = np.float32(1.0) / into, -1, cell[0]
    found[:] = 0.0
    for k in range(pv_pu.shape[0]):
        if cell[k] != now:
            put_away(state, found[now])
            now = cell[k]
        if month[k] != last:
            last = month[k]
            state[CAP : CAP + LANES] = caps_kw[last]
        charges, holds = np.float32(mode[k] == CHARGE), np.float32(mode[k] != DISCHARGE)
        interval(rows[k], state, kept_share, pv_pu[k], charges, holds, into, out_of)
    put_away(state, found[now])


@inlined
def interval(
    load_kw: Singles,
    state: Singles,
    kept_share: np.float32,
    sun: np.float32,
    charges: np.float32,
    holds: np.float32,
    into: np.float32,
    out_of: np.float32,
) -> None:
    """Move every lane by one interval; ``charges`` is 1 in a band that charges, ``holds`` 0 in one that discharges."""
    zero = np.float32(0.0)
    for lane in range(LANES):
        net = load_kw[lane] * kept_share - state[PV_KW + lane] * sun
        stored, cap, power = state[STORED + lane], state[CAP + lane], state[POWER_KW + lane]
        above = max(net - cap * holds, zero)
        below = max((cap * charges if net >= zero else zero) - net, zero)
        given = min(above, min(power, stored * into))
        taken = min(below, min(power, (state[ENERGY + lane] - stored) * out_of))
        net += taken - given
        state[STORED + lane] = stored + taken * into - given * out_of
        # written as sums: a maximum would become a store under a mask, which takes twenty times as long
        state[CAP + lane] = cap + max(net - cap, zero)
        state[BOUGHT + lane] += max(net, zero)
        state[SOLD + lane] += max(-net, zero)
        state[PEAK + lane] += max(net - state[PEAK + lane], zero)


@compiled
def put_away(state: Singles, found: Singles) -> None:
    """Add the sums of a cell to what was ``found`` in it before, (row, lane), and begin new ones."""
    zero = np.float32(0.0)
    for lane in range(LANES):
        found[0, lane] += state[BOUGHT + lane]
        found[1, lane] += state[SOLD + lane]
        found[2, lane] += max(state[PEAK + lane] - found[2, lane], zero)
    state[: 3 * LANES] = 0.0
