"""Miswired balance leads are found, and the sentence names the lead to check."""

from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms import wiring
from bms.wiring import Limits
from host_tests.bms.miswiring import (
    CHEMISTRIES,
    RESTING_MV,
    Bench,
    clamped,
    ideal,
    limits,
    overloaded,
    parameters,
)

CHIPS = (ideal, clamped, overloaded)


def bench(chemistry="lfp", cells=16):
    """A pack whose cells differ a little, as real ones do."""
    return Bench([RESTING_MV[chemistry] + 7 * (cell % 4) for cell in range(cells)])


def check(measured, chemistry="lfp"):
    cells, stack_mv = measured
    return wiring.check_wiring(cells, stack_mv, limits(chemistry))


def only(findings, code):
    """The sentence of the single finding, which must have this code."""
    assert [finding[0] for finding in findings] == [code], findings
    return findings[0][2]


@pytest.mark.parametrize("chemistry", CHEMISTRIES)
@pytest.mark.parametrize("cells", [3, 4, 16])
def test_a_pack_that_is_wired_well_is_not_suspected(chemistry, cells):
    assert check(bench(chemistry, cells).measure(), chemistry) == []


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("chemistry", CHEMISTRIES)
@pytest.mark.parametrize("cells", [3, 4, 9])
def test_any_two_swapped_leads_are_named(chemistry, cells, chip):
    for lower, upper in combinations(range(cells + 1), 2):
        pack = bench(chemistry, cells)
        pack.swap(lower, upper)
        findings = check(pack.measure(chip), chemistry)
        text = only(findings, wiring.SWAPPED)
        assert f"Leads {lower} and {upper} are swapped" in text
        assert findings[0][1] == lower


def test_swapped_neighbours_read_two_cells_a_negative_one_and_two_cells():
    cells = [3_300, 6_600, -3_300, 6_600, 3_300, 3_300]
    text = only(check((cells, 6 * 3_300)), wiring.SWAPPED)
    assert text.startswith("Leads 2 and 3 are swapped")


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("cells", [3, 4, 5])
def test_no_wrong_order_of_the_leads_passes_and_a_wrong_lead_is_named(cells, chip):
    right = list(range(cells + 1))
    for order in permutations(right):
        pack = bench(cells=cells)
        pack.leads = list(order)
        findings = check(pack.measure(chip))
        assert bool(findings) == (list(order) != right), order
        if findings:
            named = set()
            for code, lead, text in findings:
                numbers = [int(word.strip(",:;")) for word in text.split() if word[0].isdigit()]
                span = code == wiring.OUT_OF_ORDER
                named.update(range(numbers[0], numbers[1] + 1) if span else numbers)
                named.add(lead)
            wrong = {lead for lead in right if order[lead] != lead}
            assert named & wrong or findings[0][0] == wiring.CONNECTOR_REVERSED


def test_two_pairs_of_swapped_leads_are_both_named():
    pack = bench()
    pack.swap(2, 3)
    pack.swap(9, 10)
    texts = [text for _, _, text in check(pack.measure())]
    assert texts == [
        "Leads 2 and 3 are swapped: exchange them",
        "Leads 9 and 10 are swapped: exchange them",
    ]


def test_leads_of_a_longer_mix_up_are_all_to_be_checked():
    pack = bench()
    pack.leads[5:9] = [7, 5, 8, 6]
    text = only(check(pack.measure()), wiring.OUT_OF_ORDER)
    assert text.startswith("Leads 5 to 8 are out of order")


@pytest.mark.parametrize("chip", CHIPS)
def test_a_mirrored_connector_is_recognized(chip):
    pack = bench()
    pack.leads.reverse()
    text = only(check(pack.measure(chip)), wiring.CONNECTOR_REVERSED)
    assert "lead 0 belongs to pack minus, lead 16 to pack plus" in text


