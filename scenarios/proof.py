"""What a plan costs on the real grid: its grid connection closes the balance at the losses that the replay found."""

import numpy as np
import numpy.typing as npt

from models.carriers import Carrier
from models.components import GridConnection
from models.dispatch import DispatchProblem, Plan
from models.tariffs.terms import optimizer_terms

Floats = npt.NDArray[np.float64]


def replayed_cost(problem: DispatchProblem, plan: Plan, lost_kw: Floats) -> float:
    """Return the cost of a plan whose first grid connection supplies the replayed losses instead of the planned ones.

    Parameters
    ----------
    problem, plan
        The plan and what it was made for.
    lost_kw
        What the electric networks lose in the replay, shape (step,).

    Returns
    -------
    float
        An upper bound of the best plan's cost, in the site's currency: this plan can be carried out at it.
    """
    grids = problem.site.of_kind(GridConnection)
    electric = plan.power_kw.sel(carrier=Carrier.ELECTRICITY.value)
    step_h, planned_loss_kw = plan.horizon.step_h, electric.sum("asset").to_numpy()
    before = electric.sel(asset=grids[0].id).to_numpy()
    after = before + lost_kw - planned_loss_kw
    terms = optimizer_terms(problem.site.tariff(grids[0].contract), plan.horizon)

    def energy_cost(power_kw: Floats) -> float:
        if (market := problem.market) is not None:
            return market.energy_cost(power_kw, step_h) + market.deviation_cost(power_kw, step_h)
        paid, earned = terms.energy_cost(
            np.clip(power_kw, 0.0, None), np.clip(-power_kw, 0.0, None), step_h, problem.billed
        )
        return paid - earned

    more = energy_cost(after) - energy_cost(before)
    if problem.demand is not None:
        free_kw = problem.demand.free_kw
        higher_kw = max(float(after.max()), free_kw) - max(float(before.max()), free_kw)
        more += problem.demand.price_per_kw * higher_kw
    return plan.total_cost + more
