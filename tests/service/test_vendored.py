"""Vendored files are what their manifest says, each with its licence."""

import hashlib
import json

from service.console.assets import STATIC

VENDOR = STATIC / "vendor"


def test_sums_match_and_nothing_stands_beside_the_manifest():
    rows = {row["file"]: row for row in json.loads((VENDOR / "manifest.json").read_text())["files"]}
    found = {p.relative_to(VENDOR).as_posix() for p in VENDOR.rglob("*") if p.is_file()} - {"manifest.json"}
    assert found == set(rows)
    for name, row in rows.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == row["sha256"], name
        assert row["version"] in name


def test_every_package_brings_its_licence():
    for folder in (p for p in VENDOR.iterdir() if p.is_dir()):
        assert (folder / "LICENSE").is_file(), folder.name
