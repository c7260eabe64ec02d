"""Bulk, absorption, float and back; requests; a voltage limit that follows the highest cell."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.charge_control import ABSORPTION, BULK, FLOAT, ChargeControl
from bms.limit_curves import PHASES, SIGNALS
from bms.points import PHASE_STALLED
from bms.table import INVALID
from host_tests.bms.bench import Bench, parameters_with

# Defaults of LiFePO4
CHARGE_MV, FLOAT_MV, FULL_MV, LOW_MV, EMPTY_MV, END_MV = 3500, 3375, 3450, 3300, 2900, 3000
ABSORPTION_S = 120 * 60
DAY_S = 86400
CELLS = 4
OLD = 100000  # s since the pack was full: a day and more


class Bed:
    """Charge control of four cells in a pack that a test moves by hand."""

    def __init__(self, **settings):
        self.parameters = parameters_with(settings)
        self.control = ChargeControl(self.parameters, CELLS)
        self.soc_bp = 9500
        self.full_age_s = OLD
        self.drop_mv = 0
        self.low_mv = self.high_mv = 3340
        self.mean_mv = None
        self.current_ma = 0

    def run(self, seconds, turn_ms=1000):
        for _ in range(int(seconds * 1000 / turn_ms)):
            values = {
                "cell_min_mv": self.low_mv,
                "cell_max_mv": self.high_mv,
                "pack_voltage_mv": self.mean_mv or (self.low_mv + self.high_mv) // 2,
                "soc_bp": self.soc_bp,
                "current_ma": self.current_ma,
            }
            signals = array("i", [values.get(name, 0) for name in SIGNALS])
            self.control.step(turn_ms, signals, self.drop_mv, self.full_age_s)
        return self

    def cells(self, low_mv, high_mv=None, mean_mv=None):
        self.low_mv, self.high_mv, self.mean_mv = low_mv, high_mv or low_mv, mean_mv
        return self

    @property
    def phase(self):
        return self.control.phase

    @property
    def cell_mv(self):
        return self.control.voltage_mv / CELLS


def absorbing(**settings):
    bed = Bed(**settings).cells(3490).run(1)
    assert bed.phase == ABSORPTION
    return bed


def floating(**settings):
    bed = absorbing(**settings)
    bed.full_age_s = 0
    bed.run(1)
    assert bed.phase == FLOAT
    bed.full_age_s = OLD
    return bed.cells(3360)


def test_the_words_are_those_of_the_phases():
    assert [PHASES[phase] for phase in (BULK, ABSORPTION, FLOAT, PHASE_STALLED)] == [
        "bulk",
        "absorption",
        "float",
        "stalled",
    ]


def test_it_begins_in_bulk_with_the_whole_voltage():
    bed = Bed()
    assert bed.phase == BULK
    assert bed.control.voltage_mv == CELLS * CHARGE_MV
    assert bed.control.full_charge_requested == bed.control.force_charge_requested == 0


@pytest.mark.parametrize(("high_mv", "phase"), [(FULL_MV - 1, BULK), (FULL_MV, ABSORPTION)])
def test_absorption_begins_where_a_cell_looks_full(high_mv, phase):
    """YAM#264: a charger that holds a little less than the limit never left bulk."""
    assert Bed().cells(3340, high_mv).run(1).phase == phase


@pytest.mark.parametrize(("low_mv", "phase"), [(3460, FLOAT), (3459, ABSORPTION)])
def test_absorption_ends_when_the_pack_is_full_and_its_cells_are_together(low_mv, phase):
    """jk-bms-can#35: the first full cell alone ended the charge."""
    bed = absorbing().cells(low_mv, 3490)
    bed.full_age_s = 0
    assert bed.run(1).phase == phase


@pytest.mark.parametrize(("age_s", "phase"), [(0, FLOAT), (59, FLOAT), (60, ABSORPTION),
                                              (-1, ABSORPTION)])  # fmt: skip
