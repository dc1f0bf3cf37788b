"""How one step of a network calculation ended."""

from enum import IntEnum


class Status(IntEnum):
    """How one step ended; a step that is not ``OK`` never stops or changes the other steps."""

    OK = 0
    NOT_CONVERGED = 1
    """The iteration stopped above its tolerance; the values of the step are NaN, the residual is not."""
    ISLAND = 2
    """Somebody draws or feeds where no reference keeps the balance; the rest of the network is solved."""
    BOUND = 3
    """The equations are solved by a state that cannot exist, such as a pressure below vacuum."""
