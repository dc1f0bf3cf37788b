"""Static files of the console, held in memory with their checksums and compressed once."""

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
"""Vendored files carry their version in the path, so their content never changes."""
ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True)
class StaticFile:
    """One file as browsers get it."""

    name: str
    body: bytes = field(repr=False)

    @cached_property
    def compressed(self) -> bytes:
        """The body in gzip, made when it is first asked for."""
        return gzip.compress(self.body, 9, mtime=0)

    @cached_property
    def etag(self) -> str:
        """A tag that changes with the content."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @property
    def media_type(self) -> str:
        """What the file is."""
        return TYPES[Path(self.name).suffix]

    @property
    def caching(self) -> str:
        """How long a browser may keep it."""
        return FOR_EVER if self.name.startswith("vendor/") else ASK_EACH_TIME


def static_files() -> dict[str, StaticFile]:
    """Return every file that browsers may ask for, by its path below ``/static/``."""
    paths = (p for p in sorted(STATIC.rglob("*")) if p.suffix in TYPES)
    names = ((p.relative_to(STATIC).as_posix(), p) for p in paths)
    return {name: StaticFile(name, path.read_bytes()) for name, path in names}
