"""The bill kernel: energy bought, energy sent out and the highest interval per customer and cell, in one pass over meter data.

Two paths, one answer: compiled loops for masses of customers, plain array operations to check them by. Integers only, so both are equal
to the bit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled, in_pieces

Ints = npt.NDArray[np.int64]
Readings = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of intervals that fall into one cell: run r covers ``starts[r] <= k < starts[r + 1]``; shape of ``starts`` is (run + 1,)."""

    starts: Ints
    cells: Ints
    cell_count: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Wh bought and sent out, and the Wh of the highest interval (never below 0); shape (customer, cell)."""

    bought_wh: Ints
    sold_wh: Ints
    peak_wh: Ints


def sums(readings_wh: Readings, runs: Runs, *, plain: bool = False) -> Sums:
    """Return what every customer's intervals add up to in every cell.

    ``readings_wh`` has shape (customer, interval), positive where energy is bought; ``plain`` takes array operations in place of the
    compiled loop.
    """
    found = Sums(*(np.zeros((len(readings_wh), runs.cell_count), dtype=np.int64) for _ in range(3)))
    if plain:
        _add_plain(readings_wh, runs, found)
        return found

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        _add(
            readings_wh[part], runs.starts, runs.cells, found.bought_wh[part], found.sold_wh[part], found.peak_wh[part]
        )

    in_pieces(len(readings_wh), work)
    return found


@compiled
def _add(wh: Readings, starts: Ints, cells: Ints, bought: Ints, sold: Ints, peak: Ints) -> None:
    for c in range(wh.shape[0]):
        for r in range(cells.shape[0]):
            inward, net, top = np.int64(0), np.int64(0), np.int64(0)
            for k in range(starts[r], starts[r + 1]):
                value = np.int64(wh[c, k])
                net += value
                inward += max(value, np.int64(0))
                top = max(top, value)
            cell = cells[r]
            bought[c, cell] += inward
            sold[c, cell] += inward - net
            peak[c, cell] = max(peak[c, cell], top)


def _add_plain(wh: Readings, runs: Runs, found: Sums) -> None:
    """Add up by array operations, a few customers at a time so that no copy grows large."""
    first = runs.starts[:-1]
    for c in range(0, len(wh), 64):
        part = slice(c, c + 64)
        inward = np.maximum(wh[part], 0).astype(np.int64)
        outward = inward - wh[part]
        np.add.at(found.bought_wh[part].T, runs.cells, np.add.reduceat(inward, first, axis=1).T)
        np.add.at(found.sold_wh[part].T, runs.cells, np.add.reduceat(outward, first, axis=1).T)
        np.maximum.at(found.peak_wh[part].T, runs.cells, np.maximum.reduceat(inward, first, axis=1).T)


@compiled
def _weigh(wh: Readings, price: Ints, less_wh: int, out: Ints) -> None:
    for c in range(wh.shape[0]):
        total = np.int64(0)
        for k in range(wh.shape[1]):
            total += (np.int64(wh[c, k]) - less_wh) * price[k]
        out[c] = total


def weighed(readings_wh: Readings, price_micro: Ints, less_wh: int) -> Ints:
    """Return the sum of ``(reading - less_wh) * price`` per customer, in Wh times micro-units per kWh; shape (customer,)."""
    out = np.zeros(len(readings_wh), dtype=np.int64)
    _weigh(readings_wh, price_micro, less_wh, out)
    return out


def whole_wh(power_kw: npt.NDArray[np.float64], step_h: float, *, carry: bool = True) -> Ints:
    """Return the energy of every interval in whole Wh; shape (.., interval) as given.

    With ``carry`` they are the differences of a register that counts whole Wh, so that no sum over a run is off by more than one Wh;
    without it each interval is rounded for itself, so that no peak is off by more than half a Wh.

    Raises
    ------
    ValueError
        If a power is not finite.
    """
    if not np.isfinite(power_kw).all():
        raise ValueError("meter data holds values that are not finite; estimate or remove them first")
    energy_wh = power_kw * step_h * 1e3
    if not carry:
        return np.rint(energy_wh).astype(np.int64)
    register = np.rint(np.cumsum(energy_wh, axis=-1))
    return np.asarray(np.diff(register, axis=-1, prepend=0.0), dtype=np.int64)
