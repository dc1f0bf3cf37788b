"""Instants as people type them."""

from datetime import datetime

import typer


def instant(text: str | None, option: str) -> datetime | None:
    """Return the instant that a text names, None for none.

    Raises
    ------
    typer.BadParameter
        If it is no instant or has no zone.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text} is no time; write for example 2015-07-15T06:00+08:00", param_hint=option
        ) from None
    if found.tzinfo is None:
        raise typer.BadParameter(f"{text} has no zone; add one, for example {text}+08:00 or {text}Z", param_hint=option)
    return found
