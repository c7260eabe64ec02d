"""The data memory of the simulated BQ76952: its addresses, widths and defaults.

The RAM copy that a host configures. A full reset brings the defaults back. There is no OTP: a chip
as bought has none programmed.

Defaults are those of SLUUBY2B. `_DEFAULTS` comes from afe.md section 4 or from the manual's page
for the register (GUID in the comment; the sibling manuals SLUUBY1B, SLUUCG7, SLUUCW9 share them).
`_DEFAULTS_UNVERIFIED` could not be read there: a host should configure what depends on it.
"""

from struct import pack_into, unpack_from

FIRST = 0x9180
SIZE = 0x0280
BLOCK_BYTES = 32  # afe.md section 1: a read returns 32 bytes

# Addresses that the model uses (afe.md section 4).
CELL_GAINS = 0x9180  # 16 of them
CC_GAIN = 0x91A8
CAPACITY_GAIN = 0x91AC
OFFSET_SAMPLES = 0x91C6
BOARD_OFFSET = 0x91C8
POWER_CONFIG = 0x9234
SLEEP_CURRENT = 0x9248
VOLTAGE_TIME = 0x924A
SLEEP_HYSTERESIS_TIME = 0x924D
PROTECTION_CONFIG = 0x925F
ENABLED_PROTECTIONS_A = 0x9261
CHARGE_FET_PROTECTIONS_A = 0x9265
DISCHARGE_FET_PROTECTIONS_A = 0x9269
DEFAULT_ALARM_MASK = 0x926D
SF_ALERT_MASK_A = 0x926F
BODY_DIODE_THRESHOLD = 0x9273
CUV_THRESHOLD = 0x9275
CUV_DELAY = 0x9276
COV_THRESHOLD = 0x9278
COV_DELAY = 0x9279
CUV_HYSTERESIS = 0x927B
COV_HYSTERESIS = 0x927C
COVL_LATCH_LIMIT = 0x927D
OCC_THRESHOLD = 0x9280
OCD1_THRESHOLD = 0x9282
OCD2_THRESHOLD = 0x9284
SCD_THRESHOLD = 0x9286
SCD_DELAY = 0x9287
OCC_RECOVERY_THRESHOLD = 0x9288
OCD_RECOVERY_THRESHOLD = 0x928D
OCDL_LATCH_LIMIT = 0x928F
SCD_RECOVERY_TIME = 0x9294
SCDL_LATCH_LIMIT = 0x9295
OTC_THRESHOLD = 0x929A
OTD_THRESHOLD = 0x929D
OTF_THRESHOLD = 0x92A0
OTINT_THRESHOLD = 0x92A3
UTC_THRESHOLD = 0x92A6
UTD_THRESHOLD = 0x92A9
UTINT_THRESHOLD = 0x92AC
RECOVERY_TIME = 0x92AF
OCC_PACK_TOS_DELTA = 0x92B0
HWD_DELAY = 0x92B2
LOAD_DETECT_ACTIVE = 0x92B4
LOAD_DETECT_RETRY = 0x92B5
LOAD_DETECT_TIMEOUT = 0x92B6
CFETOFF_PIN = 0x92FA
DFETOFF_PIN = 0x92FB
ALERT_PIN = 0x92FC
TS1_PIN = 0x92FD
HDQ_PIN = 0x9300
DCHG_PIN = 0x9301
DDSG_PIN = 0x9302
DA_CONFIG = 0x9303
VCELL_MODE = 0x9304
FET_OPTIONS = 0x9308
PREDISCHARGE_TIMEOUT = 0x930E
PREDISCHARGE_STOP_DELTA = 0x930F
OPEN_WIRE_CHECK_TIME = 0x9314
CB_CONFIG = 0x9335
CB_INTERVAL = 0x9339
MFG_STATUS_INIT = 0x9343

_DEFAULTS = (
    (CC_GAIN, "<f", 7.4768),  # SLUAA32A
    (CAPACITY_GAIN, "<f", 2230042.463),  # SLUAA32A
    (OFFSET_SAMPLES, "<H", 64),  # SLUAA32A
    (0x91D4, "<H", 0xFFFF),  # CUV threshold override, SLUUBY1B ...769020000067
    (POWER_CONFIG, "<H", 0x2982),
    (ENABLED_PROTECTIONS_A, "B", 0x88),
    (CHARGE_FET_PROTECTIONS_A, "B", 0x98),
    (0x9266, "B", 0xD5),  # CHG FET protections B, SLUUCG7 ...769020000082
    (0x9267, "B", 0x56),  # CHG FET protections C, SLUUCW9 GUID-39A80CA9
    (0x926B, "B", 0xE2),  # DSG FET protections C, SLUUCG7 ...769020000086
    (0x9270, "B", 0xF7),  # SF alert mask B, SLUUBY1B ...769020000104
    (BODY_DIODE_THRESHOLD, "<h", 50),
    (CUV_THRESHOLD, "B", 50),
    (CUV_DELAY, "<H", 74),
    (COV_THRESHOLD, "B", 86),
    (COV_DELAY, "<H", 74),
    (0x927E, "B", 10),  # COVL counter decay, SLUUCG7 ...769020000150
    (OCC_THRESHOLD, "B", 2),  # SLUUBY1B ...769020000171
    (0x9281, "B", 4),  # OCC delay, SLUUBY2B ...769020000184
    (0x9285, "B", 7),  # OCD2 delay, SLUUBY1B ...769020000178
    (SCD_DELAY, "B", 2),  # SLUUBY1B ...769020000180
    (OCC_RECOVERY_THRESHOLD, "<h", -200),  # SLUUBY1B ...769020000173
    (0x9290, "<BBh", (10, 15, 200)),  # OCDL decay: SLUUCG7 ...167; then SLUUBY1B ...187, ...188
    (OTC_THRESHOLD, "bBb", (55, 2, 50)),  # 55: SLUUBY1B ...769020000193; 2: SLUUCG7 ...175
    (OTF_THRESHOLD, "BBB", (80, 2, 65)),  # 80: SLUUBY1B ...769020000199; 2: SLUUCW9
    (UTD_THRESHOLD, "bBb", (0, 2, 5)),  # recovery 5: SLUUBY1B ...769020000210
    (RECOVERY_TIME, "B", 3),  # SLUUBY1B ...769020000214
    (OCC_PACK_TOS_DELTA, "<h", 200),  # SLUUBY1B ...769020000174
    (DA_CONFIG, "B", 0x05),
    (FET_OPTIONS, "B", 0x0D),
    (LOAD_DETECT_RETRY, "<BH", (50, 1)),  # SLUUCW9 GUID-3284D45D; SLUUCG7 ...769020000199
    (PREDISCHARGE_TIMEOUT, "BB", (5, 50)),  # SLUUCG7 ...104; SLUUBY1B ...769020000119
)

