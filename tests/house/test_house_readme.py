"""The README's commands are executed.

Every ``console`` block follows a comment that says how it is tested:

    <!-- test: runs -->                      every command ends with exit code 0
    <!-- test: runs, exit code 1 -->         the last command ends with 1
    <!-- test: runs until "some words" -->   the command is interrupted (Ctrl-C) once it has printed the words, and ends by itself
    <!-- test: none, REASON -->              not run

Lines without a ``$`` are what the commands print; ``...`` stands for anything, and white space and table lines are free because terminals wrap.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"(?:<!-- test: ([^\n]+?) -->\s*)?^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 240


@dataclass(frozen=True)
class Block:
    """Commands of the README, how they are tested, and what they are said to print."""

    how: str
    script: str
    shown: str

    @property
    def until(self) -> str | None:
        found = re.search(r'until "(.+)"', self.how)
        return found[1] if found else None

    @property
    def exit_code(self) -> int:
        found = re.search(r"exit code (\d+)", self.how)
        return int(found[1]) if found else 0


def blocks() -> list[Block]:
    found = []
    for how, text in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        shown = [line for line in text.splitlines() if not line.startswith("$ ")]
        found.append(Block(how, "\n".join(commands), " ".join(shown)))
    return found


def pattern_of(shown: str) -> str:
    words = shown.replace("...", " ... ").split()
    return r"[\s│]*".join(".*?" if word == "..." else re.escape(word) for word in words)


@pytest.fixture
def folder(tmp_path):
    """A folder in which the README's paths hold, while what its commands write stays out of the checkout."""
    for name in (
        "scenarios",
        "docs",
        "Makefile",
        ".ci",
        ".venv",
        "pyproject.toml",
        *(f.name for f in ROOT.glob("*.lock")),
    ):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@contextmanager
def started(script: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script in its own process group, on a terminal 100 columns wide, with our commands at hand; nothing of it survives."""
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    # the demo takes any free port, as somebody else may be using its own
    env = os.environ | {"PATH": path, "COLUMNS": "100", "PYTHONUNBUFFERED": "1", "ARGS": "--port 0"}
    process = subprocess.Popen(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    killer = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
    killer.start()
    try:
        yield process
    finally:
        killer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_interrupted(block: Block, folder: Path) -> str:
    """Interrupt the block's program once it has said the awaited words and return everything it printed until its end."""
    printed, interrupted = "", False
    with started(block.script, folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if not interrupted and block.until in line:
                interrupted = True
                os.killpg(process.pid, signal.SIGINT)
    assert interrupted, f"never printed {block.until!r}:\n{printed[-3000:]}"
    assert process.returncode != -signal.SIGKILL, f"did not end after Ctrl-C:\n{printed[-3000:]}"
    return printed


@pytest.mark.parametrize("block", [b for b in blocks() if b.until], ids=lambda b: b.script)
def test_a_running_command_of_the_readme_starts_and_ends_on_interrupt(block, folder):
    if block.script.startswith("make ") and Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("make uses .venv; this test runs in another environment")
    printed = run_interrupted(block, folder)
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "block", [b for b in blocks() if b.how.startswith("runs") and not b.until], ids=lambda b: b.script
)
def test_a_command_of_the_readme_does_and_prints_what_it_says(block, folder):
    with started(block.script, folder) as process:
        printed, _ = process.communicate()
    assert process.returncode == block.exit_code, printed[-3000:]
    assert re.search(pattern_of(block.shown), printed, re.DOTALL), printed[-3000:]


def test_every_block_of_commands_says_how_it_is_tested():
    silent = [b.script for b in blocks() if not re.match(r"runs\b|none, \w", b.how)]
    assert not silent
    assert [b.script for b in blocks() if b.how.startswith("runs")]


def test_shown_output_may_leave_things_out():
    assert re.search(
        pattern_of("...is right: Demo park..."), "site.yaml is\nright: Demo\n park; electricity", re.DOTALL
    )
    assert not re.search(pattern_of("is right"), "is wrong")
