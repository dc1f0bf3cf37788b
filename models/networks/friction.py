"""Friction factors of pipe flow (Darcy's), as compiled scalar functions.

``nikuradse``
    64/Re plus the rough-pipe limit; smooth from rest to full flow.
``swamee_jain``
    Explicit fit of Colebrook's equation (Swamee and Jain, J. Hydraulics Division 102(5), 1976).
``colebrook``
    Colebrook's equation (J. Institution of Civil Engineers 11, 1939), solved by fixed-point steps.
``hofer``
    Explicit fit for gas pipes (Hofer, gwf Gas/Erdgas 114, 1973).

The last three take 64/Re below Re = 2320 and pass linearly to the turbulent law until Re = 4000.
"""

import math

from models.networks.data import Friction
from models.networks.jit import compiled

CODE: dict[Friction, int] = {"nikuradse": 0, "swamee_jain": 1, "colebrook": 2, "hofer": 3}
LAMINAR_RE = 2320.0
TURBULENT_RE = 4000.0


@compiled
def _turbulent(model: int, re: float, roughness: float) -> float:
    """Return the friction factor of turbulent flow; ``roughness`` is relative to the diameter."""
    if model == 3:
        return (2 * math.log10(4.518 / re * math.log10(re / 7) + roughness / 3.71)) ** -2
    root = -2 * math.log10(roughness / 3.7 + 5.74 / re**0.9)
    if model == 2:
        for _ in range(4):
            root = -2 * math.log10(roughness / 3.71 + 2.51 * root / re)
    return root**-2


@compiled
def friction_factor(model: int, re: float, roughness: float) -> float:
    """Return the Darcy factor at Reynolds number ``re`` > 0 for relative roughness ``roughness``."""
    if model == 0:
        return 64 / re + (2 * math.log10(3.71 / roughness)) ** -2
    if re <= LAMINAR_RE:
        return 64 / re
    if re >= TURBULENT_RE:
        return _turbulent(model, re, roughness)
    share = (re - LAMINAR_RE) / (TURBULENT_RE - LAMINAR_RE)
    return (1 - share) * 64 / LAMINAR_RE + share * _turbulent(model, TURBULENT_RE, roughness)