def test_full_is_what_the_state_of_charge_says_now(age_s, phase):
    bed = absorbing()
    bed.full_age_s = age_s
    assert bed.run(1).phase == phase


def test_absorption_ends_by_time_without_any_small_current():
    bed = absorbing().cells(3300, 3490)
    bed.run(ABSORPTION_S - 2)
    assert bed.phase == ABSORPTION
    assert bed.run(2).phase == FLOAT


@pytest.mark.parametrize(("high_mv", "phase"), [(FULL_MV - 20, FLOAT), (FULL_MV - 21, ABSORPTION)])
def test_only_time_at_the_top_counts(high_mv, phase):
    """Clouds: the voltage falls, and comes back."""
    bed = absorbing().cells(3400, high_mv)
    assert bed.run(ABSORPTION_S).phase == phase
    assert bed.cells(3400, 3490).run(ABSORPTION_S).phase == FLOAT


def test_each_bulk_gives_the_top_its_whole_time_again():
    bed = absorbing().run(ABSORPTION_S - 10)
    bed.soc_bp = 8499
    assert bed.cells(3330).run(1).phase == BULK
    bed.cells(3490).run(ABSORPTION_S - 10)
    assert bed.phase == ABSORPTION


@pytest.mark.parametrize("begin", [absorbing, floating])
@pytest.mark.parametrize(("soc_bp", "phase"), [(8499, BULK), (8500, None), (INVALID, None)])
def test_missing_charge_leads_back_to_bulk(begin, soc_bp, phase):
    bed = begin()
    stays = bed.phase
    bed.soc_bp = soc_bp
    bed.cells(3360).run(1)
    assert bed.phase == (stays if phase is None else phase)


@pytest.mark.parametrize("begin", [absorbing, floating])
def test_a_wrong_state_of_charge_does_not_lead_back_and_may_rise_first(begin):
    """Charge that is missing is counted from the most there was since the top."""
    bed = begin()
    stays = bed.phase
    for soc_bp in (9600, 10000, 9000):
        bed.soc_bp = soc_bp
        assert bed.cells(3360).run(1).phase == stays
    bed.soc_bp = 8999
    assert bed.run(1).phase == BULK
    low = Bed()
    low.soc_bp = 4000
    low.cells(3490).run(1)
    assert low.phase == ABSORPTION
    low.soc_bp = 100
    assert low.run(600).phase == ABSORPTION  # at the top it can not be empty
    assert low.cells(3429).run(1).phase == BULK


@pytest.mark.parametrize("begin", [absorbing, floating])
def test_a_low_voltage_for_five_minutes_leads_back_to_bulk_whatever_the_charge(begin):
    """YAM#260: float that never ended, because a wrong state of charge stayed at 100 %."""
    bed = begin()
    stays = bed.phase
    bed.soc_bp = 10000
    bed.cells(LOW_MV).run(299)
    assert bed.phase == stays
    bed.cells(LOW_MV + 1).run(1)
    bed.cells(LOW_MV).run(299)
    assert bed.phase == stays
    bed.run(1)
    assert bed.phase == BULK


def test_the_mean_cell_counts_not_the_lowest():
    bed = floating().cells(LOW_MV - 100, 3360, LOW_MV + 1).run(600)
    assert bed.phase == FLOAT


@pytest.mark.parametrize(("days", "age_days", "asked"), [(14, 14, 1), (14, 13.99, 0), (0, 900, 0)])
def test_a_full_charge_is_asked_for_when_the_last_one_is_old(days, age_days, asked):
    bed = Bed(full_charge_days=days).cells(3330)
    bed.full_age_s = int(age_days * DAY_S)
    assert bed.run(1).control.full_charge_requested == asked


