"""The rooms of the console, and who may enter which."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.auth.roles import Deed, Principal, Role


@dataclass(frozen=True, slots=True)
class Room:
    """One entry of the navigation; ``word`` names it, ``roles`` are those whose work it is, empty for everybody who may ``deed``."""

    word: str
    path: str
    deed: Deed = Deed.SEE
    roles: frozenset[Role] = frozenset()


ROOMS: Sequence[Room] = (
    Room("live", "/"),
    Room("networks", "/networks"),
    Room("schedule", "/schedule"),
    Room("scenarios", "/scenarios", Deed.STUDY),
    Room("trading", "/trading", Deed.TRADE),
    Room("customers", "/customers", Deed.SERVE),
    Room("devices", "/devices"),
    Room("field", "/field"),
    Room("wall", "/wall"),
    Room("admin", "/admin", Deed.MANAGE),
)


def rooms_of(who: Principal) -> list[Room]:
    """Return the rooms that somebody may enter, in the order of the navigation."""
    return [r for r in ROOMS if who.may(r.deed) and (not r.roles or r.roles & who.roles)]
