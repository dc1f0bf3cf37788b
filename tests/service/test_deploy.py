"""What is shipped for running an installation: unit, containers and the page of options say what the command line takes, and nothing else."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from service.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DEPLOY = DOCS / "deploy"
UNIT = (DEPLOY / "jouletwin.service").read_text(encoding="utf-8")
BRIDGE = (DEPLOY / "jouletwin-bridge.service").read_text(encoding="utf-8")
IMAGE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
CONFIGURATION = (DOCS / "configuration.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app)


def understood(words):
    """What the command line makes of words, without doing it; it ends with 2 at what it does not know."""
    name, *rest = words
    return COMMANDS.commands[name].make_context(name, list(rest)).params


def options(name):
    """The options of a command that people are told of."""
    told = [p for p in COMMANDS.commands[name].params if p.param_type_name == "option" and not p.hidden]
    return {word for p in told for word in (*p.opts, *p.secondary_opts)} - {"--help", "-h"}


def test_the_unit_starts_the_service_as_the_command_line_takes_it():
    command = shlex.split(re.search(r"^ExecStart=(.+)$", UNIT, re.MULTILINE).group(1))
    assert command[0].endswith("/jouletwin")
    given = understood(command[1:])
    assert (str(given["site"]), given["host"], given["log_lines"]) == ("/etc/jouletwin/site.yaml", "127.0.0.1", True)
    assert not re.search("PASSWORD|SECRET|postgresql://", UNIT)


def test_the_bridges_unit_starts_it_where_the_service_asks():
    command = shlex.split(re.search(r"^ExecStart=(.+)$", BRIDGE, re.MULTILINE).group(1))
    given = understood(command[1:])
    assert f"--bridge {given['listen']}" in BRIDGE
    assert str(given["listen"]).startswith("/run/jouletwin/")


@pytest.mark.parametrize("unit", ["jouletwin", "jouletwin-bridge"])
def test_systemd_finds_nothing_wrong_with_the_units(unit, tmp_path):
    program, text = shutil.which("systemd-analyze"), (DEPLOY / f"{unit}.service").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"\[\w+\]|[A-Za-z]+=.*", line) for line in lines)
    if program is not None:
        file = tmp_path / f"{unit}.service"
        file.write_text(text.replace("/opt/jouletwin/.venv/bin/jouletwin", sys.executable))
        done = subprocess.run([program, "verify", "--man=no", file], capture_output=True, text=True)
        assert f"{unit}.service" not in done.stderr, done.stderr


def test_the_image_starts_what_there_is():
    entry, command = (re.search(rf"^{word} (\[.+\])$", IMAGE, re.MULTILINE).group(1) for word in ("ENTRYPOINT", "CMD"))
    assert yaml.safe_load(entry) == ["jouletwin"]
    given = understood(yaml.safe_load(command))
    assert (given["host"], given["port"]) == ("0.0.0.0", 8700)  # noqa: S104 # inside the container
    assert "EXPOSE 8700" in IMAGE
    assert re.search(r"USER jouletwin\n", IMAGE)


def test_compose_parts_are_processes_of_ours_on_one_store():
    service, worker, bridge = (COMPOSE["services"][name] for name in ("service", "worker", "bridge"))
    asked, kept = understood(service["command"].split()), understood(bridge["command"].split())
    assert asked["worker"] is False
    assert (asked["bridge"], asked["site"], asked["mode"]) == (kept["listen"], kept["site"], kept["mode"])
    assert service["volumes"] == bridge["volumes"]
    understood(worker["command"].split())
    assert service["environment"] == worker["environment"]
    assert set(service["environment"]) == {"JOULETWIN_STORE"}
    assert set(service["volumes"]) & set(worker["volumes"]) == {"kept:/srv/jouletwin/.jouletwin"}
    assert service["ports"] == ["127.0.0.1:8700:8700"]
    for part in (service, worker, bridge):
        assert (DEPLOY / part["build"]["context"] / part["build"]["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    assert not re.search(r"PASSWORD: (?!\$)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["serve", "worker", "bridge"])
def test_every_option_has_its_line(name):
    missing = {word for word in options(name) if not re.search(rf"`{word}[ `|\\]", CONFIGURATION)}
    assert not missing
    told = set(re.findall(r"`(--[a-z-]+)", CONFIGURATION))
    assert told <= options("serve") | options("worker") | options("bridge")


def test_every_variable_has_its_line():
    told = set(re.findall(r"JOULETWIN_[A-Z_]+", CONFIGURATION))
    source = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "service").rglob("*.py"))
    read = set(re.findall(r'"(JOULETWIN_[A-Z_]+[A-Z])"', source))
    needed = re.search(r"NEEDED = \((.+)\)", source).group(1)
    read |= {f"JOULETWIN_OIDC_{n}" for n in re.findall(r'"(\w+)"', needed)}
    read |= {f"JOULETWIN_OIDC_{n}" for n in re.findall(r"\{PREFIX\}([A-Z_]+)", source)}
    assert read == told


def test_every_revision_of_the_store_is_in_the_notes():
    notes = (DOCS / "service.md").read_text(encoding="utf-8")
    revisions = [p.name[1:5] for p in (ROOT / "service" / "store" / "migrations" / "versions").glob("v*.py")]
    assert [r for r in sorted(revisions) if not re.search(rf"^\|[^|]*\b{r}\b", notes, re.MULTILINE)] == []