def test_the_request_for_a_full_charge_leads_out_of_float_and_ends_when_it_is_full():
    bed = floating()
    bed.full_age_s = 14 * DAY_S
    bed.run(1)
    assert (bed.phase, bed.control.full_charge_requested) == (BULK, 1)
    bed.cells(3490).run(10)
    assert (bed.phase, bed.control.full_charge_requested) == (ABSORPTION, 1)
    bed.full_age_s = 0
    bed.run(1)
    assert (bed.phase, bed.control.full_charge_requested) == (FLOAT, 0)


def test_a_charger_that_can_not_fill_the_pack_is_asked_once_a_day():
    bed = absorbing()
    bed.full_age_s = 20 * DAY_S
    bed.run(ABSORPTION_S)
    assert bed.phase == FLOAT
    bed.cells(3360)
    assert bed.run(2).control.full_charge_requested == 0
    bed.run(DAY_S - 10, 10000)
    assert (bed.phase, bed.control.full_charge_requested) == (FLOAT, 0)
    bed.run(20, 10000)
    assert (bed.phase, bed.control.full_charge_requested) == (BULK, 1)


@pytest.mark.parametrize(("watched_s", "asked"), [(0, 0), (14 * DAY_S - 2, 0), (14 * DAY_S, 1)])
def test_a_pack_that_nobody_has_seen_full_is_asked_for_after_the_same_time(watched_s, asked):
    bed = Bed(full_charge_days=14)
    bed.full_age_s = -1 - watched_s
    assert bed.run(1).control.full_charge_requested == asked


@pytest.mark.parametrize(("soc_bp", "asked"), [(499, 1), (500, 0)])
def test_charging_is_asked_for_when_the_pack_is_nearly_empty(soc_bp, asked):
    bed = Bed().cells(3200)
    bed.soc_bp = soc_bp
    assert bed.run(1).control.force_charge_requested == asked


@pytest.mark.parametrize(
    ("soc_bp", "low_mv", "asked"),
    [(999, 3200, 1), (1000, 3200, 0), (1000, END_MV, 1), (1000, END_MV + 1, 0),
     (INVALID, 3200, 0), (INVALID, END_MV, 1)],
)  # fmt: skip
def test_the_request_to_charge_has_a_hysteresis(soc_bp, low_mv, asked):
    bed = Bed().cells(3200)
    bed.soc_bp = 499
    bed.run(1)
    bed.soc_bp = soc_bp
    assert bed.cells(low_mv).run(1).control.force_charge_requested == asked


def test_an_empty_cell_asks_for_charge_whatever_the_state_of_charge_says():
    bed = Bed().cells(EMPTY_MV, 3200).run(59)
    assert bed.control.force_charge_requested == 0
    bed.cells(EMPTY_MV + 1, 3200).run(1)
    bed.cells(EMPTY_MV, 3200).run(59)
    assert bed.control.force_charge_requested == 0
    assert bed.run(1).control.force_charge_requested == 1


# A charger that can not reach full

TAIL_MA, HALF_HOUR_S = 5000, 1800  # default of full_current_ma


def held(cell_mv=3380, **settings):
    """A charger has charged in earnest up to its own voltage, which is too low."""
    bed = Bed(**settings)
    for mv in (3340, 3360, cell_mv):
        bed.cells(mv - 10, mv + 10, mv).current_ma = 2 * TAIL_MA
        bed.run(60)
    assert bed.phase == BULK
    return bed


@pytest.mark.parametrize("current_ma", [0, -500, 1000, TAIL_MA - 1])
def test_a_charger_that_holds_the_cells_below_full_for_half_an_hour_has_stalled(current_ma):
    bed = held()
    bed.current_ma = current_ma
    assert bed.cells(3365, 3385, 3375).run(HALF_HOUR_S - 1).phase == BULK
    assert bed.run(1).phase == PHASE_STALLED
    assert bed.cell_mv == CHARGE_MV  # what it may apply is as before


