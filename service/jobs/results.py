"""How jobs leave their results: in every format that there is, in their own folder, and words on the way."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Tell = Callable[[float | None, str], None]
"""Hears how far a job is, 0..1 or None where nobody can know, and what it does."""
ENDINGS = (".json", ".csv", ".parquet", ".nc", ".xlsx")


def kept(writers: Mapping[str, Callable[[Any, Path], None]], content: object, folder: Path) -> None:
    """Write a result in every format that it has."""
    for ending in ENDINGS:
        if ending in writers:
            writers[ending](content, folder / f"result{ending}")


def kept_json(content: object, folder: Path) -> None:
    """Write plain values as the result."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    (folder / "result.json").write_text(text, encoding="utf-8")