def test_a_cell_that_was_built_in_reverse_is_named():
    cells = [3_300] * 8
    cells[4] = -3_300
    text = only(check(Bench(cells).measure()), wiring.REVERSED_CELL)
    assert text.startswith("Cell 5 reads negative: leads 4 and 5")


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("chemistry", CHEMISTRIES)
@pytest.mark.parametrize("lead", [1, 2, 8, 15])
@pytest.mark.parametrize("share", [0.0, 0.06, 0.2, 0.94, 1.0])
def test_an_open_lead_between_two_cells_is_named_wherever_it_floats(lead, share, chemistry, chip):
    pack = bench(chemistry)
    below, above = RESTING_MV[chemistry] * (lead - 1), RESTING_MV[chemistry] * (lead + 1)
    pack.floating[lead] = int(below + share * (above - below)) + 10 * lead
    text = only(check(pack.measure(chip), chemistry), wiring.OPEN_LEAD)
    assert text.startswith(f"Lead {lead} is open")


@pytest.mark.parametrize(("lower_mv", "upper_mv"), [(2_640, 3_960), (3_960, 2_640)])
def test_an_open_lead_shows_although_one_of_its_cells_reads_like_a_low_one(lower_mv, upper_mv):
    cells = [3_300] * 8
    cells[3:5] = [lower_mv, upper_mv]
    text = only(check((cells, 8 * 3_300)), wiring.OPEN_LEAD)
    assert text.startswith("Lead 4 is open")


@pytest.mark.parametrize("lead", [0, 16])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.7])
def test_an_open_lead_at_an_end_is_named_because_the_stack_is_whole(lead, share):
    pack = bench()
    total_mv = pack.measure()[1]
    reading_mv = int(share * 3_300)
    pack.floating[lead] = 3_300 - reading_mv if lead == 0 else total_mv - 3_321 + reading_mv
    text = only(check(pack.measure()), wiring.OPEN_LEAD)
    assert text.startswith(f"Lead {lead} is open")


def test_a_stack_that_fits_neither_way_is_no_proof_of_an_open_lead():
    cells = [1_700] + [3_300] * 7
    text = only(check((cells, sum(cells) + 2_600)), wiring.CELL_VOLTAGE)
    assert text.startswith("Cell 1 reads 1.70 V")


def test_leads_on_taps_of_others_are_named_one_by_one():
    pack = bench()
    pack.leads[4] = 1
    pack.leads[9] = 12
    texts = [text for _, _, text in check(pack.measure())]
    assert texts == [
        "Lead 9 is on a tap too far up: check it, it belongs between cells 9 and 10",
        "Lead 4 is on a tap too far down: check it, it belongs between cells 4 and 5",
    ]


def test_two_cells_that_fit_into_a_wide_window_are_no_single_one():
    """Sodium cells at 2.0 V: two of them, 4.0 V, are within the window of one."""
    pack = Bench([2_000] * 6)
    pack.swap(2, 3)
    assert "Leads 2 and 3 are swapped" in only(check(pack.measure(), "sodium"), wiring.SWAPPED)


def test_two_leads_on_one_tap_are_named():
    cells = [3_300] * 5 + [0] + [3_300] * 4
    text = only(check((cells, sum(cells))), wiring.SAME_TAP)
    assert text.startswith("Cell 6 reads nothing: leads 5 and 6 are on the same tap")


def test_a_tap_that_was_left_out_is_named():
    pack = Bench([3_300] * 9)
    pack.leads = [0, 1, 2, 4, 5, 6, 7, 8, 9]
    text = only(check(pack.measure()), wiring.SKIPPED_TAP)
    assert text.startswith("Cell 3 reads like two: a tap between lead 2 and lead 3 was left out")


def test_a_tap_left_out_leaves_the_last_lead_over():
    pack = bench(cells=8)
    pack.leads = [0, 1, 3, 4, 5, 6, 7, 8, 8]
    skipped, left_over = check(pack.measure())
    assert skipped[:2] == (wiring.SKIPPED_TAP, 1)
    assert left_over[:2] == (wiring.OPEN_LEAD, 8)


