"""Whether compiled loops are kept on disk and still fit their sources; answers without importing the compiler."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
STAMP = HERE / "__pycache__" / "warm.txt"


def is_warm() -> bool:
    """Return whether the loops as they are written now have been compiled for this machine; takes no compiler to tell."""
    return STAMP.is_file() and STAMP.read_text(encoding="ascii") == _fingerprint()


def keep() -> None:
    """Note that every loop as it is written now has been compiled."""
    if STAMP.parent.is_dir():
        STAMP.write_text(_fingerprint(), encoding="ascii")


def forget() -> None:
    """Remove compiled loops beside their sources.

    The compiler renews a loop when its own file changes, not when it calls one that has changed in another file.
    """
    STAMP.unlink(missing_ok=True)
    for compiled in HERE.rglob("__pycache__/*.nb[ci]"):
        compiled.unlink(missing_ok=True)


def _fingerprint() -> str:
    """Return what compiled loops depend on: their sources, the compiler and the processor."""
    digest = hashlib.sha256(
        f"{version('numba')} {version('numpy')} {platform.python_version()} {_processor()}".encode()
    )
    for source in sorted(HERE.rglob("*.py")):
        text = source.read_bytes()
        if b"import compiled" in text or b"numba.njit" in text:
            digest.update(text)
    return digest.hexdigest()


def _processor() -> str:
    """Return the processor's name; loops use what it can do."""
    known = Path("/proc/cpuinfo")
    if not known.is_file():
        return platform.processor()
    lines = known.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line for line in lines if line.startswith("model name")), platform.machine())
