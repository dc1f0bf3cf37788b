"""Set-up on somebody's machine: what is missing is said in words, and CI's script passes on what the tests say."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tool(folder: Path, name: str, script: str) -> None:
    """A program of this name that runs ``script`` instead of the real one."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


@pytest.fixture
def bare(tmp_path):
    """A machine with nothing on it, used by somebody who may not install anything."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tool(folder, "id", "echo 1000")
    return folder


def needs(what: str, path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, str(ROOT / ".ci" / "needs"), what], env={"PATH": str(path), **env}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("python", "missing: Python 3.11 or newer. Debian and Ubuntu: apt install python3 python3-venv"),
        ("browser", "apt install chromium"),
        ("font", "apt install fonts-noto-cjk"),
        ("make", "apt install make"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_get_it(bare, what, words):
    done = needs(what, bare)
    assert done.returncode == 1
    assert words in done.stderr


def test_an_old_python_is_passed_over_for_a_newer_one(bare):
    tool(bare, "python3.11", "exit 1")
    tool(bare, "python3", "exit 0")
    assert needs("python", bare).stdout.strip() == str(bare / "python3")


def test_a_python_without_venv_is_told_apart_from_no_python(bare):
    tool(bare, "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    done = needs("python", bare)
    assert done.returncode == 1
    assert f"missing: Python's venv module for {bare / 'python3'}" in done.stderr


def test_a_named_python_is_preferred(bare):
    tool(bare, "python3", "exit 0")
    tool(bare, "mine", "exit 0")
    assert needs("python", bare, PYTHON="mine").stdout.strip() == str(bare / "mine")


@pytest.mark.parametrize(
    ("closing", "code"), [("3 passed, 1 skipped in 0.12s", 0), ("1 failed, 2 passed, 1 warning in 61.20s (0:01:01)", 2)]
)
def test_ci_exits_with_the_tests_code_and_prints_their_closing_line_last(tmp_path, closing, code):
    bar = "=" * 20
    tool(
        tmp_path,
        "make",
        f"echo collecting; echo '{bar} {closing} {bar}'; echo 'make: *** [Makefile:9: test] Error 1'; exit {code}",
    )
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", str(ROOT / ".ci" / "run")], env=env, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.rstrip().splitlines()[-1].strip("= ") == closing


def test_every_target_explains_itself():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    assert phony == set(re.findall(r"^([a-z]+):.*## \w", makefile, re.MULTILINE))
    assert phony >= {"run", "test", "check", "bench", "peers", "serve"}
