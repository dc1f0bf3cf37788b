"""Results as files: what cannot be written is told before the work begins, and in one line."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from models.errors import SetupError

T = TypeVar("T")


def require_writable(path: Path | None, endings: Iterable[str] = (), *, option: str = "--out") -> None:
    """Make sure that a file can be written, before a minute of work is done for it; None is no file.

    Raises
    ------
    SetupError
        If it cannot, or ``endings`` are given and its ending is none of them.
    """
    if path is None:
        return
    known = tuple(endings)
    if known and path.suffix.lower() not in known:
        raise SetupError(f"{path}: no format for this ending; use one of {', '.join(known)}")
    probe = path / ".probe" if path.is_dir() and path.suffix == ".zarr" else path  # a zarr store is a folder
    there = probe.exists()
    try:
        probe.open("ab").close()
    except OSError as fault:
        raise SetupError(f"{path} cannot be written: {fault.strerror}. Choose another place with {option}.") from None
    if not there:
        probe.unlink()


def write_as(writers: Mapping[str, Callable[[T, Path], None]], content: T, path: Path) -> None:
    """Write something in the format that the file's ending names.

    Raises
    ------
    SetupError
        If the ending is another one or the file cannot be written.
    """
    require_writable(path, writers)
    try:
        writers[path.suffix.lower()](content, path)
    except OSError as fault:
        raise SetupError(f"{path} cannot be written: {fault.strerror or fault}") from None
