"""A proposal as a report: sections, tables and pictures in the order a customer reads them."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from customers.proposal.content import Proposal
from models.tariffs.money import MICRO
from service.reports.document import Document, Grid, Lines, Row, Section, drawing, rows_of

OLD, NEW, SURE = "#7f8c9b", "#0b6e99", "#2a8f5b"
BINS = 24


def proposal_document(proposal: Proposal) -> Document:
    """Return a proposal as a report."""
    with mpl.rc_context(drawing()):
        return Document(proposal.title, proposal.notice, proposal.language, tuple(_sections(proposal)))


def _sections(p: Proposal) -> Iterator[Section]:
    yield Section(p.word("summary"), Lines(tuple(p.summary())))
    yield Section(p.word("package"), _summed(p.item_heads(), list(p.items())))
    yield Section(p.word("bill"), _summed(p.heads("head_bill"), list(p.bills())))
    yield Section(p.word("year"), _months(p))
    yield Section(p.word("shape"), _day(p))
    yield Section(p.word("saving"), _years(p))
    yield Section(p.word("prices"), Grid(p.price_heads(), rows_of(list(p.prices()))))
    yield Section(p.word("why"), Lines(tuple(p.reasons())))
    if p.swings and p.internal:
        yield Section(p.word("sensitivity"), Grid(p.heads("swing_head"), rows_of(list(p.sensitivities()))))
    yield Section(p.word("delivery"), Lines(tuple(p.delivered())))
    if p.design.best.offer is not None:
        yield Section(p.word("next"), Lines(tuple(p.next_steps())))
    yield Section(p.word("sources"), Lines(tuple(p.sources())))


def _summed(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Grid:
    """Return a table whose last row is its sum."""
    return Grid(head, (*rows_of(rows[:-1]), Row(rows[-1], "better")))


def _months(p: Proposal) -> Figure:
    """Return the bills by month, before and after."""
    before, after = p.design.before, p.design.after
    figure, axes = _empty()
    at = np.arange(len(before.cycles))
    for values, shift, colour, name in ((before, -0.2, OLD, "before"), (after, 0.2, NEW, "after")):
        axes.bar(at + shift, values.total_micro[0] / MICRO, 0.4, color=colour, label=p.word(name))
    axes.set_xticks(at, [f"{y}-{m:02d}" for y, m in before.cycles], rotation=30, ha="right", fontsize=8)
    axes.set_ylabel(p.currency)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    return figure


def _day(p: Proposal) -> Figure:
    """Return the mean day, before and after."""
    figure, axes = _empty()
    for values, colour, name in zip(p.day_shape(), (OLD, NEW), ("before", "after"), strict=True):
        axes.step(np.arange(25), np.append(values, values[-1]), where="post", color=colour, label=p.word(name))
    axes.axhline(0.0, color="black", linewidth=0.5)
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 3))
    axes.set_xlabel(p.word("hour"))
    axes.set_ylabel(p.word("unit_kw"))
    axes.legend(frameon=False)
    return figure


def _years(p: Proposal) -> Figure:
    """Return how often each saving came up in the drawn years, with the 90 % interval and the metered year."""
    saving = p.design.best.total_saving
    figure, axes = _empty()
    axes.hist(saving, BINS, color=SURE, alpha=0.75)
    for q in (0.05, 0.95):
        axes.axvline(float(np.quantile(saving, q)), color=OLD, linestyle="--")
    axes.set_xlabel(p.word("saving_axis", currency=p.currency))
    axes.set_ylabel(p.word("likely", count=len(saving)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    return figure


def _empty() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.0, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
