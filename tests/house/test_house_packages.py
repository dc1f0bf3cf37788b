"""The packages are ours, typed, described, and import only downwards."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize("package", PACKAGES)
def test_an_imported_package_is_ours_and_not_a_strangers_of_the_same_name(package):
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / package / "__init__.py"


def test_the_packages_are_ours_from_any_working_folder(tmp_path):
    code = f"import {', '.join(PACKAGES)}; print(*[m.__file__ for m in ({', '.join(PACKAGES)})], sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert all(Path(line).is_relative_to(ROOT) for line in done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed_and_says_what_lives_in_it(package):
    assert (ROOT / package / "py.typed").is_file()
    assert importlib.import_module(package).__doc__


def test_no_installed_distribution_brings_a_package_of_the_same_name():
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    strangers = {p: set(owners.get(p, [])) - {PROJECT["project"]["name"]} for p in PACKAGES}
    assert not {p: names for p, names in strangers.items() if names}


def test_imports_go_down_only_and_heavy_libraries_have_one_door():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_it_can_never_be_published_by_accident():
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]
