"""The parts of a pack that the settings choose: only what is chosen is imported. For the start."""

from bms.cell_model import CellModel
from bms.table import give_back

_CONTACTOR = 2  # choice of the parameter power_path
_INPUTS = (0, 5, 10, 15, 0)  # of a BQ769x0, by the parameter afe_chip; 0: it is a BQ76952
_STACK = 4  # of two BQ76952, choice of afe_chip
_BQ769X0_HZ = 100000  # its bus is no faster


def measuring_chip(board, parameters):
    """The driver, with that of a current sensor around it if there is one."""
    chip = _chip(board, parameters)
    if parameters.value("cell_sensor"):
        from afe.thermistors import true_sensors

        give_back("afe.thermistors")
        chip.sample_into = true_sensors(chip, parameters)
    if not parameters.value("current_sensor"):
        return chip
    from afe.ina228 import CurrentSensor, WithCurrentSensor

    return WithCurrentSensor(chip, CurrentSensor(board.sensor_bus(), parameters))


def taken(parameters):
    """Names of the points that show what the measuring chip took."""
    if _INPUTS[parameters.value("afe_chip")]:
        from afe.bq769x0_settings import TAKEN
    else:
        from afe.bq76952_settings import TAKEN
    return [name if name.startswith("afe_") else "afe_" + name for name in TAKEN]


def link_points():
    """Names of the points that show how the links are."""
    from links.point_names import POINTS

    give_back("links.point_names")
    return POINTS


def power_path(board, chip, parameters, faults):
    """What switches the current."""
    if parameters.value("power_path") != _CONTACTOR:
        from bms.switch import FetPath

        return FetPath(chip, board.charge_off, board.discharge_off, parameters, faults)
    from bms.contactor_path import ContactorPath

    contactors = board.contactors()
    return ContactorPath(
        chip, board.charge_off, board.discharge_off, contactors, parameters, faults
    )


def cell_model(parameters):
    """The builder's own, if there is one for this chemistry, else the built-in one."""
    from storage import cell_file

    row = parameters.index("chemistry")
    chemistry = parameters.choices(row)[parameters.values[row]]
    model, problem = cell_file.load("/cell.json", chemistry)
    if problem:
        print("%s; the built-in model is used instead" % problem)
    if model is None:
        name = "cells." + chemistry
        model = CellModel(__import__(name, None, None, ("CELL",)).CELL)
        give_back(name)
    give_back("storage.cell_file")
    return model


def relays(board, parameters):
    """What drives them, or None if there are none."""
    value = parameters.value
    if not (value("alarm_relay") or value("heater") or value("fan")):
        return None
    from bms.outputs import Outputs

    return Outputs(board.outputs(), parameters)


def _chip(board, parameters):
    """The measuring chip's driver; no other is imported."""
    crc = parameters.value("afe_crc") == 1
    inputs = _INPUTS[parameters.value("afe_chip")]
    if inputs:
        from afe.bq769x0 import Bq769x0

        return Bq769x0(board.afe_bus(_BQ769X0_HZ), parameters, inputs, crc)
    from afe.bq76952 import Bq76952

    chip = Bq76952(board.afe_bus(), parameters, crc)
    if parameters.value("afe_chip") != _STACK:
        return chip
    from afe.stack import Stack, split
    from bms.stack_bleeder import StackBleeder

    upper = Bq76952(board.upper_afe_bus(), parameters, crc)
    bleeder = StackBleeder(chip, upper, split(parameters.value("series_cells")))
    return Stack(chip, upper, parameters, bleeder)
