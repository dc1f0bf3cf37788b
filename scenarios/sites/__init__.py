"""The sites that ship with the product."""

from pathlib import Path


def park_path() -> Path:
    """Return where the file of the demo park lies."""
    return Path(__file__).parent / "park" / "site.yaml"
