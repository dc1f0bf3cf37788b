"""What endpoints of trading share: field types, pages by number, and how a missing thing is told."""

from typing import Annotated, Self, TypeVar

from fastapi import HTTPException, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from models.findings import Finding

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
"""A name or a reason, as somebody writes it."""
Id = Annotated[str, Path(max_length=120, description="the id")]
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
LAST = 2**62
Before = Annotated[int, Query(ge=1, le=LAST, description="number of the last item of the page before")]
After = Annotated[str, Query(max_length=120, description="where the page before ended")]
Behind = Annotated[str | None, Query(max_length=500, description="`next` of the page before")]
Named = Annotated[str | None, Query(max_length=120, description="only these")]
T = TypeVar("T")


class Asked(BaseModel):
    """What a request of trading is made of: nothing else is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """One finding."""

    place: str
    message: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Return a finding as the interface shows it."""
        return cls(place=finding.place, message=finding.message)


class Checked(BaseModel):
    """Whether a chain holds."""

    length: int = Field(description="how many entries were looked at")
    findings: list[Told] = Field(
        description="what was changed, is missing, or does not add up; empty for a sound chain"
    )


def place(after: str | None, form: TypeAdapter[T]) -> T | None:
    """Return the place where the page before ended; 422 for what no page has named."""
    try:
        return None if after is None else form.validate_json(after)
    except ValidationError:
        raise HTTPException(422, "`after` is what a page before gave as `next`.") from None


def known(found: T | None, what: str, name: str) -> T:
    """Return what was found, or tell that there is nothing of that name."""
    if found is None:
        raise HTTPException(404, f"There is no {what} {name[:60]}.")
    return found


def number_of(name: str, what: str) -> int:
    """Return the number that an id is; 404 for anything else, which nothing is called."""
    if not name.isascii() or not name.isdigit() or len(name) > 15:
        raise HTTPException(404, f"There is no {what} {name[:60]}.")
    return int(name)
