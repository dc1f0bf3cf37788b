"""Friction factors of pipe flow (Darcy's) and their slopes, as compiled scalar functions.

``nikuradse``
    64/Re plus the rough-pipe limit; smooth from rest to full flow. Its drop is a parabola of the flow, so it needs no
    function of its own here: see ``models.networks.hydraulics.tubes_of``.
``swamee_jain``
    Explicit fit of Colebrook's equation (Swamee and Jain, J. Hydraulics Division 102(5), 1976).
``colebrook``
    Colebrook's equation (J. Institution of Civil Engineers 11, 1939), solved by Newton's method from that fit.
``hofer``
    Explicit fit for gas pipes (Hofer, gwf Gas/Erdgas 114, 1973).

The last three take 64/Re below Re = 2320 and pass linearly to the turbulent law until Re = 4000.
"""

import math

import numpy as np
import numpy.typing as npt

from models.networks.data import Friction
from models.networks.jit import compiled

CODE: dict[Friction, int] = {"nikuradse": 0, "swamee_jain": 1, "colebrook": 2, "hofer": 3}
LAMINAR_RE = 2320.0
TURBULENT_RE = 4000.0
ROUGH = 3.71
"""Roughness over this number is what a rough wall adds under the logarithm."""
PER_LOG = 2 / math.log(10.0)


def rough_factor(roughness: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Darcy factor that fully turbulent flow tends to; ``roughness`` is relative to the diameter."""
    return np.asarray((2 * np.log10(ROUGH / roughness)) ** -2)


@compiled
def _root(model: int, re: float, roughness: float) -> tuple[float, float]:
    """Return one over the root of the factor in turbulent flow, and its slope with the Reynolds number."""
    if model == 3:
        smooth = 4.518 / re * math.log10(re / 7)
        inside = smooth + roughness / ROUGH
        return -PER_LOG * math.log(inside), -PER_LOG * (4.518 * PER_LOG / 2 / re**2 - smooth / re) / inside
    smooth = 5.74 / re**0.9
    inside = roughness / 3.7 + smooth
    root, slope = -PER_LOG * math.log(inside), PER_LOG * 0.9 * smooth / re / inside
    if model == 2:
        wall, per_root = roughness / ROUGH, 2.51 / re
        for _ in range(2):
            inside = wall + per_root * root
            root -= (root + PER_LOG * math.log(inside)) / (1 + PER_LOG * per_root / inside)
        share = PER_LOG * per_root / (wall + per_root * root)
        slope = share * root / re / (1 + share)
    return root, slope


@compiled
def friction_factor(model: int, re: float, roughness: float) -> tuple[float, float]:
    """Return the Darcy factor at Reynolds number ``re`` > 0 and its slope with it; ``model`` is 1, 2 or 3 of ``CODE``."""
    if re <= LAMINAR_RE:
        return 64 / re, -64 / re**2
    root, slope = _root(model, max(re, TURBULENT_RE), roughness)
    factor = root**-2
    if re >= TURBULENT_RE:
        return factor, -2 * slope * factor / root
    rise = (factor - 64 / LAMINAR_RE) / (TURBULENT_RE - LAMINAR_RE)
    return 64 / LAMINAR_RE + rise * (re - LAMINAR_RE), rise
