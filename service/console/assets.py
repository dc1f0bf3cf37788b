"""Static files of the console, held in memory with their checksums and compressed once."""

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"
"""What has its version in its path never changes."""
ASK_EACH_TIME = "no-cache"
VENDOR = "vendor"
"""Its files have their own versions in their paths."""


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


def static_files() -> dict[str, StaticFile]:
    """Return every file that browsers may ask for, by its path below ``/static/``."""
    paths = (p for p in sorted(STATIC.rglob("*")) if p.suffix in TYPES)
    names = ((p.relative_to(STATIC).as_posix(), p) for p in paths)
    return {name: StaticFile(name, path.read_bytes()) for name, path in names}


class Shelf:
    """The static files under paths that change when any of them does; scripts that import their neighbours stay on the same path."""

    def __init__(self) -> None:
        self._files = static_files()
        marks = "".join(file.etag for file in self._files.values())
        self.mark = hashlib.sha256(marks.encode()).hexdigest()[:12]

    @property
    def path(self) -> str:
        """Where pages find the files of now."""
        return f"/static/{self.mark}"

    def find(self, path: str) -> tuple[StaticFile, str] | None:
        """Return a file and how long a browser may keep it, None where there is none; pages of yesterday get today's files."""
        mark, _, name = path.partition("/")
        file = self._files.get(path) or self._files.get(name)
        return None if file is None else (file, FOR_EVER if mark in (self.mark, VENDOR) else ASK_EACH_TIME)


SHELF = Shelf()
