"""Annotated quantities: the unit and the valid range of a parameter, readable by people, by validation and by the JSON Schema."""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower-case name, unique in its list")]
"""Lower-case letters, digits and underscores; unique in its list."""

Kw = Annotated[float, Ge(0), Lt(1e9), Field(description="kW")]
PositiveKw = Annotated[float, Gt(0), Lt(1e9), Field(description="kW")]
Kwh = Annotated[float, Ge(0), Lt(1e12), Field(description="kWh")]
PositiveKwh = Annotated[float, Gt(0), Lt(1e12), Field(description="kWh")]
Share = Annotated[float, Ge(0), Le(1), Field(description="share 0..1")]
Efficiency = Annotated[float, Gt(0), Le(1), Field(description="share, above 0 and at most 1")]
Cop = Annotated[float, Gt(0), Lt(30), Field(description="kW of heat or cold per kW driven")]
Hours = Annotated[float, Ge(0), Lt(8761), Field(description="h")]
LocalHour = Annotated[float, Ge(0), Le(24), Field(description="local hour of the day, 0..24")]
Degc = Annotated[float, Gt(-273.15), Lt(1500), Field(description="degC")]
Price = Annotated[float, Gt(-1e6), Lt(1e6), Field(description="currency per kWh")]
Money = Annotated[float, Ge(0), Lt(1e12), Field(description="currency")]
Positive = Annotated[float, Gt(0), Lt(1e12)]
NonNegative = Annotated[float, Ge(0), Lt(1e12)]
NonEmpty = MinLen(1)