@pytest.mark.parametrize("current_ma", [-501, TAIL_MA, 2 * TAIL_MA])
def test_with_a_load_or_a_charging_current_it_has_not(current_ma):
    bed = held()
    bed.current_ma = current_ma
    assert bed.run(3 * HALF_HOUR_S).phase == BULK


def test_the_half_hour_is_without_a_break():
    bed = held()
    for _ in range(3):
        bed.current_ma = 100
        bed.run(HALF_HOUR_S - 1)
        bed.current_ma = TAIL_MA
        assert bed.run(1).phase == BULK


def test_a_sun_that_sets_is_no_charger_that_holds():
    """Without the current the cells fall by its drop over their resistance: 10 A over 0.6 mohm."""
    bed = held().cells(3364, 3384, 3374)
    bed.current_ma = 100
    assert bed.run(3 * HALF_HOUR_S).phase == BULK


def test_a_charger_that_is_small_all_day_has_nothing_to_hold():
    bed = Bed().cells(3330, 3340)
    bed.current_ma = 2 * TAIL_MA - 1
    bed.run(60)
    bed.current_ma = 4000
    assert bed.run(3 * HALF_HOUR_S).phase == BULK


def test_a_stalled_charge_stays_in_sight_until_it_goes_on():
    bed = held()
    bed.current_ma = 100
    bed.run(HALF_HOUR_S)
    bed.current_ma = -20000
    bed.cells(3250)
    assert bed.run(12 * 3600, 60000).phase == PHASE_STALLED  # the night: somebody may look
    bed.current_ma = 2 * TAIL_MA
    assert bed.run(1).phase == BULK
    bed.cells(3370, 3390, 3380).run(60)
    bed.current_ma = 100
    bed.run(HALF_HOUR_S)
    assert bed.phase == PHASE_STALLED
    assert bed.cells(3430, 3450).run(1).phase == ABSORPTION


def test_after_a_full_charge_the_charger_is_looked_at_anew():
    bed = held()
    bed.cells(3440, 3470).run(1)
    assert bed.phase == ABSORPTION
    bed.soc_bp = 8000
    bed.cells(3385, 3385).current_ma = 100
    assert bed.run(2 * HALF_HOUR_S).phase == BULK


# The voltage limit


def test_it_falls_slowly_from_absorption_to_float_and_rises_again():
    """Field lesson 29: lowering it faster made a Deye discharge to the grid."""
    bed = absorbing()
    bed.full_age_s = 0
    bed.cells(3480).run(600)
    assert bed.cell_mv == pytest.approx(CHARGE_MV - 60, abs=0.2)  # 6 mV a minute
    bed.run(1200)
    assert bed.cell_mv == FLOAT_MV
    bed.full_age_s, bed.soc_bp = OLD, 5000
    bed.cells(3330).run(60)
    assert bed.cell_mv == pytest.approx(FLOAT_MV + 60, abs=1)  # 60 mV a minute
    bed.run(90)
    assert bed.cell_mv == CHARGE_MV


@pytest.mark.parametrize("high_mv", [3400, 3497, 3503])
def test_a_cell_at_its_limit_moves_nothing(high_mv):
    bed = Bed().cells(3400, high_mv).run(600)
    assert bed.cell_mv == CHARGE_MV


def test_a_cell_beyond_its_limit_lowers_the_voltage_to_what_the_pack_has():
    """The charger's current then ends, and the pack is hardly discharged for one cell's sake: a
    quarter of what that cell has too much."""
    bed = Bed().cells(3350, 3540, 3370)
    bed.run(8)
    assert bed.cell_mv == pytest.approx(CHARGE_MV - 40, abs=0.2)  # 40 mV of excess, 1/8 a second
    bed.run(60)
    assert bed.cell_mv == 3360
    bed.drop_mv = 15  # of this, a current makes a part
    bed.run(60)
    assert bed.cell_mv == 3345
    bed.drop_mv = -15  # discharging: the pack is higher than it looks
    bed.run(60)
    assert bed.cell_mv == pytest.approx(3375, abs=3)


