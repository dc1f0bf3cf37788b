"""Emulated devices: a plant with its own, deviating physics behind Modbus servers, or behind the plant's door in process."""
