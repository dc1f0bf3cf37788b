"""A write as it goes over the wire: function, address, words; the same value is journalled, sent, shown in shadow mode and compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest, WriteSingleRegisterRequest

from hil.maps.types import Point


@dataclass(frozen=True, slots=True)
class WriteFrame:
    """One write request."""

    unit: int
    function: int
    address: int
    words: tuple[int, ...]

    def __str__(self) -> str:
        words = " ".join(str(w) for w in self.words)
        return f"function {self.function} unit {self.unit} address {self.address} = {words}"

    def on_wire(self, framer: str, transaction: int = 0) -> bytes:
        """Return the bytes that go out with this framing."""
        kind = FramerRTU if framer == "rtu" else FramerSocket
        request = self._request()
        request.transaction_id = transaction
        return kind(DecodePDU(False)).buildFrame(request)

    def _request(self) -> ModbusPDU:
        if self.function == 5:
            return WriteSingleCoilRequest(address=self.address, bits=[bool(self.words[0])], dev_id=self.unit)
        if self.function == 6:
            return WriteSingleRegisterRequest(address=self.address, registers=list(self.words), dev_id=self.unit)
        return WriteMultipleRegistersRequest(address=self.address, registers=list(self.words), dev_id=self.unit)


def write_frame(unit: int, point: Point, words: Sequence[int], *, fc16_only: bool = False) -> WriteFrame:
    """Return the request that writes ``words`` to a point: function 5 for coils, 6 for one register, 16 otherwise."""
    if point.table.is_bits:
        function = 5
    else:
        function = 6 if len(words) == 1 and not fc16_only else 16
    return WriteFrame(unit, function, point.address, tuple(words))
