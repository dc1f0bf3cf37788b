"""Compiled loops: a battery behind a meter interval by interval, its bill, and many years of both.

The battery's rule looks at nothing that an operator would not know: the price band of the interval, the month's cap, and what it holds.
The balance is that of :class:`models.components.Store` without standing loss.
"""

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.uint8]

POWER_KW, ENERGY_KWH, CHARGE_EFFICIENCY, DISCHARGE_EFFICIENCY, LEAST_KWH = range(5)
"""Places in a battery's parameters."""
CHARGE, DISCHARGE = -1, 1
"""What a price band asks of a battery; 0 asks for nothing but holding the month's cap."""


@compiled
def run_battery(net_kw: Floats, mode: Bytes, month: Ints, cap_kw: Floats, battery: Floats, step_h: float) -> float:
    """Move a net import by a battery, in place, and return the kWh it has discharged.

    It takes surplus, discharges above the month's cap and in dear bands, and charges in cheap ones without passing the cap; a cap that was
    passed all the same is from then on where it was passed. It starts empty and never sends its own energy out.
    """
    stored, least, used = battery[LEAST_KWH], battery[LEAST_KWH], 0.0
    power, energy = battery[POWER_KW], battery[ENERGY_KWH]
    in_kwh, out_kwh = battery[CHARGE_EFFICIENCY] * step_h, step_h / battery[DISCHARGE_EFFICIENCY]
    last, cap = -1, 0.0
    for k in range(net_kw.shape[0]):
        if month[k] != last:
            last = month[k]
            cap = cap_kw[last]
        net = net_kw[k]
        if net < 0.0:
            moved = min(-net, power, (energy - stored) / in_kwh)
        elif mode[k] == DISCHARGE or net > cap:
            wanted = net if mode[k] == DISCHARGE else net - cap
            moved = -min(wanted, power, (stored - least) / out_kwh)
        elif mode[k] == CHARGE:
            moved = min(power, (energy - stored) / in_kwh, cap - net)
        else:
            moved = 0.0
        if moved > 0.0:
            stored += moved * in_kwh
        else:
            stored += moved * out_kwh
            used -= moved * step_h
        net_kw[k] = net + moved
        cap = max(cap, net + moved)
    return used


@compiled
def month_peaks(net_kw: Floats, month: Ints, peaks: Floats) -> None:
    """Write the highest import of every month, 0 at least."""
    peaks[:] = 0.0
    for k in range(net_kw.shape[0]):
        peaks[month[k]] = max(peaks[month[k]], net_kw[k])


@compiled
def hold_caps(net_kw: Floats, mode: Bytes, month: Ints, battery: Floats, step_h: float, halvings: int) -> Floats:
    """Return the lowest cap of every month that the battery can hold in the metered year, by halving; shape (month,)."""
    months = int(month[-1]) + 1
    high, peaks = np.zeros(months), np.zeros(months)
    month_peaks(net_kw, month, high)
    low = np.maximum(high - battery[POWER_KW], 0.0)
    work = np.empty_like(net_kw)
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        work[:] = net_kw
        run_battery(work, mode, month, middle, battery, step_h)
        month_peaks(work, month, peaks)
        for m in range(months):
            if peaks[m] <= middle[m] + 1e-9:
                high[m] = middle[m]
            else:
                low[m] = middle[m]
    return high


@compiled
def cost_of(
    net_kw: Floats,
    bought_price: Floats,
    sold_price: Floats,
    month: Ints,
    counts: Flags,
    demand_price: Floats,
    floor_kw: Floats,
    step_h: float,
) -> float:
    """Return what a net import costs without what is fixed; ``demand_price`` is per kW of the covered part of each month."""
    total = 0.0
    for k in range(net_kw.shape[0]):
        net = net_kw[k]
        total += net * (bought_price[k] if net > 0.0 else sold_price[k]) * step_h
    for t in range(counts.shape[0]):
        peak = floor_kw[t].copy()
        for k in range(net_kw.shape[0]):
            if counts[t, k] and net_kw[k] > peak[month[k]]:
                peak[month[k]] = net_kw[k]
        for m in range(peak.shape[0]):
            total += demand_price[t, m] * peak[m]
    return total


@compiled
def replicate_costs(
    base_kw: Singles,
    added_kw: Singles,
    pv_pu: Singles,
    weeks: Ints,
    week: int,
    level: Floats,
    effect: Floats,
    pv_year: Ints,
    pv_kw: Floats,
    mode: Bytes,
    caps_kw: Floats,
    battery: Floats,
    bought_price: Floats,
    sold_price: Floats,
    month: Ints,
    counts: Flags,
    demand_price: Floats,
    floor_kw: Floats,
    step_h: float,
    out: Floats,
) -> None:
    """Write the cost of every replicate year without and with a design into ``out`` (replicate, 2).

    Replicate r takes the metered load in the order of weeks ``weeks[r]`` (each ``week`` intervals), times ``level[r]``; with the design, less the share
    ``effect[r]``, with what the design adds (or takes) and the weather year ``pv_year[r]`` at ``pv_kw[r]``. The battery is run again on every replicate.
    """
    count = base_kw.shape[0]
    net = np.empty(count)
    for r in range(weeks.shape[0]):
        for k in range(count):
            w = k // week
            source = weeks[r, w] * week + k % week if w < weeks.shape[1] else k
            net[k] = base_kw[source] * level[r]
        out[r, 0] = cost_of(net, bought_price, sold_price, month, counts, demand_price, floor_kw, step_h)
        year = pv_year[r]
        for k in range(count):
            net[k] = net[k] * (1.0 - effect[r]) + added_kw[k] - pv_kw[r] * pv_pu[year, k]
        if battery[ENERGY_KWH] > 0.0:
            run_battery(net, mode, month, caps_kw, battery, step_h)
        out[r, 1] = cost_of(net, bought_price, sold_price, month, counts, demand_price, floor_kw, step_h)