def test_it_retreats_no_faster_than_the_setting():
    bed = Bed(charge_voltage_retreat_mv_s=2).cells(3350, 3640, 3370)
    for turn in range(1, 40):
        bed.run(1)
        assert bed.cell_mv == pytest.approx(CHARGE_MV - 2 * turn, abs=0.3)


def test_it_comes_back_slowly_when_the_cell_is_well_again():
    bed = Bed().cells(3350, 3540, 3370).run(60)
    bed.cells(3350, 3500, 3370).run(30)
    assert bed.cell_mv == pytest.approx(3370, abs=3)  # no longer below the pack
    first_mv = bed.cell_mv
    bed.cells(3350, 3468, 3370).run(30)
    assert bed.cell_mv == first_mv
    bed.run(64)
    assert bed.cell_mv - first_mv == pytest.approx(32, abs=4)  # 32 mV of room, 1/64 a second
    bed.run(600)
    assert bed.cell_mv == CHARGE_MV


@pytest.mark.parametrize("retreat", [1, 100])
def test_a_late_turn_makes_no_larger_step(retreat):
    bed = Bed(charge_voltage_retreat_mv_s=retreat).cells(3350, 3620, 3370)
    bed.run(60, 60000)
    assert CHARGE_MV - bed.cell_mv == pytest.approx(min(15, retreat), abs=0.3)
    bed = Bed().cells(3400)
    bed.full_age_s = 0
    bed.cells(3490)
    bed.run(120, 60000)
    assert CHARGE_MV - bed.cell_mv < 1


def test_a_late_turn_still_counts_its_time_at_the_top():
    bed = absorbing().cells(3300, 3490)
    bed.run(ABSORPTION_S, 60000)
    assert bed.phase == FLOAT


def test_a_smaller_setting_is_followed_at_once_and_a_larger_one_slowly():
    """Field lesson 36: 64.4 V stood against a maximum of 62.6 V."""
    bed = Bed(full_cell_mv=3400)
    bed.parameters.change([(bed.parameters.index("charge_cell_mv"), 3440)])
    bed.run(1)
    assert bed.cell_mv == 3440
    bed.parameters.change([(bed.parameters.index("charge_cell_mv"), 3500)])
    bed.run(1)
    assert 3440 < bed.cell_mv <= 3441
    bed.run(100)
    assert bed.cell_mv == 3500


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 3),
    st.lists(
        st.tuples(
            st.integers(-900, 500),
            st.integers(0, 400),
            st.integers(-60, 60),
            st.sampled_from([-1, 0, 30, OLD, 40 * DAY_S]),
            st.one_of(st.just(INVALID), st.integers(0, 10000)),
            st.sampled_from([0, 1, 1000, 1200, 7000, 500000]),
        ),
        min_size=1,
        max_size=60,
    ),
)
def test_whatever_happens_the_limit_is_bounded_and_its_steps_are(chemistry, turns):
    parameters = parameters_with({"chemistry": chemistry, "series_cells": 8})
    value = parameters.value
    control = ChargeControl(parameters, 8)
    most_mv = 8 * value("charge_cell_mv")
    for low, spread, drop_mv, age_s, soc_bp, elapsed_ms in turns:
        before_mv = control.voltage_mv
        low_mv = value("float_cell_mv") + low
        values = {
            "cell_min_mv": low_mv,
            "cell_max_mv": low_mv + spread,
            "pack_voltage_mv": low_mv + spread // 2,
            "soc_bp": soc_bp,
        }
        control.step(
            elapsed_ms, array("i", [values.get(name, 0) for name in SIGNALS]), drop_mv, age_s
        )
        assert 0 < control.voltage_mv <= most_mv
        assert control.voltage_mv % 8 in range(8)
        step_mv = (control.voltage_mv - before_mv) / 8
        assert -value("charge_voltage_retreat_mv_s") - 0.2 <= step_mv
        assert step_mv <= value("charge_voltage_rise_mv_min") / 60 + 0.2
        rest_mv = low_mv + spread // 2 - drop_mv
        if control.voltage_mv < before_mv and control.phase == BULK:
            assert control.voltage_mv >= min(before_mv, 8 * rest_mv) - 8 * (6 + spread)
        assert control.phase in (BULK, ABSORPTION, FLOAT, PHASE_STALLED)


