"""The trace of a trading day: what each stage made out of the one before, under one id, each link carrying the digest of the one before it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from models.chain import FIRST, chained
from models.findings import Finding, error

STAGES = (
    "forecast",
    "plan",
    "offer",
    "order",
    "trade",
    "position",
    "schedule",
    "commands",
    "metered delivery",
    "settlement",
    "ledger",
)


@dataclass(frozen=True, slots=True)
class Link:
    """One stage: what it made (``made``, an id or a count), in words, and the digests of its content and of the link before."""

    stage: str
    made: str
    words: str
    content: str
    previous: str
    digest: str


@dataclass
class Trace:
    """The links of one trading day, in their order."""

    id: str
    links: list[Link] = field(default_factory=list)

    def add(self, stage: str, made: str, words: str, content: object) -> Link:
        """Add what a stage made; ``content`` is plain data that the digest covers.

        Raises
        ------
        ValueError
            If the stage is not the next one.
        """
        expected = STAGES[len(self.links)]
        if stage != expected:
            raise ValueError(f"{self.id}: after {len(self.links)} links comes {expected}, not {stage}")
        previous = self.links[-1].digest if self.links else FIRST
        inside = chained([content], FIRST)
        self.links.append(Link(stage, made, words, inside, previous, chained([self.id, stage, made, inside], previous)))
        return self.links[-1]

    @property
    def whole(self) -> bool:
        """Whether every stage has its link."""
        return len(self.links) == len(STAGES)


def check_trace(trace_id: str, links: Sequence[Link]) -> Iterator[Finding]:
    """Give every link that is missing, out of order, or was changed after it was made."""
    previous = FIRST
    for k, (stage, link) in enumerate(zip(STAGES, links, strict=False)):
        if link.stage != stage:
            yield error(f"{trace_id}[{k}]", f"is {link.stage}; here belongs {stage}")
        if link.previous != previous or link.digest != chained(
            [trace_id, link.stage, link.made, link.content], previous
        ):
            yield error(f"{trace_id}[{k}]", f"{link.stage} does not follow from the link before it, or was changed")
        previous = link.digest
    for stage in STAGES[len(links) :]:
        yield error(trace_id, f"{stage} is missing")
