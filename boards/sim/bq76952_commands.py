"""The sub-commands of the simulated BQ76952, one function each, and the tables that name them.

A function gets the chip and returns the answer for the transfer buffer, or None. Times are the
typical ones of afe.md section 1 (SLUAA11B); what it does not give takes TYPICAL_US.

PTO_RECOVER does nothing here, as on a chip where PTO is off (it can not be enabled in this model).
CB_ACTIVE_CELLS reads back the command, CBSTATUS1 the time since: of a balancing switch that never
turns on the chip knows nothing. What would need a model of its own raises NotImplementedError
instead of passing silently; unknown codes are ignored.
"""

from struct import pack, pack_into

from boards.sim import bq76952_gates as fets
from boards.sim.bq76952_protections import OCDL, SCDL

TYPICAL_US = 200  # afe.md section 1: a wait that works in the field

_PF_EN = 0x40


def _device_number(chip):
    return pack("<H", chip.device_number)


def _fw_version(chip):
    # SLUUBY2B GUID-20200911-BM0T-BGP3-MACT-769020000001: three words, big-endian.
    return pack(">HHH", chip.device_number, chip.firmware_version, chip.build_number)


def _hw_version(chip):
    return pack("<H", chip.hardware_version)


def _signature(chip):
    return pack("<H", chip.signature)


def _mfg_status(chip):
    return pack("<H", chip.mfg_status)


def _dastatus5(chip):
    # SLUUBY1B table 4-5 up to byte 15; byte 22 = CC1 from published drivers; 16 to 21 as the
    # manual's order goes on (min and average cell temperature, CC3).
    meter = chip.meter
    cells = [meter.cell_mv[i] for i in meter.measured_inputs]
    temperatures = meter.cell_temperatures_dk()
    average = sum(temperatures) // len(temperatures)
    current = meter.user_current()
    raw = meter.raw_current()
    return pack(
        "<hhhhhhhhhhhhii",
        chip.vreg18_counts,
        0,
        max(cells),
        min(cells),
        sum(cells) // 10,
        average,
        meter.fet_temperature_dk(),
        max(temperatures),
        min(temperatures),
        average,
        current,
        current,
        raw,
        raw,
    )


def _dastatus6(chip):
    # afe.md section 3: int32 userAh, uint32 fraction of 2**32, seconds. Then ADC counts, 0 here.
    charge = chip.meter.passed_charge()
    answer = bytearray(32)
    pack_into("<I", answer, 0, charge >> 32 & 0xFFFFFFFF)
    pack_into("<I", answer, 4, charge & 0xFFFFFFFF)
    pack_into("<I", answer, 8, chip.meter.passed_seconds() & 0xFFFFFFFF)
    return answer


def _reset_passq(chip):
    chip.reset_passed_charge()


def _reset(chip):
    chip.power_on_reset()


def _set_cfgupdate(chip):
    chip.enter_config_update()


def _exit_cfgupdate(chip):
    chip.leave_config_update()


def _toggle(bit):
    def toggle(chip):
        chip.mfg_status ^= bit

    return toggle


def _toggle_in_test_mode(bit):
    def toggle(chip):
        if not chip.mfg_status & fets.FET_EN:
            chip.mfg_status ^= bit

    return toggle


def _force_off(bits):
    def force(chip):
        chip.gates.force_off(chip.gates.host_off | bits)

    return force


def _all_fets_on(chip):
    chip.gates.force_off(0)


def _shutdown(chip):
    chip.shut_down()


def _sleep_enable(chip):
    chip.sleep_enabled = True


def _sleep_disable(chip):
    chip.sleep_enabled = False


def _active_cells(chip):
    return pack("<H", chip.balancing_inputs)


def _balancing_seconds(chip):
    return pack("<H", chip.balancing_seconds())


def _recover_latch(bit):
    def recover(chip):
        chip.protections.recover_latch(bit)

    return recover


def _load_detect(source_on):
    def switch(chip):
        chip.load.command(source_on)

    return switch


def _load_detect_restart(chip):
    chip.load.retry()


def _nothing(chip):
    return None


def _write_fet_control(chip, data):
    chip.gates.force_off(data[0] & fets.ALL_OFF)


def _write_active_cells(chip, data):
    chip.balance(data[0] | (data[1] << 8 if len(data) > 1 else 0))


# Code: (typical time in us, what it does). afe.md section 3.
COMMANDS = {
    0x0001: (TYPICAL_US, _device_number),
    0x0002: (TYPICAL_US, _fw_version),
    0x0003: (TYPICAL_US, _hw_version),
    0x0004: (8500, _signature),
    0x0005: (TYPICAL_US, _signature),
    0x0009: (TYPICAL_US, _signature),
    0x0010: (TYPICAL_US, _shutdown),
    0x0012: (TYPICAL_US, _reset),
    0x001C: (TYPICAL_US, _toggle_in_test_mode(fets.PDSG_TEST)),
    0x001F: (TYPICAL_US, _toggle_in_test_mode(fets.CHG_TEST)),
    0x0020: (TYPICAL_US, _toggle_in_test_mode(fets.DSG_TEST)),
    0x0022: (TYPICAL_US, _toggle(fets.FET_EN)),
    0x0024: (TYPICAL_US, _toggle(_PF_EN)),
    0x0057: (TYPICAL_US, _mfg_status),
    0x0075: (TYPICAL_US, _dastatus5),
    0x0076: (TYPICAL_US, _dastatus6),
    0x0082: (TYPICAL_US, _reset_passq),
    0x0083: (TYPICAL_US, _active_cells),
    0x0085: (TYPICAL_US, _balancing_seconds),
    0x008A: (TYPICAL_US, _nothing),
    0x0090: (2000, _set_cfgupdate),
    0x0092: (1000, _exit_cfgupdate),
    0x0093: (TYPICAL_US, _force_off(fets.DSG_OFF | fets.PDSG_OFF)),
    0x0094: (TYPICAL_US, _force_off(fets.CHG_OFF | fets.PCHG_OFF)),
    0x0095: (TYPICAL_US, _force_off(fets.ALL_OFF)),
    0x0096: (TYPICAL_US, _all_fets_on),
    0x0097: (TYPICAL_US, _nothing),
    0x0099: (TYPICAL_US, _sleep_enable),
    0x009A: (TYPICAL_US, _sleep_disable),
    0x009B: (TYPICAL_US, _recover_latch(OCDL)),
    0x009C: (TYPICAL_US, _recover_latch(SCDL)),
    0x009D: (TYPICAL_US, _load_detect_restart),
    0x009E: (TYPICAL_US, _load_detect(True)),
    0x009F: (TYPICAL_US, _load_detect(False)),
}

# Sub-commands that take data (afe.md section 1): they act when the length is written.
DATA_COMMANDS = {0x0097: _write_fet_control, 0x0083: _write_active_cells}

# Deep sleep, PCHG test, fuse, sealing, keys, saved PF, MANU_DATA, raw counts,
# snapshots, CB_SET_LVL, CBSTATUS2 and 3, REG12, OTP, PF_FORCE, other buses, calibration.
UNMODELLED = (
    0x000E,
    0x000F,
    0x001D,
    0x001E,
    0x0030,
    0x0035,
    0x0053,
    0x0070,
    0x0071,
    0x0072,
    0x0073,
    0x0074,
    0x0077,
    0x0080,
    0x0081,
    0x0084,
    0x0086,
    0x0087,
    0x0098,
    0x00A0,
    0x00A1,
    0x2857,
    0x29A3,
    0x29BC,
    0x29E7,
    0x7C35,
    0x7C40,
    0xF081,
    0xF090,
    0xF091,
)