@pytest.mark.parametrize("real", [5, 12, 14, 15])
def test_fewer_cells_than_configured_are_counted(real):
    cells = [3_300] * real + [0] * (16 - real)
    text = only(check((cells, sum(cells))), wiring.FEWER_CELLS)
    assert f"the pack has {real} cells and not 16" in text
    assert f"from lead {real + 1} up to lead 16" in text


@pytest.mark.parametrize("real", [9, 12, 16])
def test_more_cells_than_configured_are_counted_by_the_stack(real):
    text = only(check(([3_300] * 8, real * 3_300)), wiring.MORE_CELLS)
    assert f"the voltage of {real} cells, 8 are configured" in text


def test_a_stack_that_fits_no_number_of_cells_is_told_with_both_figures():
    text = only(check(([3_300] * 8, 25_000)), wiring.STACK_VOLTAGE)
    assert "The stack measures 25.00 V and its cells together 26.40 V" in text


def test_nothing_plugged_in_is_said_so():
    only(check(([0, 3, -5, 12], 20)), wiring.NOTHING_CONNECTED)


@pytest.mark.parametrize(
    ("configured", "mv", "real"),
    [("lfp", 3_900, "nmc"), ("lto", 3_300, "lfp"), ("lfp", 2_300, "lto"), ("nmc", 2_500, "lto")],
)
def test_another_chemistry_is_named(configured, mv, real):
    text = only(check(([mv, mv + 5, mv - 5, mv], 4 * mv), configured), wiring.OTHER_CHEMISTRY)
    assert f"not {configured} as configured" in text
    assert text.endswith(f"read like {real}")


def test_trips_that_the_owner_made_narrower_make_no_other_chemistry():
    """Full lfp cells, with over-voltage trips for a gentle life; within the window of nmc, too."""
    own = Limits(
        parameters(
            "lfp",
            4,
            cell_overvoltage_trip_mv=3_500,
            cell_overvoltage_warn_mv=3_480,
            charge_cell_mv=3_450,
        )
    )
    codes = {finding[0] for finding in wiring.check_wiring([3_550] * 4, 14_200, own)}
    assert codes == {wiring.CELL_VOLTAGE}


def test_a_cell_outside_its_window_is_named_with_its_leads():
    cells = [3_300] * 8
    cells[2] = 1_700
    text = only(check(Bench(cells).measure()), wiring.CELL_VOLTAGE)
    assert text == (
        "Cell 3 reads 1.70 V, outside 2.00 V to 3.65 V: check leads 2 and 3, then the cell"
    )


def test_cells_beyond_the_imbalance_trip_are_told_by_their_spread():
    # lfp: the trip is 900 mV; 2.55 V and 3.55 V are both within the window.
    cells = [3_000, 2_550, 3_000, 3_550]
    text = only(check(Bench(cells).measure()), wiring.IMBALANCE)
    assert text.startswith("Cells 2 and 4 are 1000 mV apart")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        # Window and a spread below the imbalance trip of the chemistry.
        [("lfp", 2_700, 890), ("nmc", 3_200, 990), ("lto", 1_900, 890), ("sodium", 2_300, 1_490)]
    ),
    st.lists(st.floats(0, 1), min_size=3, max_size=16),
)
def test_no_unbalanced_pack_is_suspected(kind, places):
    chemistry, low_mv, spread_mv = kind
    pack = Bench([int(low_mv + place * spread_mv) for place in places])
    assert check(pack.measure(), chemistry) == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-7_000, 7_000), min_size=3, max_size=16),
    st.integers(-1_000, 70_000),
    st.sampled_from(CHEMISTRIES),
)
def test_whatever_is_measured_the_answer_is_sentences(cells, stack_mv, chemistry):
    for code, lead, text in check((cells, stack_mv), chemistry):
        assert 0 <= code <= wiring.IMBALANCE
        assert wiring.NO_LEAD <= lead <= len(cells)
        assert "%" not in text
    fits = all(limits(chemistry).low_mv <= mv <= limits(chemistry).high_mv for mv in cells)
    if not fits:
        assert check((cells, stack_mv), chemistry)
