"""Water moving through tubes as parcels of equal temperature, as compiled loops.

Every tube is a row of parcels from its start to its end. A step pushes water in at one end and pops the same mass at the
other; nothing else mixes, so mass and energy are conserved to rounding, fronts stay sharp, and a reversed flow simply
works from the other end.

Source: Lagrangian plug flow with node mixing as in van der Heijde et al., Energy Conversion and Management 151 (2017).
"""

import math

import numpy as np

from models.networks.hydraulics import Floats, Ints, Shape
from models.networks.jit import compiled
from models.networks.thermal import STILL_KG_PER_S, enter

ALIKE_K = 0.005
"""Neighbouring parcels closer than this become one; energy is kept."""


@compiled
def join(mass: Floats, t: Floats, count: int, at: int) -> int:
    """Make parcels ``at`` and ``at + 1`` one; return the new count."""
    total = mass[at] + mass[at + 1]
    if total > 0.0:
        t[at] = (mass[at] * t[at] + mass[at + 1] * t[at + 1]) / total
    mass[at] = total
    for i in range(at + 1, count - 1):
        mass[i] = mass[i + 1]
        t[i] = t[i + 1]
    return count - 1


@compiled
def _most_alike(mass: Floats, t: Floats, count: int) -> int:
    """Return the pair whose joining moves the least heat."""
    best, least = 0, np.inf
    for i in range(count - 1):
        moved = abs(t[i] - t[i + 1]) * mass[i] * mass[i + 1] / (mass[i] + mass[i + 1] + 1e-300)
        if moved < least:
            best, least = i, moved
    return best


@compiled
def push(mass: Floats, t: Floats, count: int, amount: float, degc: float, at_start: bool) -> int:
    """Add a parcel at the start or the end; return the new count."""
    if count == len(mass):
        count = join(mass, t, count, _most_alike(mass, t, count))
    if at_start:
        for i in range(count, 0, -1):
            mass[i] = mass[i - 1]
            t[i] = t[i - 1]
        mass[0], t[0] = amount, degc
    else:
        mass[count], t[count] = amount, degc
    return count + 1


@compiled
def tidy(mass: Floats, t: Floats, count: int, at_start: bool) -> int:
    """Join the newest parcel with its neighbour when they are alike; return the new count."""
    at = 0 if at_start else count - 2
    if count >= 2 and abs(t[at] - t[at + 1]) < ALIKE_K:
        count = join(mass, t, count, at)
    return count


@compiled
def flow_through(
    mass: Floats,
    t: Floats,
    count: int,
    amount: float,
    degc: float,
    ground: float,
    rate: float,
    dt: float,
    forward: bool,
) -> tuple[int, float, float]:
    """Push ``amount`` kg of water at ``degc`` in and pop as much; return count, mean outlet temperature, heat lost / cp.

    ``rate`` is the cooling rate in 1/s. What stays cools for the whole step, what leaves until it leaves, what enters
    from when it enters; what passes right through cools for as long as it is inside.
    """
    inside = 0.0
    for i in range(count):
        inside += mass[i]
    lost = 0.0
    left = amount
    out = 0.0
    while left > 0.0 and count > 0:
        at = count - 1 if forward else 0
        taken = min(left, mass[at])
        age = dt * (1.0 - (left - taken / 2) / amount)
        leaving = ground + (t[at] - ground) * math.exp(-rate * age)
        lost += taken * (t[at] - leaving)
        out += taken * leaving
        left -= taken
        if taken < mass[at]:
            mass[at] -= taken
            break
        count -= 1
        if not forward:
            for i in range(count):
                mass[i] = mass[i + 1]
                t[i] = t[i + 1]
    for i in range(count):
        cooler = ground + (t[i] - ground) * math.exp(-rate * dt)
        lost += mass[i] * (t[i] - cooler)
        t[i] = cooler
    stays = amount
    if left > 0.0:
        through = ground + (degc - ground) * math.exp(-rate * dt * inside / amount)
        lost += left * (degc - through)
        out += left * through
        stays = amount - left
    if stays > 0.0:
        settled = ground + (degc - ground) * math.exp(-rate * dt * stays / amount / 2)
        lost += stays * (degc - settled)
        count = push(mass, t, count, stays, settled, forward)
        count = tidy(mass, t, count, forward)
    return count, out / amount, lost


@compiled
def rest(t: Floats, mass: Floats, count: int, ground: float, rate: float, dt: float) -> float:
    """Cool a tube without flow; return the heat lost / cp."""
    lost = 0.0
    for i in range(count):
        cooler = ground + (t[i] - ground) * math.exp(-rate * dt)
        lost += mass[i] * (t[i] - cooler)
        t[i] = cooler
    return lost


@compiled
def transport(
    mass: Floats,
    t: Floats,
    count: Ints,
    wall: Floats,
    wall_kg: Floats,
    m: Floats,
    drawn: Floats,
    source_t: Floats,
    ground: float,
    rate: Floats,
    dt: float,
    shape: Shape,
    sequence: Ints,
    placed: int,
    direction: float,
    node_t: Floats,
) -> float:
    """Move the water of all tubes by one step, in place; return the heat lost / cp in kg K.

    ``mass`` and ``t`` have dims (edge, parcel). ``wall_kg`` is the tube wall's heat capacity divided by the water's.
    Nodes without any inflow keep their temperature.
    """
    start, end = shape[0], shape[1]
    total, heat = np.empty(len(node_t)), np.empty(len(node_t))
    enter(drawn, source_t, direction, dt, total, heat)
    lost = 0.0
    for n in range(placed):
        k = sequence[n if direction > 0 else placed - 1 - n]
        forward = (m[k] > 0) == (direction > 0)
        up, down = (start[k], end[k]) if forward else (end[k], start[k])
        if total[up] > 0.0:
            node_t[up] = heat[up] / total[up]
        amount = abs(m[k]) * dt
        count[k], leaving, gone = flow_through(
            mass[k], t[k], count[k], amount, node_t[up], ground, rate[k], dt, forward
        )
        lost += gone
        if wall_kg[k] > 0.0:
            settled = leaving + (wall[k] - leaving) * math.exp(-amount / wall_kg[k])
            leaving -= wall_kg[k] * (settled - wall[k]) / amount
            wall[k] = settled
        total[down] += amount
        heat[down] += amount * leaving
    for i in range(len(node_t)):
        if total[i] > 0.0:
            node_t[i] = heat[i] / total[i]
    for k in range(len(m)):
        if start[k] >= 0 and abs(m[k]) <= STILL_KG_PER_S:
            lost += rest(t[k], mass[k], count[k], ground, rate[k], dt)
    return lost