# To the millisecond and the microvolt


def test_all_times_begin_at_nothing():
    control = Bed().control
    times = control._top_ms, control._low_ms, control._empty_ms, control._pause_ms
    assert times == (0, 0, 0, 0)
    assert (control._room_ms, control._most_bp, control._trim_uv) == (0, 0, 0)
    assert (control._held_mv, control._held_ms) == (0, 0)


def test_times_are_whole():
    bed = absorbing(absorption_max_min=1).cells(3300, 3490)
    bed.run(59).run(0.999, 999)
    assert bed.phase == ABSORPTION
    assert bed.run(0.001, 1).phase == FLOAT
    bed = floating().cells(LOW_MV)
    bed.run(299).run(0.999, 999)
    assert bed.phase == FLOAT
    assert bed.run(0.001, 1).phase == BULK
    bed = held()
    bed.current_ma = 0
    assert bed.run(HALF_HOUR_S - 1).run(0.999, 999).phase == BULK
    assert bed.run(0.001, 1).phase == PHASE_STALLED


def test_a_turn_that_is_an_hour_late_counts_as_a_minute():
    bed = absorbing(absorption_max_min=3).cells(3300, 3490)
    bed.run(7200, 3600000)
    assert bed.phase == ABSORPTION
    assert bed.run(3600, 3600000).phase == FLOAT


@pytest.mark.parametrize(("age_s", "asked"), [(14 * DAY_S - 1, 0), (14 * DAY_S, 1)])
def test_days_are_whole(age_s, asked):
    bed = Bed()
    bed.full_age_s = age_s
    assert bed.run(1).control.full_charge_requested == asked


@pytest.mark.parametrize(("age_s", "asked"), [(59, 0), (60, 1), (-1, 1)])
def test_only_a_full_pack_takes_the_request_back(age_s, asked):
    bed = Bed()
    bed.full_age_s = 14 * DAY_S
    bed.run(1)
    bed.full_age_s = age_s
    assert bed.run(1).control.full_charge_requested == asked


@pytest.mark.parametrize(
    ("high_mv", "phase"), [(3429, BULK), (3430, ABSORPTION), (3460, ABSORPTION)]
)
def test_charge_that_is_gone_counts_below_the_top_only(high_mv, phase):
    bed = absorbing()
    bed.soc_bp = 1000
    assert bed.cells(3340, high_mv).run(1).phase == phase


def trimmed(high_mv=3500):
    """The limit at the pack's voltage, 3370 mV, and the highest cell there."""
    bed = Bed().cells(3350, 3540, 3370).run(60)
    return bed.cells(3350, high_mv, 3370).run(1)


def test_the_trim_ends_at_the_packs_voltage():
    assert trimmed().control._trim_uv == 1000 * (3500 - 3370)


@pytest.mark.parametrize(("room_mv", "returns"), [(3, 0), (4, 62), (64, 1000)])
def test_it_comes_back_by_a_64th_of_the_room_after_half_a_minute(room_mv, returns):
    control = (bed := trimmed()).control
    bed.cells(3350, 3500 - room_mv, 3370).run(30)
    before_uv = control._trim_uv
    assert before_uv == 1000 * (3500 - 3370)
    bed.run(1)
    assert before_uv - control._trim_uv == returns


def test_half_a_minute_is_half_a_minute():
    control = (bed := trimmed()).control
    bed.cells(3350, 3436, 3370).run(30)
    bed.run(0.001, 1)
    assert control._trim_uv == 1000 * (3500 - 3370) - 1


