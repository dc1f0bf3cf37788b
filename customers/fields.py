"""Kinds of text and numbers that people write about customers: their form, their bounds and an example of each."""

from datetime import UTC, date, datetime
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AwareDatetime, Field

STRICT = {"extra": "forbid"}
"""What a record that people write says of fields that it does not know."""

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
ROWS_MOST = 200
"""The longest list inside one record: contacts, milestones, lines."""
MICRO_LIMIT = 2**53
"""Amounts stay below this, so that no reader of JSON rounds them."""

Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", examples=["5f0c3a9be2d14f77"])]
"""The id of something else that is kept."""
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=PRINTABLE, examples=["Harbour Hotel"])]
Who = Annotated[str, Field(min_length=1, max_length=80, pattern=PRINTABLE, examples=["ann"])]
Words = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Said = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]+$", examples=["agreed by telephone"])]
Label = Annotated[str, Field(max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A name that may be left out."""
Day = Annotated[date, Ge(date(1970, 1, 1)), Lt(date(2300, 1, 1)), Field(examples=["2026-07-01"])]
At = Annotated[
    AwareDatetime,
    Ge(datetime(1970, 1, 2, tzinfo=UTC)),
    Lt(datetime(2300, 1, 1, tzinfo=UTC)),
    Field(examples=["2026-07-01T08:00:00Z"]),
]
Micro = Annotated[int, Gt(-MICRO_LIMIT), Lt(MICRO_LIMIT), Field(description="micro-units", examples=[120_000_000_000])]
"""An amount of money, millionths of the currency."""
PositiveMicro = Annotated[int, Ge(0), Lt(MICRO_LIMIT), Field(description="micro-units", examples=[120_000_000_000])]
Ppm = Annotated[int, Ge(1), Le(1_000_000), Field(description="millionths of the whole", examples=[50_000])]
