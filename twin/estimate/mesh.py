"""Temperatures in loops: where flows meet, water mixes, so what arrives depends on every flow around the loop.

With one plant and one ground temperature the excess over the ground is linear: every junction gets a share of the plant's
excess. The return runs the same pipes the other way, and the share of a consumer's excess that reaches the plant is the same number.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.estimate.problem import Array, Rows

LEAK_SHARE = 1e-3
"""Around this share of a pipe's design flow its direction passes smoothly from one to the other."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Junction numbers (0 is the plant) at both ends of every pipe, so that a positive flow runs from ``up`` to ``down``."""

    up: npt.NDArray[np.int64]
    down: npt.NDArray[np.int64]
    consumers: npt.NDArray[np.int64]
    """Junction number of every consumer."""
    count: int


def arriving(ends: Ends, flow: Rows, held: Rows, design_kg_per_s: Array) -> Rows:
    """Return the share of the plant's excess temperature at every consumer.

    Parameters
    ----------
    ends
        The network's shape.
    flow
        Flow of every pipe with its slope by the state.
    held
        Share of its excess that water keeps on its way through every pipe, with its slope by the state.
    design_kg_per_s
        Design flow of every pipe.
    """
    forth, by_forth = _positive(flow.value, LEAK_SHARE * design_kg_per_s)
    back, by_back = _positive(-flow.value, LEAK_SHARE * design_kg_per_s)
    system, right = _mixing(ends, forth, back, held.value)
    share = np.append(1.0, np.linalg.solve(system, right))
    upper, lower = share[ends.up], share[ends.down]
    to_lower, to_upper = held.value * upper - lower, held.value * lower - upper
    by_flow = _into(ends, by_forth * to_lower, -by_back * to_upper) @ flow.slope
    by_held = _into(ends, forth * upper, back * lower) @ held.slope
    slope = np.vstack([np.zeros(flow.slope.shape[1]), np.linalg.solve(system, by_flow + by_held)])
    return Rows(share[ends.consumers], slope[ends.consumers])


def _positive(flow: Array, leak: Array) -> tuple[Array, Array]:
    """Return a flow's positive part, smooth around zero and never quite zero, and its derivative."""
    root = np.sqrt(flow**2 + 4 * leak**2)
    return 0.5 * (flow + root), 0.5 * (1 + flow / root)


def _mixing(ends: Ends, forth: Array, back: Array, held: Array) -> tuple[Array, Array]:
    """Return the junctions' mixing equations without the plant's, whose share is 1."""
    full = np.zeros((ends.count, ends.count))
    np.add.at(full, (ends.down, ends.down), forth)
    np.add.at(full, (ends.down, ends.up), -forth * held)
    np.add.at(full, (ends.up, ends.up), back)
    np.add.at(full, (ends.up, ends.down), -back * held)
    return full[1:, 1:], -full[1:, 0]


def _into(ends: Ends, at_down: Array, at_up: Array) -> Array:
    """Return what every pipe adds to the equations of its two junctions, shape (junction without the plant, pipe)."""
    pipes = np.arange(len(ends.up))
    out = np.zeros((ends.count, len(pipes)))
    np.add.at(out, (ends.down, pipes), at_down)
    np.add.at(out, (ends.up, pipes), at_up)
    return out[1:]
