"""A meter on the loopback: real Modbus TCP in a thread of its own, registers that a test sets."""

import struct
import threading
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer

ADDRESS = 10
MAP = f"""format: jouletwin-map/1
name: small_meter
title: A meter with one value
source: made for tests
kinds: [meter]
points:
- {{quantity: electricity_kw, address: {ADDRESS}, type: float32, unit: kW, range: [-9000, 9000]}}
"""


class _Talk(BaseRequestHandler):
    def handle(self):
        while head := self._exactly(7):
            transaction, _, length, unit = struct.unpack(">HHHB", head)
            function, address, count = struct.unpack(">BHH", self._exactly(length - 1)[:5])
            if (function, address, count) == (3, ADDRESS, 2):
                body = struct.pack(">BBf", 3, 4, self.server.value_kw)
            else:
                body = bytes([function | 0x80, 2])
            self.request.sendall(struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body)

    def _exactly(self, count):
        found = b""
        while len(found) < count and (part := self.request.recv(count - len(found))):
            found += part
        return found if len(found) == count else b""


class Meter(ThreadingTCPServer):
    daemon_threads = True
    value_kw = 321.5

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Talk)

    @property
    def port(self):
        return self.server_address[1]


@contextmanager
def small_meter():
    """Give a meter that answers; :data:`MAP` describes it."""
    with Meter() as meter:
        thread = threading.Thread(target=meter.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield meter
        finally:
            meter.shutdown()
            thread.join()
