"""Hardware in the loop: register maps, the Modbus bridge, emulated devices and clocks."""
