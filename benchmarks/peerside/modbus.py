"""Independent Modbus programs: pyModbusTCP and pysunspec2 as clients of our devices, pyModbusTCP as a device for our bridge."""

from typing import Any

from pyModbusTCP.client import ModbusClient
from pyModbusTCP.server import ModbusServer
from serve import serve
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

SERVERS: list[ModbusServer] = []


def read_block(host: str, port: int, address: int, count: int) -> list[int] | None:
    """Read holding registers; None when the device refuses them."""
    client = ModbusClient(host=host, port=port, unit_id=1, timeout=2.0, auto_open=True, auto_close=True)
    found = client.read_holding_registers(address, count)
    return None if found is None else [int(w) for w in found]


def write_words(host: str, port: int, address: int, words: list[int]) -> bool:
    """Write holding registers, one by function 6, several by function 16."""
    client = ModbusClient(host=host, port=port, unit_id=1, timeout=2.0, auto_open=True, auto_close=True)
    if len(words) == 1:
        return bool(client.write_single_register(address, words[0]))
    return bool(client.write_multiple_registers(address, words))


def sunspec(host: str, port: int, charge_w: float) -> dict[str, Any]:
    """Scan a SunSpec battery, read scaled values, and set its power by model 704."""
    device = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=host, ipport=port, timeout=2)
    device.scan()
    controls, battery = device.models[704][0], device.models[802][0]
    controls.WSetMod.value, controls.WSetEna.value = 1, 1
    controls.WSet.cvalue = charge_w
    controls.write()
    controls.read()
    battery.read()
    found = {
        "models": [n for n in device.models if isinstance(n, int)],
        "set_w": controls.WSet.cvalue,
        "enabled": controls.WSetEna.value,
        "charge_percent": battery.SoC.cvalue,
        "refused": _refused(battery),
    }
    device.close()
    return found


def _refused(battery: Any) -> str:
    """Write a point that may only be read and return what the device makes of it."""
    try:
        battery.WHRtg.value = 1
        battery.WHRtg.write()
    except Exception as problem:  # the library raises a class of its own for every refusal; its words are the answer
        return str(problem)
    return ""


def start_device(words: dict[str, int]) -> int:
    """Start a pyModbusTCP server that shows some holding registers and return its port."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    server = ModbusServer(host="127.0.0.1", port=port, no_block=True)
    server.start()
    for address, word in words.items():
        server.data_bank.set_holding_registers(int(address), [word])
    SERVERS.append(server)
    return port


def held(address: int, count: int) -> list[int]:
    """Return what the device that was started last holds."""
    found = SERVERS[-1].data_bank.get_holding_registers(address, count)
    return [int(w) for w in found or []]


serve(
    {
        "read_block": read_block,
        "write_words": write_words,
        "sunspec": sunspec,
        "start_device": start_device,
        "held": held,
    }
)
