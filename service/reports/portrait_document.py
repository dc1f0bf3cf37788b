"""A customer's portrait as a report to hand on: sentences by subject, its year, its days and its answer to the weather."""

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from customers.features.table import FeatureTable
from customers.intervals.series import MeterTable
from customers.portraits.customer import CustomerPortrait
from service.pictures.customers import heat_map, over_weather, typical_days
from service.reports.document import Document, Lines, Section, drawing


def portrait_document(
    portrait: CustomerPortrait, table: MeterTable, features: FeatureTable, row: int, notice: str = ""
) -> Document:
    """Return one customer's portrait as a report; its pictures are drawn from the same figures as its sentences."""
    pictures = (
        ("The year by hour and day", 3.2, lambda ax: heat_map(ax, table, row)),
        ("Typical days", 2.8, lambda ax: typical_days(ax, features, row)),
        ("Answer to the weather", 2.8, lambda ax: over_weather(ax, features, row)),
    )
    words = (
        ("Energy", portrait.energy),
        ("Assets", portrait.asset),
        ("Business", portrait.business),
        ("How sure this is", (portrait.sureness.words,)),
    )
    sections = [Section(heading, Lines(tuple(lines))) for heading, lines in words if lines]
    sections += [Section(heading, _picture(height, draw)) for heading, height, draw in pictures]
    return Document(f"Portrait of {portrait.customer}: {portrait.segment}", notice, "en", tuple(sections))


def _picture(height: float, draw: Callable[[Axes], None]) -> Figure:
    with mpl.rc_context(drawing()):
        figure = Figure(figsize=(8.0, height), layout="constrained")
        draw(figure.subplots())
        return figure
