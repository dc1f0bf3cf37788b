import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from hil.bridge import Bridge, Mode
from hil.bridge.fence import Fence
from hil.clocks import RealClock
from models.errors import SetupError
from models.site import Device

ENGINE = Device(id="chp", asset="chp", map="gas_engine_chp", port=15020)
BATTERY = Device(id="battery", asset="battery", map="sunspec_battery", port=15021)
METER = Device(id="grid", asset="grid", map="janitza_umg604", port=15022)
HOLDER = """
import sys
from hil.bridge.fence import Fence
from models.site import Device
fence = Fence([Device(id="chp", asset="chp", map="gas_engine_chp", port=15020)])
print("held", flush=True)
sys.stdin.read()
"""


def bridge(site, journal, mode=Mode.AUTO):
    return Bridge(site, RealClock(), journal, mode=mode)


def test_a_second_bridge_with_a_journal_of_its_own_is_kept_from_the_same_devices(small_site, tmp_path):
    async def scenario():
        first = bridge(small_site(ENGINE, BATTERY), tmp_path / "a.sqlite")
        with pytest.raises(
            SetupError, match=r"writes to chp \(127.0.0.1:15020, unit 1\), battery .*15021.*shadow or off"
        ):
            bridge(small_site(ENGINE, BATTERY), tmp_path / "b.sqlite")
        await first.close()
        await bridge(small_site(ENGINE), tmp_path / "b.sqlite").close()

    asyncio.run(scenario())


def test_who_was_kept_out_holds_nothing(small_site, tmp_path):
    """Neither the journal nor the devices that were free stay taken."""

    async def scenario():
        first = bridge(small_site(ENGINE), tmp_path / "a.sqlite")
        with pytest.raises(SetupError):
            bridge(small_site(BATTERY, ENGINE), tmp_path / "b.sqlite")
        await bridge(small_site(BATTERY), tmp_path / "b.sqlite").close()
        await first.close()

    asyncio.run(scenario())


def test_who_only_looks_is_let_in(small_site, tmp_path):
    async def scenario():
        first = bridge(small_site(ENGINE, METER), tmp_path / "a.sqlite")
        for mode in (Mode.OFF, Mode.SHADOW):
            await bridge(small_site(ENGINE), tmp_path / f"{mode}.sqlite", mode).close()
        await bridge(small_site(METER), tmp_path / "meters.sqlite").close()
        with pytest.raises(SetupError):
            bridge(small_site(ENGINE), tmp_path / "b.sqlite", Mode.ADVISE)
        await first.close()

    asyncio.run(scenario())


def test_another_unit_behind_the_same_gateway_is_another_device():
    first = Fence([ENGINE])
    Fence([replace(ENGINE, unit_id=2)]).release()
    Fence([replace(ENGINE, port=15023)]).release()
    Fence([replace(ENGINE, host="127.0.0.2")]).release()
    first.release()


@pytest.mark.parametrize("host", ["localhost", "LocalHost.", "127.0.0.1", "127.1", "::1"])
def test_every_spelling_of_this_machine_is_the_same_device(host):
    first = Fence([ENGINE])
    with pytest.raises(SetupError):
        Fence([replace(ENGINE, host=host)])
    first.release()


def test_a_killed_process_holds_nothing():
    child = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(SetupError):
            Fence([ENGINE])
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        Fence([ENGINE]).release()
