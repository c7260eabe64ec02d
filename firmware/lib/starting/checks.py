"""Why a board can not guard a pack with some settings. Imported when settings change."""

from bms.parameter_table import Proposed
from bms.table import give_back

_CONTACTOR = 2  # choice of the parameter power_path
_INPUTS = (0, 5, 10, 15, 0)  # of a BQ769x0, by the parameter afe_chip; 0: it is a BQ76952
_STACK = 4  # of two BQ76952, choice of afe_chip


def board_problems(board, parameters, values):
    """Sentences about what the proposed `values` of `parameters` ask of this board in vain."""
    value = Proposed(parameters, values).value
    refused = _chip_problems(board, parameters, values, _INPUTS[value("afe_chip")])
    contactor = value("power_path") == _CONTACTOR
    if contactor and not board.AFE_TRIPS_OPEN_CONTACTORS:
        refused.append(
            "'power_path' is contactor, but board '%s' has no wire from the measuring chip's "
            "DCHG and DDSG pins to the coils: its own trips would open nothing" % board.NAME
        )
    if contactor and not (value("contactor_aux") or value("contactor_bleed_s")):
        refused.append(
            "'power_path' is contactor, but nothing would show a welded one: fit auxiliary "
            "contacts and set 'contactor_aux', or a bleed resistor and 'contactor_bleed_s'"
        )
    for setting in board.LACKS:
        if value(setting):
            refused.append(
                "'%s' is set, but board '%s' has nothing for it" % (setting, board.NAME)
            )
    if contactor or value("predischarge"):
        from bms import precharge

        problem = precharge.problem(Proposed(parameters, values))
        if problem:
            refused.append(problem)
    if value("current_sensor"):
        from afe import ina228

        refused += ina228.problems(parameters, values)
    return refused


def _chip_problems(board, parameters, values, inputs):
    if inputs:
        from afe import bq769x0_layers

        refused = bq769x0_layers.problems(parameters, inputs, values)
        give_back("afe.bq769x0_layers")  # until the next change
        if not board.OFF_LINES_HOLD_GATES:
            refused.append(
                "'afe_chip' has no host watchdog, and board '%s' does not say that its off "
                "lines hold the gates off without the processor: docs/measuring-chips.md"
                % board.NAME
            )
        return refused
    from afe import bq76952_layers, stack_limits

    refused = bq76952_layers.problems(parameters, values)
    value = Proposed(parameters, values).value
    if value("afe_chip") == _STACK:
        refused += stack_limits.stack_problems(board, value)
    else:
        refused += stack_limits.single_problems(value)
    give_back("afe.bq76952_layers")
    give_back("afe.stack_limits")
    return refused