def test_the_limit_rises_and_falls_by_the_settings_exactly():
    control = (bed := trimmed()).control
    bed.cells(3350, 3372, 3370).run(35)  # 128 mV of room: 2 mV a second, but 1 mV is the most
    before_uv = control._level_uv
    bed.run(1)
    assert control._level_uv - before_uv == 1000
    bed.run(1, 2000)
    bed.run(2, 2000)
    assert control._level_uv - before_uv == 2000
    bed = Bed().cells(3350, 3700, 3370)
    bed.run(60, 60000)
    assert bed.control._level_uv == 1000 * CHARGE_MV - 5000
    bed = floating().run(1500)
    assert bed.control._base_uv == 1000 * FLOAT_MV
    bed.soc_bp = 1000
    bed.run(1)
    assert bed.control._base_uv == 1000 * FLOAT_MV + 1000


@pytest.mark.parametrize(("trim_uv", "level_uv"), [(3000, 3500000), (3001, 3496999)])
def test_what_is_no_more_than_noise_does_not_move_the_limit(trim_uv, level_uv):
    bed = Bed().cells(3350, 3500)
    bed.control._trim_uv = trim_uv
    bed.run(1)
    assert bed.control._level_uv == level_uv


# On the bench, with all of the battery


def test_the_points_follow_the_phases():
    bench = Bench(absorption_max_min=1).start()
    assert bench.point("charge_phase") == BULK
    bench.chip.set_cells(3480)
    bench.step()
    bench.slow()
    assert bench.point("charge_phase") == ABSORPTION
    for _ in range(61):
        bench.slow()
    assert bench.point("charge_phase") == FLOAT
    assert bench.point("charge_voltage_limit_mv") < 4 * CHARGE_MV
    assert bench.point("full_charge_requested") == 0
    bench.chip.cell_mv[0] = EMPTY_MV
    bench.step()
    for _ in range(61):
        bench.slow()
    assert bench.point("force_charge_requested") == 1


def test_the_point_says_that_the_charger_stalled():
    bench = Bench().start()
    bench.chip.set_cells(3390)
    for current_ma, turns in ((20000, 10), (1000, 1801)):
        bench.chip.current_ma = current_ma
        bench.step()
        for _ in range(turns):
            bench.slow()
    assert bench.point("charge_phase") == PHASE_STALLED
    assert bench.point("charge_voltage_limit_mv") == 4 * CHARGE_MV


def test_full_with_little_current_ends_absorption():
    bench = Bench(full_hold_s=10).start()
    bench.chip.set_cells(3480)
    bench.chip.current_ma = 2000
    for _ in range(12):
        bench.step()
        bench.slow()
    assert bench.point("charge_phase") == FLOAT


@pytest.mark.parametrize("chemistry", range(4))
def test_the_voltage_limit_never_passes_the_setting_in_any_chemistry(chemistry):
    """Field lesson 36, from empty to far beyond full."""
    bench = Bench(chemistry=chemistry, series_cells=16).start()
    most_mv = 16 * bench.setting("charge_cell_mv")
    for cell_mv in range(bench.setting("empty_cell_mv"), bench.setting("charge_cell_mv") + 60, 5):
        bench.chip.set_cells(cell_mv)
        bench.step()
        bench.slow()
        assert 0 < bench.point("charge_voltage_limit_mv") <= most_mv


def test_without_a_measurement_the_voltage_limit_stays():
    """It is a setting; 0 makes a Victron dump the battery (field lesson 25)."""
    bench = Bench().start()
    bench.chip.code = 1
    bench.run(2000)
    bench.slow()
    assert bench.point("charge_voltage_limit_mv") == 4 * CHARGE_MV
    assert Bench().point("charge_voltage_limit_mv") == 4 * CHARGE_MV
