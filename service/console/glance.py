"""What a page's part is made from: the running site, the store, who looks, and what they look at."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query

from service.api.access import Backed, Known
from service.api.fields import Running
from service.auth.roles import Principal
from service.backing import Backing
from service.console.frame import Spoken
from service.console.words import Language, words
from service.memory import Memory
from service.runtime import Runtime

Name = Annotated[str, Query(max_length=120)]


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at the site; ``asset``, ``network``, ``plan`` and ``thing`` narrow it, "" where they do not.

    ``back`` and ``ahead`` are how far the look goes into the past and the future, ``period_h`` is the length of a sum, 0 for the present.
    """

    runtime: Runtime
    backing: Backing
    who: Principal
    language: Language
    asset: str = ""
    network: str = ""
    plan: str = ""
    thing: str = ""
    back: timedelta = timedelta(hours=12)
    ahead: timedelta = timedelta(hours=24)
    period_h: float = 0.0
    w: dict[str, str] = field(default_factory=dict)

    @property
    def memory(self) -> Memory:
        """What the running system knows."""
        return self.runtime.memory

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.runtime.site.location.time_zone)

    @property
    def now(self) -> datetime:
        """The instant of the newest snapshot, the clock's before the first."""
        snapshot = self.memory.snapshot
        return self.runtime.clock.now() if snapshot is None else snapshot.at


async def _glance(
    runtime: Running,
    backing: Backed,
    who: Known,
    language: Spoken,
    asset: Name = "",
    network: Name = "",
    plan: Name = "",
    thing: Name = "",
    back_h: Annotated[float, Query(gt=0, le=48)] = 12.0,
    ahead_h: Annotated[float, Query(ge=0, le=48)] = 24.0,
    period_h: Annotated[float, Query(ge=0, le=48)] = 0.0,
) -> Glance:
    span = timedelta(hours=back_h), timedelta(hours=ahead_h)
    return Glance(runtime, backing, who, language, asset, network, plan, thing, *span, period_h, words(language))


Glanced = Annotated[Glance, Depends(_glance)]
"""How somebody looks at the site."""
