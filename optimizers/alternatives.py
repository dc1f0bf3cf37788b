"""Near-optimal alternatives: how much less and how much more of each option a plan can hold that costs hardly more than the cheapest.

Source: Brill, Modelling to generate alternatives, Management Science 25 (1979); DeCarolis, Energy Economics 33 (2011).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optimizers.capacity import Planner, Sizing
from optimizers.sizes import SizeOption
from optimizers.stack import with_row

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Alternative:
    """The plan with the least (or the most) of one option among all that cost at most ``budget``."""

    option: SizeOption
    most: bool
    sizing: Sizing

    @property
    def size(self) -> float:
        """How much of the option it holds."""
        return self.sizing.sizes[self.option.name]


def alternatives(planner: Planner, cheapest: Sizing, *, slack_share: float = 0.05) -> tuple[Alternative, ...]:
    """Return, for every option, the plan with the least and the plan with the most of it within ``slack_share`` of the least cost.

    Each is a whole plan with sizes of all options; its present cost is at most ``(1 + slack_share)`` times the cheapest one's.
    """
    if slack_share <= 0:
        raise ValueError(f"a slack of {slack_share:g} leaves the cheapest plan alone; allow more than 0")
    program = planner.serving(cheapest)
    budget = cheapest.present_cost + slack_share * abs(cheapest.present_cost)
    within = with_row(program, program.cost, budget - program.offset)
    last = len(planner.problem.outlook.stages) - 1
    found = []
    for option in planner.problem.options:
        weights = planner.built.size_weights(option, last)
        for most in (False, True):
            aimed = replace(within, cost=-weights if most else weights, offset=0.0)
            found.append(Alternative(option, most, planner.sizing(aimed, *planner.solve(aimed, "alternatives"))))
    return tuple(found)
