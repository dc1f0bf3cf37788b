"""Compiled loops of a choice under shared resources: what can be left out beforehand, and what still fits beside a choice.

Uses are read column by column as a sparse matrix keeps them: ``pointer`` (column + 1,) says where a column begins in ``resource`` and ``amount``.
"""

import numpy as np
import numpy.typing as npt

from models.networks.jit import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NOBODY = -1
TOLERANCE = 1e-9


@compiled
def takes_less(one: int, other: int, pointer: Ints, resource: Ints, amount: Floats) -> bool:
    """Return whether a column takes no more of every resource than another one."""
    for a in range(pointer[one], pointer[one + 1]):
        allowed = 0.0
        for b in range(pointer[other], pointer[other + 1]):
            if resource[b] == resource[a]:
                allowed = amount[b]
        if amount[a] > allowed:
            return False
    return True


@compiled
def undominated(
    order: Ints, first: Ints, value: Floats, pointer: Ints, resource: Ints, amount: Floats, keep: Flags
) -> None:
    """Clear ``keep`` of every column that another kept one of the same customer beats in value and in every use.

    ``order`` lists columns customer by customer, the most valued first; customer k's begin at ``first[k]``.
    """
    for k in range(first.shape[0] - 1):
        for at in range(first[k], first[k + 1]):
            column = order[at]
            for before in range(first[k], at):
                better = order[before]
                if keep[column] and keep[better] and value[better] >= value[column]:
                    keep[column] = not takes_less(better, column, pointer, resource, amount)


@compiled
def fits(column: int, pointer: Ints, resource: Ints, amount: Floats, taken: Floats, room: Floats) -> bool:
    """Return whether what a column takes finds room beside what is taken."""
    found = True
    for a in range(pointer[column], pointer[column + 1]):
        found &= taken[resource[a]] + amount[a] <= room[resource[a]] + TOLERANCE
    return found


@compiled
def take(column: int, sign: float, pointer: Ints, resource: Ints, amount: Floats, taken: Floats) -> None:
    """Add what a column takes (sign 1) or give it back (sign -1)."""
    for a in range(pointer[column], pointer[column + 1]):
        taken[resource[a]] += sign * amount[a]


@compiled
def fill(
    order: Ints,
    first: Ints,
    value: Floats,
    pointer: Ints,
    resource: Ints,
    amount: Floats,
    room: Floats,
    chosen: Ints,
    taken: Floats,
) -> None:
    """Move every customer to its best column that still fits, in the order given, as long as anything moves; in place.

    ``order`` and ``first`` as in :func:`undominated`; ``chosen`` is by customer in the same order.
    """
    moved = True
    while moved:
        moved = False
        for k in range(first.shape[0] - 1):
            now = chosen[k]
            least = 0.0
            if now != NOBODY:
                least = value[now]
                take(now, -1.0, pointer, resource, amount, taken)
            for at in range(first[k], first[k + 1]):
                column = order[at]
                if value[column] <= least + TOLERANCE:
                    break
                if fits(column, pointer, resource, amount, taken, room):
                    chosen[k], moved = column, True
                    break
            if chosen[k] != NOBODY:
                take(chosen[k], 1.0, pointer, resource, amount, taken)
