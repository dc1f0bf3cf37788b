"""The sites that ship with the product."""

from pathlib import Path


def works_path() -> Path:
    """Return where the file of the made-up works lies: the levers that the park does not have."""
    return Path(__file__).parent / "works" / "site.yaml"


def park_path() -> Path:
    """Return where the file of the demo park lies."""
    return Path(__file__).parent / "park" / "site.yaml"
