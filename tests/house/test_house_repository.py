"""What may not be in the repository, and what the documents must say."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DEPENDENCIES = ROOT / "docs" / "dependencies.md"


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout; the tracked files are unknown")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_place_on_somebodys_machine():
    # a home folder or a mount of one machine means nothing on the next
    place = re.compile(rb"(?<![\w.])/(?:work|home|Users)/\w")
    found = [str(f.relative_to(ROOT)) for f in tracked() if f.suffix != ".png" and place.search(f.read_bytes())]
    assert not found


def test_no_file_is_large():
    large = {str(f.relative_to(ROOT)): f.stat().st_size for f in tracked() if f.stat().st_size > 1_500_000}
    assert not large


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return {Requirement(r).name.lower() for group in groups for r in group}


def documented() -> dict[str, list[str]]:
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", DEPENDENCIES.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.lower(): [cell.strip() for cell in rest.split("|")] for name, rest in rows}


def test_every_dependency_is_documented_with_licence_and_reason():
    peers = {
        line.strip().split("<")[0]
        for line in (ROOT / "benchmarks" / "requirements-peers.in").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert set(documented()) == declared() | peers | {"uv"}
    bare = [name for name, cells in documented().items() if len(cells) < 2 or not all(cells[:2])]
    assert not bare


def test_every_relative_link_of_the_documents_leads_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [(p, link) for p in pages for link in re.findall(r"\]\(([^)#\s]+)", p.read_text(encoding="utf-8"))]
    dead = [
        f"{p.relative_to(ROOT)}: {link}" for p, link in links if "://" not in link and not (p.parent / link).exists()
    ]
    assert not dead


def test_decisions_are_numbered_without_gaps_and_listed():
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(p.name[:4]) for p in pages] == list(range(1, len(pages) + 1))
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert not [p.name for p in pages if f"({p.name})" not in listed]
    assert not [p.name for p in pages if not p.read_text(encoding="utf-8").startswith(f"# {p.name[:4]} ")]
