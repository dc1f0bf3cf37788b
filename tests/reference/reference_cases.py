"""Reads the reference cases, which are not part of this repository."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("JOULETWIN_CASES", Path(__file__).parents[2] / ".." / "shared" / "cases"))


def case(name: str) -> Any:
    """Return a case, or skip the test where the folder is absent."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{path} is absent; point JOULETWIN_CASES at the reference cases")
    return json.loads(path.read_text())
