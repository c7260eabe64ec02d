"""What one BQ76952 can not do, and what a stack of two can not: sentences that say what to do.

Imported when settings change. Sources: SLUUBY2B (16 inputs, three thermistor pins), and the
85 V that no pin of it may exceed, while a stack has twice as many (docs/measuring-chips.md).
"""

_CELLS = 16  # of one chip
_FEWEST = 3
_CHIPS = 2
_SENSORS = 3
_CONTACTOR = 2  # choice of the parameter power_path
_LOW_SIDE = 1  # choice of fet_side
# A step with CRC takes 25 ms on an RP2040 (host_tests/bench/operations.py); twice that leaves half
# of the time to everything else.
_STEP_MS = 50


def single_problems(value):
    """Why one BQ76952 is not enough; `value` gives a parameter's proposed value by name."""
    found = []
    if value("series_cells") > _CELLS:
        found.append(
            "'series_cells' is %d, and a BQ76952 has %d inputs: choose 'afe_chip' bq76952_stack "
            "for two of them" % (value("series_cells"), _CELLS)
        )
    if value("cell_thermistors") > _SENSORS:
        found.append(
            "'cell_thermistors' is %d, and a BQ76952 has pins for %d"
            % (value("cell_thermistors"), _SENSORS)
        )
    return found


def stack_problems(board, value):
    """Why this board can not guard such a pack with a stack of two BQ76952."""
    found = []
    if not board.UPPER_AFE_TRIPS_OPEN_GATES:
        found.append(
            "'afe_chip' is bq76952_stack, but board '%s' declares no wire from the upper chip's "
            "DCHG and DDSG pins to the switches: its own trips would open nothing "
            "(docs/measuring-chips.md)" % board.NAME
        )
    if "current_sensor" in board.LACKS:
        found.append("board '%s' has no second I2C bus for the upper chip of a stack" % board.NAME)
    if value("series_cells") < _CHIPS * _FEWEST:
        found.append(
            "'series_cells' is %d: each chip of a stack needs %d cells; choose 'afe_chip' bq76952"
            % (value("series_cells"), _FEWEST)
        )
    if value("cell_thermistors") < _CHIPS:
        found.append("'cell_thermistors' is 1: each chip of a stack needs a sensor of its own")
    if value("power_path") == _CONTACTOR or value("fet_side") != _LOW_SIDE:
        found.append(
            "a stack of chips drives switches on the low side only: set 'fet_side' low, and "
            "'power_path' to one of FETs"
        )
    if value("step_period_ms") < _STEP_MS:
        found.append(
            "'step_period_ms' is %d: with two chips a step needs %d"
            % (value("step_period_ms"), _STEP_MS)
        )
    for setting in ("predischarge", "current_sensor"):
        if value(setting):
            found.append("'%s' is set, but does not go with a stack of chips" % setting)
    return found
