"""The page on the site format: its example is a right site, and no field of the schema is missing from it."""

import re
from pathlib import Path

import pandas as pd

from models.site import read_site, site_schema

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "site-format.md").read_text(encoding="utf-8")
SCHEMA = site_schema()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_page_is_a_right_site(tmp_path):
    (tmp_path / "site.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    header = blocks("csv")[0].splitlines()[0]
    times = pd.date_range("2015-01-01", periods=8760, freq="1h").strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = [header, *(f"{t},50,0.5" for t in times)]
    (tmp_path / "profiles.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    site, findings = read_site(tmp_path / "site.yaml")
    assert site is not None, findings
    assert findings == []


def test_every_field_of_the_format_is_on_the_page():
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    words = set(re.findall(r"`([^`\n]+)`", prose))
    records = {"top level": SCHEMA, **SCHEMA["$defs"]}
    missing = {f"{name}.{f}" for name, r in records.items() for f in r.get("properties", {}) if f not in words}
    assert not missing


def test_every_kind_of_asset_and_contract_is_on_the_page():
    kinds = {
        d["properties"]["kind"].get("const") for d in SCHEMA["$defs"].values() if "kind" in d.get("properties", {})
    }
    named = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert kinds - {None} <= named
