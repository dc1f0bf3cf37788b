"""Which versions a figure was measured with."""

import os
import platform
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]


@lru_cache(maxsize=1)
def commit() -> str:
    """Return the short commit of this checkout, with a + when files differ from it; "" outside a checkout."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()


def version_of(package: str) -> str:
    """Return the installed version of a distribution, "not installed" when there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return what a figure depends on: our commit, Python, the machine, and the named distributions."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    fixed = {"jouletwin": commit() or "unknown", "python": platform.python_version(), "machine": machine}
    return fixed | {p: version_of(p) for p in packages}
