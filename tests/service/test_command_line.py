"""The command line tells every fault in words and exits with a code that scripts can use."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from models.errors import InfeasiblePlanError, SetupError, SiteError
from models.findings import error
from service.faults import MACHINE_REFUSES, WORK_FAILED, told

TINY = {
    "format": "jouletwin-site/1",
    "name": "tiny",
    "title": "A tiny site",
    "currency": "CNY",
    "location": {"latitude_deg": 36.1, "longitude_deg": 117.0},
    "nodes": [{"id": "bus", "carrier": "electricity"}],
    "assets": [
        {
            "kind": "grid_connection",
            "id": "grid",
            "electricity_node": "bus",
            "import_max_kw": 100,
            "export_max_kw": 0,
            "contract": "power",
        }
    ],
    "contracts": [
        {
            "kind": "electricity",
            "id": "power",
            "party": "utility",
            "tariff": {
                "bands": [{"name": "flat", "price_per_kwh": 0.5, "windows": [{"start_h": 0, "end_h": 24}]}],
            },
        }
    ],
}


def jouletwin(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=240, check=False)


def write(folder: Path, document: object) -> str:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def test_check_passes_a_right_site(tmp_path):
    done = jouletwin("check", write(tmp_path, TINY))
    assert done.returncode == 0
    assert "is right" in done.stdout
    assert "1 asset" in done.stdout


def test_check_prints_every_finding_at_once_and_exits_1(tmp_path):
    grid = TINY["assets"][0] | {"import_max_kw": -5, "colour": "red"}
    done = jouletwin("check", write(tmp_path, TINY | {"assets": [grid], "currency": "yuan"}))
    assert done.returncode == 1
    for place in ("import_max_kw", "colour", "currency"):
        assert place in done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_check_tells_a_missing_file(tmp_path):
    done = jouletwin("check", "nowhere.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be read" in done.stdout


def test_schema_accepts_what_check_accepts():
    schema = json.loads(jouletwin("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(TINY, schema)


def test_help_names_every_command():
    done = jouletwin("--help")
    assert done.returncode == 0
    for command in ("check", "schema"):
        assert command in done.stdout


def test_an_unknown_option_is_a_wrong_call():
    done = jouletwin("check", "--colour")
    assert done.returncode == MACHINE_REFUSES
    assert "--colour" in done.stderr


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        (SiteError([error("assets[a]", "is wrong")]), "assets[a]: is wrong", WORK_FAILED),
        (InfeasiblePlanError("heat is short by 200 kW at 07:00"), "short by 200 kW", WORK_FAILED),
        (SetupError("Chromium is missing"), "Chromium is missing", MACHINE_REFUSES),
        (OSError(errno.EADDRINUSE, "127.0.0.1:8731 is in use"), "--port", MACHINE_REFUSES),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x.json"), "/root/x.json: no permission", 2),
        (OSError(errno.ENOSPC, "No space left", "/x"), "disk is full", MACHINE_REFUSES),
    ],
)
def test_faults_become_words(fault, words, code):
    said, exit_code = told(fault)
    assert words in said
    assert exit_code == code
