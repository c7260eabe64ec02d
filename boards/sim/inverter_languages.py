"""What simulated inverters say and understand on CAN, by family.

Written from inverter_can.md (sections 1.1 to 1.5), not from our encoder: a reader of its own. Each
family takes from the frames what its document lets it take, and nothing else; what it may not
take it drops and keeps what it had, as a Sunny Island does.
`says`: (identifier, bytes) that it sends once a second. `hear(inverter, identifier, data)` sets
the limits of an Inverter. `standby(inverter)`: whether it does nothing at the moment.
"""


def _u16(data, at):
    return data[at] | data[at + 1] << 8


def _s16(data, at):
    value = _u16(data, at)
    return value - 0x10000 if value & 0x8000 else value


def _big(data, at):
    return data[at] << 8 | data[at + 1]


class Pylontech:
    """Section 1.1: limits in 0x351, what is allowed in 0x35C; after 3 s the battery is lost."""

    says = ((0x305, bytes(8)),)
    silence_us = 3000000

    def hear(self, inverter, identifier, data):
        if identifier == 0x351 and len(data) >= 6:
            inverter.charge_limit_v = _u16(data, 0) / 10
            inverter.charge_limit_a = max(0, _s16(data, 2)) / 10
            inverter.discharge_limit_a = max(0, _s16(data, 4)) / 10
            inverter.heard_limits()
        elif identifier == 0x35C and data:
            inverter.charge_enabled = bool(data[0] & 0x80)
            inverter.discharge_enabled = bool(data[0] & 0x40)

    def standby(self, inverter):
        return False


class Venus(Pylontech):
    """Section 1.3: currents alone say what is allowed; an alarm does not stop it."""

    says = ((0x305, bytes(8)), (0x307, b"\x12\x34\x56\x78VIC\0"))

    def hear(self, inverter, identifier, data):
        if identifier == 0x351:
            super().hear(inverter, identifier, data)
            inverter.charge_enabled = inverter.charge_limit_a > 0
            inverter.discharge_enabled = inverter.discharge_limit_a > 0


class Sma:
    """Section 1.2: values out of range are dropped, any alarm means standby until it is cleared,
    60 s without 0x355 or 0x351 as well. dropped: frames that had something it does not take.
    """

    says = ((0x305, b"\x14\x02\x00\x00\xe6\x00\xf4\x01"), (0x306, b"\x64\x00\x0a\x03\0\0\x14\x02"))
    silence_us = 60000000

    def __init__(self):
        self.alarms = 0  # raised pairs of bytes 0 to 3, bit by number of the pair
        self.dropped = 0
        self.soc = None
        self._soc_us = 60000001  # since a state of charge that it takes

    def hear(self, inverter, identifier, data):
        if identifier == 0x351 and len(data) == 8:
            self._hear_limits(inverter, data)
        elif identifier == 0x355 and len(data) >= 4:
            if _u16(data, 0) <= 100:
                self.soc = _u16(data, 0)
                self._soc_us = 0
            else:
                self.dropped += 1
        elif identifier == 0x35A and len(data) == 8:
            for pair in range(16):
                code = data[pair // 4] >> 2 * (pair % 4) & 3
                if code == 1:
                    self.alarms |= 1 << pair
                elif code == 2:
                    self.alarms &= ~(1 << pair)

    def _hear_limits(self, inverter, data):
        voltage_dv, charge_da, discharge_da = _u16(data, 0), _s16(data, 2), _s16(data, 4)
        fits = 410 <= voltage_dv <= 630 and 410 <= _u16(data, 6) <= 480
        if not fits or not 0 <= charge_da <= 12000 or not 0 <= discharge_da <= 12000:
            self.dropped += 1
            return
        inverter.charge_limit_v = voltage_dv / 10
        inverter.charge_limit_a = charge_da / 10
        inverter.discharge_limit_a = discharge_da / 10
        inverter.charge_enabled = charge_da > 0
        inverter.discharge_enabled = discharge_da > 0
        inverter.heard_limits()

    def pass_time(self, elapsed_us):
        self._soc_us = min(self._soc_us + elapsed_us, 60000001)

    def standby(self, inverter):
        return bool(self.alarms) or self._soc_us > 60000000


class Growatt:
    """Section 1.5: big endian; it asks, and takes what comes then."""

    says = ((0x301, b"\x11\x22\x33\x44\x55\x66\x77\x88"),)
    silence_us = 5000000

    def hear(self, inverter, identifier, data):
        if identifier == 0x311 and len(data) == 8:
            inverter.charge_limit_v = _big(data, 0) / 10
            inverter.charge_limit_a = _big(data, 2) / 10
            inverter.discharge_limit_a = _big(data, 4) / 10
            inverter.heard_limits()
        elif identifier == 0x319 and len(data) == 8:
            inverter.charge_enabled = bool(data[0] & 0x80)
            inverter.discharge_enabled = bool(data[0] & 0x40)

    def standby(self, inverter):
        return False


class BydHv:
    """Section 1.4: big endian; asks who is there until it heard the name, then once a minute."""

    silence_us = 10000000

    def __init__(self):
        self.named = False

    @property
    def says(self):
        asks = b"\0" if self.named else b"\x01"
        return ((0x151, asks + b"FRONIUS"), (0x091, b"\x02\x14\x00\x00\x00\xfa\0\0"))

    def hear(self, inverter, identifier, data):
        if identifier == 0x2D0:
            self.named = data[1:4] == b"BYD"
        elif identifier == 0x110 and len(data) == 8:
            inverter.charge_limit_v = _big(data, 0) / 10
            inverter.discharge_limit_a = _big(data, 4) / 10
            inverter.charge_limit_a = _big(data, 6) / 10
            inverter.charge_enabled = inverter.charge_limit_a > 0
            inverter.discharge_enabled = inverter.discharge_limit_a > 0
            inverter.heard_limits()

    def standby(self, inverter):
        return not self.named


# By the choice of the parameter inverter_profile: none, pylontech, pylontech_v13, victron, sma,
# byd_lv, byd_hv, growatt_lv, goodwe_lv, deye_lv, solark, luxpower, sofar, solis, seplos, auto
BY_PROFILE = (
    Pylontech, Pylontech, Venus, Venus, Sma, Venus, BydHv, Growatt, Sma, Pylontech, Pylontech,
    Pylontech, Pylontech, Sma, Pylontech, Pylontech,
)  # fmt: skip
