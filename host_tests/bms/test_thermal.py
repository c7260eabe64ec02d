"""The heat forecast: against an integration in floating point that knows nothing of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.thermal import Thermal
from host_tests.bms.bench import parameters_with

# 280 Ah and 19 J/(K Ah): 5320 J/K; sensors follow within 300 s
UOHM = 500
MOST = 2000000


def thermal(**given):
    return Thermal(parameters_with(given))


def run(model, seconds, current_ma, cold_dc=250, warm_dc=250, uohm=UOHM):
    for _ in range(seconds):
        model.step(1000, current_ma, uohm, cold_dc, warm_dc)
    return model


def expected_ma(room_k, hidden_k=0.0, uohm=UOHM, j_k=5320):
    """The room used up within 600 s, twice the delay: I^2 R / C."""
    return 1000 * ((room_k - hidden_k) / 600 * j_k / (uohm * 1e-6)) ** 0.5


@pytest.mark.parametrize("room_dc", [1, 10, 50, 300])
@pytest.mark.parametrize("uohm", [300, 500, 20000])
def test_a_cold_start_may_use_the_whole_room(room_dc, uohm):
    assert thermal().limit_ma(MOST, room_dc, uohm) == pytest.approx(
        expected_ma(room_dc / 10, uohm=uohm), rel=0.02, abs=100
    )


@pytest.mark.parametrize("most_ma", [100, 5000, 50000, 133000, 134000])
def test_it_is_never_more_than_what_is_offered_anyway(most_ma):
    free_ma = thermal().limit_ma(MOST, 10, UOHM)
    assert free_ma == pytest.approx(133100, abs=100)
    assert thermal().limit_ma(most_ma, 10, UOHM) == min(most_ma, free_ma)


@pytest.mark.parametrize("room_dc", [0, -1, -300])
def test_without_room_there_is_no_current(room_dc):
    assert thermal().limit_ma(MOST, room_dc, UOHM) == 0


def test_a_very_small_cell_may_be_offered_nothing():
    """0.1 K in ten minutes are 1.6 mW for half an ampere hour: 0.13 A through 0.1 ohm, which is
    rounded down."""
    assert 0 <= thermal(design_capacity_mah=500).limit_ma(MOST, 1, 100000) <= 126


@pytest.mark.parametrize("seconds", [30, 300, 1200])
def test_heat_that_the_sensors_do_not_show_yet_is_known(seconds):
    model = run(thermal(), seconds, -150000)
    hidden_k = 0.0
    for _ in range(seconds):
        hidden_k += 150**2 * UOHM * 1e-6 / 5320 - hidden_k / 300
    room_dc = int(10 * hidden_k) + 10
    assert model.limit_ma(MOST, room_dc, UOHM) == pytest.approx(
        expected_ma(room_dc / 10, hidden_k), rel=0.03
    )
    assert model.limit_ma(MOST, int(10 * hidden_k) - 1, UOHM) == 0


def test_hidden_heat_goes_within_the_sensors_delay():
    model = run(run(thermal(), 600, 200000), 1800, 0)
    assert model.limit_ma(MOST, 50, UOHM) == pytest.approx(expected_ma(5), rel=0.02)


def test_charging_heats_as_discharging_does():
    one = run(thermal(), 300, 100000).limit_ma(MOST, 50, UOHM)
    assert run(thermal(), 300, -100000).limit_ma(MOST, 50, UOHM) == pytest.approx(one, rel=0.001)


def test_the_settings_count():
    usual = thermal().limit_ma(MOST, 40, UOHM)
    assert thermal(sensor_delay_s=75).limit_ma(MOST, 40, UOHM) == pytest.approx(
        2 * usual, rel=0.01
    )
    assert thermal(heat_capacity_j_k_ah=76).limit_ma(MOST, 40, UOHM) == pytest.approx(
        2 * usual, rel=0.01
    )
    small = thermal(design_capacity_mah=2800)
    assert small.limit_ma(MOST, 40, UOHM) == pytest.approx(usual / 10, rel=0.02, abs=100)


def test_a_late_turn_counts_as_one_second():
    late = thermal()
    late.step(30000, 200000, UOHM, 250, 250)
    usual = run(thermal(), 1, 200000)
    assert late.limit_ma(MOST, 1, UOHM) == usual.limit_ma(MOST, 1, UOHM)


def test_what_comes_from_outside_goes_on_for_ten_minutes():
    model = run(thermal(), 301, 0, 250, 300)
    assert (model.warmer_dc, model.colder_dc) == (0, 0)
    run(model, 300, 0, 240, 310)
    assert (model.warmer_dc, model.colder_dc) == (20, -20)
    run(model, 301, 0, 240, 310)
    assert (model.warmer_dc, model.colder_dc) == (0, 0)


@pytest.mark.parametrize(
    ("cold_dc", "warm_dc", "colder", "warmer"),
    [
        (249, 301, 0, 0),  # the sensors' own noise
        (248, 302, -4, 4),
        (252, 298, 0, 0),  # the other way round: nothing to be afraid of
        (200, 400, -30, 30),  # the most that is believed
    ],
)
def test_a_drift_counts_towards_its_own_side_only(cold_dc, warm_dc, colder, warmer):
    model = run(thermal(), 301, 0, 250, 300)
    run(model, 300, 0, cold_dc, warm_dc)
    assert (model.colder_dc, model.warmer_dc) == (colder, warmer)


def test_the_cells_own_heat_is_not_taken_for_the_outsides():
    """Sensors that rise as the model says: nothing more is expected."""
    model = thermal()
    sensor_k, hidden_k = 25.0, 0.0
    for _ in range(1200):
        shown_k = hidden_k / 300
        hidden_k += 150**2 * UOHM * 1e-6 / 5320 - shown_k
        sensor_k += shown_k
        model.step(1000, 150000, UOHM, int(10 * sensor_k), int(10 * sensor_k))
        assert abs(model.warmer_dc) <= 2
    assert sensor_k > 26.5


def test_cold_from_outside_is_seen_through_the_cells_own_heat():
    """Sensors that stand still while the cells make 0.6 K in five minutes."""
    model = run(thermal(), 1800, 150000)
    for _ in range(2):
        assert -14 <= model.colder_dc <= -10
        assert model.warmer_dc == 0
        run(model, 300, 150000)


def test_a_measurement_that_ended_begins_a_new_window():
    model = run(thermal(), 301, 0, 250, 300)
    run(model, 300, 0, 200, 400)
    model.forget()
    assert (model.warmer_dc, model.colder_dc) == (0, 0)
    run(model, 1, 0, 250, 450)
    run(model, 300, 0, 250, 450)
    assert (model.warmer_dc, model.colder_dc) == (0, 0)


@settings(max_examples=30)
@given(st.integers(0, 400), st.integers(0, 30), st.integers(20, 60000))
def test_more_room_allows_no_less(room_dc, more, uohm):
    model = thermal()
    assert model.limit_ma(MOST, room_dc, uohm) <= model.limit_ma(MOST, room_dc + more, uohm)


def test_a_pack_held_at_the_limit_never_reaches_the_temperature():
    """The forecast's own law: the sensors come near and stay below."""
    model = thermal()
    sensor_k, hidden_k, current_a = 40.0, 0.0, 0.0
    for _ in range(4 * 3600):
        shown_k = hidden_k / 300
        hidden_k += current_a**2 * UOHM * 1e-6 / 5320 - shown_k
        sensor_k += shown_k
        model.step(1000, int(1000 * current_a), UOHM, int(10 * sensor_k), int(10 * sensor_k))
        current_a = model.limit_ma(MOST, 500 - int(10 * sensor_k), UOHM) / 1000
    assert 48 <= sensor_k < 50.1  # a sensor shows tenths


