"""The demo as processes: it starts, ends cleanly however it is ended, and says in words why it cannot start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from typer.testing import CliRunner

from service.cli import app
from service.emulation import TimeScale

ROOT = Path(__file__).parents[2]


def start(*arguments):
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process, pattern):
    lines = []
    for line in process.stdout:
        lines.append(line)
        found = re.search(pattern, line)
        if found:
            return found.group(1)
    raise AssertionError("it ended: " + "".join(lines))


def gone(pid, within_s=120.0):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def alarm_of(address, device, state, within_s=240.0):
    """Wait until a device's alarm stands in a state, and return it."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        alarms = httpx.get(address + "api/v1/alarms", timeout=120).json()["items"]
        found = [a for a in alarms if (a["source"], a["place"], a["state"]) == ("device", device, state)]
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no {state} alarm of {device}: {alarms}")


def type_in(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def test_the_demo_serves_its_page_loses_a_device_finds_it_again_and_ends_without_a_trace():
    demo = start("demo", "--port", "0")
    plant = int(said(demo, r"in process (\d+)"))
    address = said(demo, r"(http://127\.0\.0\.1:\d+/)")
    assert httpx.get(address + "api/v1/health", timeout=120).json()["plant"] == "emulated"
    assert httpx.get(address, timeout=120).status_code == 200
    until = time.monotonic() + 240
    while httpx.get(address + "api/v1/snapshot", timeout=120).status_code == 503 and time.monotonic() < until:
        time.sleep(0.2)
    type_in(demo, "unplug wind")
    alarm = alarm_of(address, "wind", "unacknowledged")
    assert alarm["active"]
    assert "wind" in httpx.get(address + "console/events?lang=en", timeout=120).text
    type_in(demo, "plug wind")
    assert alarm_of(address, "wind", "returned")["id"] == alarm["id"]
    demo.send_signal(signal.SIGTERM)
    rest = demo.communicate(timeout=240)[0]
    assert demo.returncode == 0, rest
    assert "All ended" in rest
    assert "Traceback" not in rest
    assert gone(plant)


def test_a_killed_demo_leaves_no_plant_behind():
    demo = start("demo", "--port", "0")
    plant = int(said(demo, r"in process (\d+)"))
    demo.kill()
    demo.communicate(timeout=120)
    assert gone(plant)


def test_a_port_in_use_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = CliRunner().invoke(app, ["demo", "--port", str(taken.getsockname()[1])])
    assert done.exit_code == 2
    assert "cannot be used" in done.output
    assert "--port" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_journal_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    journal = tmp_path / "file" / "here" / "journal.sqlite"
    done = CliRunner().invoke(app, ["serve", "--port", "0", "--journal", str(journal)])
    assert done.exit_code == 2
    assert "--journal" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_report_that_cannot_be_written_is_told_before_the_work(tmp_path):
    done = CliRunner().invoke(app, ["demo", "--once", "--json", str(tmp_path / "none" / "out.json")])
    assert done.exit_code == 2
    assert "--json" in done.output


def test_a_time_scale_survives_the_way_through_a_pipe():
    told = TimeScale.beginning(datetime(2015, 7, 14, 22, 0, tzinfo=UTC), 144.0)
    assert TimeScale.of(str(told)) == told
    assert TimeScale.of("grid 127.0.0.1:15020 unit 1 pcc_meter") is None
