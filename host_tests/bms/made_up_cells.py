"""A cell that is easy to compute by hand, for tests of what uses bms.cell_model."""

RAMP = [28000 + 40 * percent for percent in range(101)]  # 2.8 V to 3.2 V, 4 mV a percent


def ramp_cell(**changes):
    """A cell with a straight curve of 4 mV a percent and 2 mV between its branches."""
    cell = {
        "name": "ramp",
        "source": "made up",
        "chemistry": "lfp",
        "validated": False,
        "capacity_mah": 2000,
        "ocv_charge_dmv": [value + 10 for value in RAMP],
        "ocv_discharge_dmv": [value - 10 for value in RAMP],
        "ocv_uv_per_k": [100] * 21,
        "hysteresis_bp": 500,
        "r0_temperature_dc": [0, 250, 450],
        "r0_uohm": [30000, 10000, 8000],
        "rc_tau_s": [30, 900],
        "rc_permille": [500, 800],
        "error_dmv": 50,
    }
    cell.update(changes)
    return cell
