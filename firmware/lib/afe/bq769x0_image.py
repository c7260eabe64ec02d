"""What a BQ769x0 was told and took: what the driver goes on needing of its settings.

`bq769x0_settings` computes it, and is in memory only while the chip is programmed.
"""

from array import array

from afe import bq769x0_registers as chip

# Places in `Image.taken`, in the order of bq769x0_settings.TAKEN.
OVERVOLTAGE_RELEASE = 2
UNDERVOLTAGE_RELEASE = 5
FAST_DISCHARGE = 6
_TAKEN_VALUES = 10
_REGISTERS = 6  # from PROTECT1 on


class Image:
    """registers: PROTECT1 to CC_CFG as they shall be. taken: in the order of
    bq769x0_settings.TAKEN.
    """

    def __init__(self):
        self.registers = bytearray(_REGISTERS)
        self.taken = array("i", [0] * _TAKEN_VALUES)
        self.shunt_microohm = 1
        # Calibration: see afe.bq76952_image. trim: the factory's gain and offset.
        self.offered = None
        self.offered_trim = 0
        self.corrections = None
        self.trim = 0
        self.fet_thermistor = 0  # whether the pin after the cells' sensors measures the switches

    def differs(self, control, of_dies):
        """Whether the registers read into `control` are not what they shall be, gates apart."""
        wanted = chip.ADC_EN if of_dies else chip.ADC_EN | chip.TEMP_SEL
        different = (control[chip.CONTROL_1] ^ wanted) & (chip.ADC_EN | chip.TEMP_SEL)
        different |= (control[chip.CONTROL_2] ^ chip.CC_EN) & (chip.CC_EN | chip.DELAY_DIS)
        for at in range(_REGISTERS):
            different |= control[chip.PROTECT_1 + at] ^ self.registers[at]
        return different != 0
