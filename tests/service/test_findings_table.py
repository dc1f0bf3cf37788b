"""Findings in the terminal keep their place whole, brackets included."""

from io import StringIO

from rich.console import Console

from models.findings import error, warning
from service.commands.screen import findings_table


def test_a_place_in_brackets_is_shown_as_it_is_and_errors_come_first():
    out = StringIO()
    table = findings_table(
        [warning("assets[pv].profile", "late"), error("assets[chp1].min_up_h", "is missing [h]; add it")]
    )
    Console(file=out, width=120).print(table)
    text = out.getvalue()
    assert "assets[chp1].min_up_h" in text
    assert "is missing [h]; add it" in text
    assert text.index("chp1") < text.index("assets[pv]")
