"""Cost against emissions: the plans of which none is better in both, by capping emissions step by step."""

from dataclasses import replace

from optimizers.capacity import Planner, Sizing
from optimizers.session import Program
from optimizers.stack import with_row

TOLERANCE = 1e-6
"""How much of the range of emissions the cleanest plan may emit more than the least, so that its cost can be made least."""


def front(planner: Planner, *, points: int = 6) -> tuple[Sizing, ...]:
    """Return plans from the cheapest to the cleanest: each has the least cost of all that emit no more than it does.

    Demand is served as well as in the cheapest plan. The caps divide the range of emissions between both ends evenly, which is the epsilon-constraint method.

    Source: Haimes, Lasdon and Wismer, IEEE Transactions on Systems, Man and Cybernetics 1 (1971).
    """
    if points < 2:
        raise ValueError(f"a front of {points} points has no two ends; ask for at least 2")
    cheapest = planner.cheapest()
    serving = planner.serving(cheapest)
    least_kg = _least_emission(planner, serving)
    span_kg = max(cheapest.co2_kg_per_year - least_kg, 0.0)
    if span_kg <= TOLERANCE * max(abs(least_kg), 1.0):
        return (cheapest,)
    found = [cheapest]
    for k in range(1, points):
        cap_kg = cheapest.co2_kg_per_year - span_kg * k / (points - 1) + TOLERANCE * span_kg
        capped = with_row(serving, planner.built.co2_kg, cap_kg)
        solution, bound = planner.solve(capped, "front")
        found.append(planner.sizing(capped, solution, bound))
    return tuple(found)


def _least_emission(planner: Planner, serving: Program) -> float:
    """Return the least mean emission per year that any choice of sizes has, whatever it costs."""
    cleanest = replace(serving, cost=planner.built.co2_kg, offset=0.0)
    solution, _ = planner.solve(cleanest, "cleanest")
    return solution.objective
