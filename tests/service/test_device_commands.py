"""``device`` and ``chaos`` as a technician calls them: against real sockets, in a process of their own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
SERVER = """
import asyncio
from hil.maps import load_map
async def main():
    words = {}
    for c in load_map("sunspec_battery").constants:
        words.update({c.address + k: w for k, w in enumerate(c.words())})
    async def serve(reader, writer):
        while True:
            head = await reader.readexactly(7)
            body = await reader.readexactly(5)
            first, count = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            data = b"".join(words.get(a, 0).to_bytes(2, "big") for a in range(first, first + count))
            answer = bytes([body[0], len(data)]) + data
            if first in (40143, 0x4102):
                answer = bytes([body[0] | 0x80, 2])
            writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:] + answer)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@contextlib.contextmanager
def battery():
    child = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT
    )
    try:
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.fixture(scope="module")
def port():
    with battery() as found:
        yield found


def jouletwin(*arguments):
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=240, check=False)


def test_probe_lists_the_models_of_a_device(port):
    done = jouletwin("device", "probe", "127.0.0.1", "--port", port)
    assert done.returncode == 0, done.stderr
    assert "DER AC controls" in done.stdout
    assert "5 models" in done.stdout


def test_try_shows_raw_registers_and_says_which_point_is_refused(port):
    done = jouletwin("device", "try", "sunspec_battery", "127.0.0.1", "--port", port)
    assert done.returncode == 1
    assert "refused with exception 0x02" in done.stdout
    rated = next(line for line in done.stdout.splitlines() if "rated_kwh" in line)
    assert "40135" in rated
    assert "0000" in rated
    assert "good" in rated


def test_try_tells_an_unknown_map_and_a_silent_address():
    done = jouletwin("device", "try", "toaster", "127.0.0.1")
    assert done.returncode == 1
    assert "there is no such map" in done.stderr
    done = jouletwin("device", "probe", "127.0.0.1", "--port", "1", "--timeout", "0.3")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_chaos_stands_between_for_as_long_as_its_plan_says(port, tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"device: 127.0.0.1\nport: {port}\nseconds: 0.5\nfaults:\n  - {{kind: drop_reply}}\n")
    done = jouletwin("chaos", str(plan))
    assert done.returncode == 0, done.stderr
    assert f"leads to 127.0.0.1:{port}" in done.stdout
    assert "drop_reply" in done.stdout


def test_chaos_refuses_a_wrong_plan_with_every_finding(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("device: plant.example\nseconds: 5\nfaults:\n  - {kind: delay_reply, start_s: 9}\n")
    done = jouletwin("chaos", str(plan))
    assert done.returncode == 1
    assert "3 finding(s)" in done.stderr
    assert "--beyond-this-machine" in done.stderr
