"""The registers of a BQ76952 that are read again and again, and where in them things stand.

Goals: few transactions, and values that belong together come in one of them (two reads of one byte
gave 0x0D00 for 0x0CFF, E2E 1328137). The sample and the start-up self-test share the buffers.
Limits: called from the fast path only; allocates nothing after construction. Says what the chip
says, in its units; what it means is the reader's matter.
Sources: afe.md section 2.
"""

STATUS = 0x02  # 18 bytes: safety alerts and status, permanent failures, battery status
ALERT_A = 0x02 - STATUS
SAFETY_A = 0x03 - STATUS
SAFETY_B = 0x05 - STATUS
SAFETY_C = 0x07 - STATUS
FAILURE_A = 0x0B - STATUS
FAILURE_B = 0x0D - STATUS
FAILURE_C = 0x0F - STATUS
FAILURE_D = 0x11 - STATUS
BATTERY = 0x12 - STATUS
VOLTAGES = 0x14  # 38 bytes: 16 cells, stack, PACK pin, LD pin
STACK = 0x34 - VOLTAGES
PACK = 0x36 - VOLTAGES
LD = 0x38 - VOLTAGES
ALARM = 0x62  # 30 bytes: alarms, temperatures, gates
DIE = 0x68 - ALARM
TS1 = 0x70 - ALARM
HDQ = 0x76 - ALARM
FETS = 0x7F - ALARM
_LAST_INPUT = 15  # cell 16 is always present (afe.md section 4, VCell mode)

# Battery status, low byte
CFGUPDATE = 0x01
POR = 0x08  # RAM is at its defaults; cleared by leaving CONFIG_UPDATE
WD = 0x10  # the chip's previous reset came from its own watchdog; only the next reset clears it

FULLSCAN = 0x80  # alarm status: cells, temperatures and the other voltages are new
SCANS = 0x82  # FULLSCAN, ADSCAN (cells)

_USER_MV = 10  # userV, see DA configuration
_KELVIN_DC = 2731  # 0 C in 0.1 K


class Registers:
    """Buffers for the registers of the chip on `link`, and readings from them."""

    def __init__(self, link):
        self.status = bytearray(18)
        self.voltages = bytearray(38)
        self.alarm = bytearray(30)
        self._link = link
        self._pair = bytearray(2)

    def read(self):
        """Read everything; False if the link failed, which knows why.

        The alarms come first, so that the cells are at least as new as the scan they tell of.
        """
        link = self._link
        return (
            link.read_into(ALARM, self.alarm)
            and link.read_into(STATUS, self.status)
            and link.read_into(VOLTAGES, self.voltages)
        )

    def clear_alarms(self, low, high):
        """Write the bits set here as ones, which clears them. False if the link failed."""
        self._pair[0] = low
        self._pair[1] = high
        return self._link.write(ALARM, self._pair)

    def cell_mv(self, cell, cells):
        """Voltage of one of `cells` cells: on the lowest inputs, the last one on input 16."""
        return signed(self.voltages, 2 * (_LAST_INPUT if cell == cells - 1 else cell))

    def voltage_mv(self, place):
        """Voltage at STACK, PACK or LD."""
        return _USER_MV * signed(self.voltages, place)

    def temperature_dc(self, place):
        """Temperature at DIE, TS1 (the next sensors 2 and 4 further) or HDQ."""
        return signed(self.alarm, place) - _KELVIN_DC


def signed(view, at):
    """Signed 16 bits by hand: `int.from_bytes` ignores the sign in MicroPython."""
    value = view[at] | view[at + 1] << 8
    return value - 0x10000 if value & 0x8000 else value
