"""Which CAN controller the board has: only the driver of that one is imported. For the start."""

from bms.table import give_back


def controller(board, choice):
    """The processor's own where the board has a transceiver at it and the running MicroPython has
    machine.CAN; else an MCP2515, drained by its interrupt line where the board has that.
    `choice(name)` is what a setting says."""
    give_back("starting.can")  # this one: it has done its work when it returns
    bitrate_kbit = int(choice("can_bitrate_kbit"))
    make = board.native_can()
    if make is not None:
        from canbus.native import NativeCan

        return NativeCan(make, bitrate_kbit)
    spi, select, oscillator_hz = board.can_bus()
    interrupt = board.can_interrupt()
    if interrupt is None:
        from canbus.mcp2515 import MCP2515

        return MCP2515(spi, select, bitrate_kbit, oscillator_hz)
    from canbus.mcp2515_drained import DrainedMCP2515

    return DrainedMCP2515(spi, select, interrupt, bitrate_kbit, oscillator_hz)
