"""Block auctions: the largest welfare at which one price per period leaves nobody who was taken with a loss.

The master program is solved without prices. Where its optimum cannot be priced, it is repaired into a clearing that can (the best of these
is what is handed out when time runs out), and a cut asks for at least one of its taken blocks to be left. The cut holds everywhere: if a
clearing that takes all of them could be priced, that price would by duality serve the master's optimum too. So the loop ends with the
optimum, and at any time the master's optimum bounds what could still be gained.

Source: the cut for uniform prices of Madani and Van Vyve (European Journal of Operational Research 242, 2015), here between solves.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optimizers.clearing_book import Book, Floats
from optimizers.clearing_program import Master, master_of, worth_of
from optimizers.clearing_repair import Repair, Taken
from optimizers.session import HighsSession, Status

EXACT = {
    "mip_abs_gap": 1e-9,
    "mip_feasibility_tolerance": 1e-9,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}
HALF = 0.5
SAME_SHARE = 1e-9
"""Part of the welfare within which bound and clearing are the same."""


@dataclass(frozen=True, slots=True)
class Clearing:
    """What an auction comes to: ``ratio`` (block,), ``ticks`` (period,), welfare and its proven bound in lot-ticks.

    ``whole`` tells whether prices lie on ticks; ``cuts`` how often the master's optimum could not be priced.
    """

    ratio: Floats
    ticks: Floats
    whole: bool
    welfare: float
    bound: float
    cuts: int
    seconds: float

    @property
    def gap_share(self) -> float:
        """How much better another clearing could be at most, as a share of the welfare; 0 is the optimum."""
        return max(self.bound - self.welfare, 0.0) / max(abs(self.bound), 1.0)


def clear(book: Book, *, deadline_s: float = 60.0) -> Clearing:
    """Clear an auction with blocks; after ``deadline_s`` the best clearing found and the bound it is within.

    A clearing always exists: that of the simple orders alone takes no block at all.
    """
    begun = time.monotonic()
    end_s = begun + deadline_s
    master, repair = master_of(book), Repair(book)
    best = repair.without_blocks()
    relaxed = HighsSession(master.program.relaxed(), EXACT).run()
    worth, cuts = worth_of(master, book, relaxed), 0
    bound = worth.welfare
    if relaxed.x is not None:
        near = repair.settled(_decided(master, relaxed.x))
        best = max(best, repair.repaired(near, end_s), key=lambda t: t.welfare)
    session = HighsSession(master.program, EXACT)
    while time.monotonic() < end_s:
        session.update(master.narrowed(worth, best.welfare).program)
        found = session.run(time_limit_s=max(end_s - time.monotonic(), 0.05), gap_share=0.0)
        if found.status is Status.INFEASIBLE:
            bound = best.welfare  # the cuts have ruled out everything else
            break
        bound = min(bound, master.welfare(found.bound))
        if found.x is None or bound <= best.welfare + _same(best.welfare):
            break
        optimum = repair.settled(_decided(master, found.x))
        if found.status is Status.OPTIMAL and optimum.prices.good:
            best = optimum
            break
        best = max(best, repair.repaired(optimum, end_s), key=lambda t: t.welfare)
        taken = np.flatnonzero(optimum.decided)
        if found.status is not Status.OPTIMAL or not len(taken):
            break
        master = master.with_cut(taken.tolist())
        cuts += 1
    bound = max(bound, best.welfare) if bound <= best.welfare + _same(best.welfare) else bound
    return _answer(best, bound, cuts, time.monotonic() - begun)


def _same(welfare: float) -> float:
    return SAME_SHARE * max(abs(welfare), 1.0)


def _decided(master: Master, x: Floats) -> npt.NDArray[np.bool_]:
    taken, there = np.zeros(len(master.ratio), dtype=bool), master.decision >= 0
    taken[there] = x[master.decision[there]] > HALF
    return taken


def _answer(best: Taken, bound: float, cuts: int, seconds: float) -> Clearing:
    return Clearing(best.ratio, best.prices.ticks, best.prices.whole, best.welfare, bound, cuts, seconds)
