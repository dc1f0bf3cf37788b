"""The funnel: how many leads reach each stage, how long they stay, and by which channel the won ones came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from customers.lifecycle.lead import WAY, Channel, Lead, Stage

DAY = timedelta(days=1)
WON = WAY.index(Stage.CONTRACT)


@dataclass(frozen=True, slots=True)
class History:
    """A lead and when it came to each stage, oldest first."""

    lead: Lead
    stages: tuple[tuple[datetime, Stage], ...]

    @property
    def furthest(self) -> int:
        """The furthest stage on the way that it has reached, as a place in :data:`WAY`."""
        return max((WAY.index(s) for _, s in self.stages if s in WAY), default=0)

    def days_in(self, stage: Stage, now: datetime) -> float | None:
        """Return how many days it has spent at a stage so far, None where it never was there."""
        ends = [at for at, _ in self.stages[1:]] + [now]
        spent = [(end - at) / DAY for (at, s), end in zip(self.stages, ends, strict=True) if s is stage]
        return sum(spent) if spent else None


@dataclass(frozen=True, slots=True)
class FunnelStage:
    """One stage: ``reached`` leads came at least so far, ``share`` of those that came to the stage before; ``now`` of them stand there."""

    stage: Stage
    reached: int
    share: float | None
    now: int
    median_days: float | None
    expected_micro: int
    """What a year of the leads that stand there may bring."""


@dataclass(frozen=True, slots=True)
class Won:
    """Leads of one channel, and how many of those that were decided came to a contract."""

    channel: Channel
    leads: int
    won: int
    lost: int
    win_share: float | None


def funnel(histories: Sequence[History], now: datetime) -> tuple[FunnelStage, ...]:
    """Return every stage of the way with the leads that reached it; a lead that was lost counts as far as it came."""
    found: list[FunnelStage] = []
    before: int | None = None
    for place, stage in enumerate(WAY):
        reached = sum(h.furthest >= place for h in histories)
        days = [d for h in histories if (d := h.days_in(stage, now)) is not None]
        here = [h.lead for h in histories if h.lead.stage is stage]
        share = reached / before if before else None
        spent = median(days) if days else None
        found.append(FunnelStage(stage, reached, share, len(here), spent, sum(x.expected_micro for x in here)))
        before = reached
    return tuple(found)


def won_by_channel(histories: Sequence[History]) -> tuple[Won, ...]:
    """Return for each channel how many of its leads were won; the win share is that of the decided ones."""
    found = []
    for channel in Channel:
        mine = [h for h in histories if h.lead.channel is channel]
        won = sum(h.furthest >= WON for h in mine)
        lost = sum(h.lead.stage is Stage.LOST for h in mine)
        share = won / (won + lost) if won + lost else None
        found.append(Won(channel, len(mine), won, lost, share))
    return tuple(found)