# To the microkelvin: 280 Ah are 5320 J/K; 100 A through 0.5 mohm are 5 W, 939 uK a second


def test_nothing_is_hidden_nor_shown_at_first():
    model = thermal()
    assert (model._hidden_uk, model._shown_uk) == (0, 0)
    assert (model._warm_dc, model._cold_dc) == (0, 0)


def test_heat_of_a_second_and_of_half_a_second():
    model = run(thermal(), 1, 100_000)
    assert model._hidden_uk == 939
    model.step(500, 100_000, UOHM, 250, 250)
    assert model._hidden_uk == 939 + 469 - 1  # 939 // 300 * 500 // 1000 was shown
    late = thermal()
    late.step(30_000, 100_000, 20_000, 250, 250)
    assert late._hidden_uk == 37_593


def test_the_sensors_show_a_part_of_what_is_hidden():
    model = run(thermal(), 1, 0)
    model._hidden_uk = 3_000_000
    model.step(1000, 0, UOHM, 250, 250)
    assert (model._hidden_uk, model._shown_uk) == (2_990_000, 10_000)
    model.step(500, 0, UOHM, 250, 250)
    assert (model._hidden_uk, model._shown_uk) == (2_990_000 - 4983, 14_983)


def test_no_more_than_50_kelvin_are_hidden():
    model = thermal()
    model._hidden_uk = 49_999_999
    model.step(1000, 1_000_000, 20_000, 250, 250)
    assert model._hidden_uk == 50_000_000


def test_five_minutes_are_five_minutes():
    model = thermal()
    model.step(1000, 0, UOHM, 250, 300)
    for warm_dc in (320, 350):
        before_dc = model.warmer_dc
        for elapsed_ms in (*[1000] * 299, 999, 1):
            model.step(elapsed_ms, 0, UOHM, 250, warm_dc)
            assert model.warmer_dc == before_dc
        model.step(1, 0, UOHM, 250, warm_dc)
        assert model.warmer_dc > before_dc or warm_dc == 350
        assert model.warmer_dc == min(30, 2 * (warm_dc - (300 if warm_dc == 320 else 320)))


@pytest.mark.parametrize(
    ("hidden_uk", "limit_ma"),
    [
        (0, 707_100),  # 30 K in 600 s: 50,000 uK/s, 266 W; over 0.532 mohm 500,000 A^2
        (300, 707_000),  # 49,999 uK/s
    ],
)
def test_a_microkelvin_counts(hidden_uk, limit_ma):
    model = thermal()
    model._hidden_uk = hidden_uk
    assert model.limit_ma(MOST, 300, 532) == limit_ma


def test_a_current_that_uses_up_exactly_the_room_is_offered_whole():
    model = thermal()
    model._hidden_uk = 36_600  # 0.6 K less this are 939 uK/s
    assert model.limit_ma(100_000, 6, UOHM) == 100_000
    assert model.limit_ma(100_100, 6, UOHM) == 99_900  # rounded down


@pytest.mark.parametrize(("hidden_uk", "limit_ma"), [(100_000, 0), (99_999, 100)])
def test_when_the_room_is_used_up_exactly_nothing_is_left(hidden_uk, limit_ma):
    """0.1 A through half a milliohm heats by less than a microkelvin a second."""
    model = thermal()
    model._hidden_uk = hidden_uk
    assert model.limit_ma(100, 1, UOHM) == limit_ma


def test_the_smallest_cell_of_the_settings_still_divides():
    model = thermal(design_capacity_mah=500, heat_capacity_j_k_ah=5)
    assert model._joule_per_kelvin() == 2