_DEFAULTS_UNVERIFIED = (
    (SLEEP_CURRENT, "<h", 20),  # mA
    (VOLTAGE_TIME, "B", 5),  # s
    (SLEEP_HYSTERESIS_TIME, "B", 10),  # s
    (DISCHARGE_FET_PROTECTIONS_A, "BB", (0xE4, 0xE6)),
    (DEFAULT_ALARM_MASK, "<H", 0xF800),
    (SF_ALERT_MASK_A, "B", 0xFC),
    (0x9271, "B", 0xF4),  # SF alert mask C
    (PROTECTION_CONFIG, "<H", 0x0002),
    (0x927F, "B", 15),  # COVL recovery time, s
    (0x9296, "<BBh", (10, 15, 200)),  # SCDL decay, recovery time, threshold
    (CUV_HYSTERESIS, "BB", (2, 2)),  # and COV hysteresis
    (OCD1_THRESHOLD, "BB", (4, 1)),  # and OCD1 delay
    (OCD2_THRESHOLD, "B", 3),
    (OCD_RECOVERY_THRESHOLD, "<h", 200),  # mA
    (SCD_RECOVERY_TIME, "B", 5),  # s
    (OTD_THRESHOLD, "bBb", (60, 2, 55)),
    (OTINT_THRESHOLD, "bBb", (85, 2, 80)),
    (UTC_THRESHOLD, "bBb", (0, 2, 5)),
    (UTINT_THRESHOLD, "bBb", (-20, 2, -15)),
    (HWD_DELAY, "<H", 60),  # s
    (TS1_PIN, "B", 0x07),
    (OPEN_WIRE_CHECK_TIME, "B", 5),  # s
    (CB_INTERVAL, "B", 20),  # s
    (MFG_STATUS_INIT, "<H", 0x0040),  # PF_EN, no FET_EN
)


class DataMemory:
    """The RAM registers from FIRST on. Addresses are those of the chip.

    trim: the cell gains that the factory found, which stand in for those that are 0.
    """

    def __init__(self, trim):
        self.trim = trim
        self._ram = bytearray(SIZE + BLOCK_BYTES)  # a block at the last address is whole
        self.reset()

    def reset(self):
        """Back to the defaults of an unprogrammed chip."""
        for i in range(len(self._ram)):
            self._ram[i] = 0
        for table in (_DEFAULTS, _DEFAULTS_UNVERIFIED):
            for address, form, value in table:
                if isinstance(value, tuple):
                    pack_into(form, self._ram, address - FIRST, *value)
                else:
                    pack_into(form, self._ram, address - FIRST, value)

    def holds(self, address):
        """True where the address belongs to the data memory."""
        return FIRST <= address < FIRST + SIZE

    def block(self, address, used=False):
        """The 32 bytes that a read at this address returns. `used`: outside of CONFIG_UPDATE,
        where cell gains read as those in use (SLUUBY1B ...DMEL-769020000001)."""
        ram = self._ram
        if used and address < CELL_GAINS + 2 * len(self.trim):
            ram = bytearray(ram)
            for i in range(len(self.trim)):
                pack_into("<H", ram, CELL_GAINS - FIRST + 2 * i, self.cell_gain(i))
        return ram[address - FIRST : address - FIRST + BLOCK_BYTES]

    def cell_gain(self, i):
        """Of input i, from 0: the one that is used."""
        return self.u16(CELL_GAINS + 2 * i) or self.trim[i]

    def write(self, address, data):
        """Change bytes, as a committed write does. What runs past the end is dropped."""
        for i in range(len(data)):
            if self.holds(address + i):
                self._ram[address - FIRST + i] = data[i]

    def u8(self, address):
        return self._ram[address - FIRST]

    def i8(self, address):
        return unpack_from("b", self._ram, address - FIRST)[0]

    def u16(self, address):
        return unpack_from("<H", self._ram, address - FIRST)[0]

    def i16(self, address):
        return unpack_from("<h", self._ram, address - FIRST)[0]

    def f32(self, address):
        return unpack_from("<f", self._ram, address - FIRST)[0]
