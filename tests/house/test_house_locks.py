"""Lock files: hashes for everything, no addresses, and one version for users and developers."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-setup.lock", "benchmarks/requirements-peers.lock")


def text_of(lock: str) -> str:
    return (ROOT / lock).read_text(encoding="utf-8")


def entries(lock: str) -> list[str]:
    """One string per package: its pin, marker, hashes and comments."""
    return re.split(r"\n(?=[A-Za-z0-9])", text_of(lock).strip())


def pins(lock: str) -> set[str]:
    return {e.split("\\")[0].strip() for e in entries(lock)}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address(lock):
    found = re.findall(r"^.*(?:://|--index|--extra|--find-links|--trusted|@ ).*$", text_of(lock), re.MULTILINE)
    assert not found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_with_a_hash(lock):
    bare = [e.split()[0] for e in entries(lock) if "==" not in e.split()[0] or "--hash=sha256:" not in e]
    assert not bare


def test_developers_test_the_versions_that_users_run():
    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_every_declared_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {Requirement(r).name.lower() for r in project["dependencies"]}
    wanted_dev = {Requirement(r).name.lower() for rs in project["optional-dependencies"].values() for r in rs}
    assert wanted <= {p.split("==")[0] for p in pins("requirements.lock")}
    assert wanted_dev <= {p.split("==")[0] for p in pins("requirements-dev.lock")}
