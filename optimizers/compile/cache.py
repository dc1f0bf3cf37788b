"""Stencils kept between runs, so that a known structure starts without importing Pyomo."""

import functools
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optimizers.compile.stencil import Stencil, from_plain, to_plain


@functools.cache
def _code() -> str:
    """Return the content hash of this package: another rule in a block must never meet an old stencil."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def structure_key(structure: Any) -> str:
    """Return the content hash of a structure (anything JSON can hold), of the rules' code and of Pyomo's version."""
    text = json.dumps([_code(), version("pyomo"), structure], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def default_folder() -> Path:
    """Return the user's cache folder for stencils."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "jouletwin" / "stencils"


class StencilCache:
    """Stencils by structure key, in memory and, where ``folder`` can be written, as JSON files."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._kept: dict[str, Stencil] = {}

    def get(self, key: str, make: Callable[[], Stencil]) -> Stencil:
        """Return the stencil of ``key``; ``make`` is asked only when nobody has made it yet."""
        if key not in self._kept:
            self._kept[key] = self._read(key) or self._made(key, make)
        return self._kept[key]

    def _path(self, key: str) -> Path | None:
        return self.folder / f"{key}.json" if self.folder else None

    def _read(self, key: str) -> Stencil | None:
        """Return a stored stencil; a missing or damaged file is made anew."""
        path = self._path(key)
        try:
            plain = json.loads(path.read_text()) if path else None
            return from_plain(plain["stencil"]) if plain and plain["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _made(self, key: str, make: Callable[[], Stencil]) -> Stencil:
        stencil = make()
        path = self._path(key)
        if path:
            self._write(path, json.dumps({"key": key, "stencil": to_plain(stencil)}))
        return stencil

    @staticmethod
    def _write(path: Path, text: str) -> None:
        """Store a file in one move, so that another process never reads half of it; a full disk costs only speed."""
        scratch = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_text(text)
            scratch.replace(path)
