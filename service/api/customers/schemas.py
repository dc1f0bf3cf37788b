"""What the endpoints of customers take and answer."""

from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from customers.lifecycle.lead import Stage
from customers.lifecycle.moves import Move
from models.findings import Finding
from service.api.problems import ProblemFinding
from service.customers.shelf import Shelf
from service.store.customers import KeptRow, LeadMoveRow

Content = TypeVar("Content")


class Kept(BaseModel, Generic[Content]):
    """A record that is kept; its version is its ETag."""

    id: str = Field(examples=["5f0c3a9be2d14f77"])
    version: int
    made_at: datetime
    changed_at: datetime
    changed_by: str
    content: Content

    @classmethod
    def of(cls, shelf: Shelf[Any], row: KeptRow) -> Self:
        """Return a record as the interface shows it."""
        same = {n: getattr(row, n) for n in ("id", "version", "made_at", "changed_at", "changed_by")}
        return cls(**same, content=shelf.of(row))


class Page(BaseModel, Generic[Content]):
    """Records, newest first."""

    items: list[Kept[Content]]
    next: str | None = Field(description="value for `before` that gives the next page; null on the last")


def kept_of(shelf: Shelf[Content]) -> type[Kept[Content]]:
    """Return what a record of a shelf is as the interface shows it."""
    return Kept[shelf.content]  # type: ignore[name-defined] # a type that is known when the service starts


def page_of(shelf: Shelf[Content]) -> type[Page[Content]]:
    """Return what a page of a shelf's records is."""
    return Page[shelf.content]  # type: ignore[name-defined] # as above


class MoveIn(BaseModel):
    """A move of a lead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    move: Move = Field(examples=["qualify"])
    reason: Annotated[str, Field(max_length=2000, description="asked for to lose, reopen and suspend")] = ""


class MoveOut(BaseModel):
    """A move that was made."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    move: Move
    before: Stage
    after: Stage
    at: datetime
    by: str
    reason: str

    @classmethod
    def of(cls, row: LeadMoveRow) -> Self:
        """Return a move as the interface shows it."""
        return cls.model_validate(row)


class WayOut(BaseModel):
    """A move that leads on from where a lead stands, and what it still lacks."""

    move: Move
    missing: list[ProblemFinding]

    @classmethod
    def of(cls, move: Move, missing: tuple[Finding, ...]) -> Self:
        """Return a move as the interface shows it."""
        return cls(move=move, missing=[ProblemFinding(place=f.place, message=f.message) for f in missing])


class HistoryOut(BaseModel):
    """How a lead came to where it stands, and how it can go on."""

    stage: Stage
    moves: list[MoveOut]
    ways: list[WayOut]
