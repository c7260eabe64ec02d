"""The table of expectations is complete, and says nothing that the faults table does not know."""

from pathlib import Path

from bms.faults import Faults
from boards.sim import fault_rows
from host_tests.campaign import plan, restarts
from host_tests.campaign.rows import (
    ALL,
    BESIDE,
    CONTACTORS,
    FETS,
    NEVER,
    PROCESSOR,
    ROWS,
    beside,
    rows_of,
)
from host_tests.campaign.truth import LIMITS

_NAMES = set()
_TABLE = Faults()
for _bit in range(len(_TABLE)):
    _NAMES.add(_TABLE.names.name(_bit))


def test_every_fault_of_the_simulators_world_has_a_row():
    names = {row[0] for row in fault_rows.ROWS}
    # Those of a stack's upper chip are played on a stack, which is no pack of the campaign.
    stack = (Path(__file__).parents[1] / "system" / "test_stack_pack.py").read_text()
    of_stacks = {name for name in names if name.startswith("upper_")}
    assert all(f'"{name}"' in stack for name in of_stacks)
    assert names - of_stacks <= {row.name for row in ROWS}


def test_every_fault_of_the_processor_has_a_row_or_a_scenario():
    told = " ".join(name for _, name, _ in restarts.scenarios(1, 12))
    assert all(name in told for name in PROCESSOR)


def test_no_pack_has_two_rows_for_one_fault():
    for pack in ALL:
        names = [row.name for row in ROWS if pack in row.packs]
        assert len(names) == len(set(names))


def test_rows_name_faults_that_exist():
    for row in ROWS:
        named = {*row.names, *row.also, *row.with_others, *row.unmasks, *row.stands}
        assert named | {*row.stubborn, *row.masked_by[1]} <= _NAMES, row.name
        others = {row.masked_by[0], row.hidden_by[0]} - {""}
        assert others <= {other.name for other in ROWS}, row.name
        assert set(row.signals) <= set(LIMITS), row.name


def test_a_row_changes_beside_another_fault_where_both_can_be_and_nowhere_else():
    for (name, other), change in BESIDE.items():
        assert {name, other} <= set(rows_of(FETS))
        assert set(change.get("names", ())) <= _NAMES
        row = rows_of(FETS)[name]
        assert beside(row, (name, other)) != row == beside(row, (name,))
        alone = rows_of(CONTACTORS)[name]
        assert beside(alone, (name, other)) == alone


def test_what_a_row_opens_is_what_its_faults_block():
    """One of the named faults blocks at least the directions that must be off."""
    letters = {"c": 1, "d": 2}
    for row in ROWS:
        wanted = sum(letters[gate] for gate in row.opens)
        blocked = [_TABLE.blocks[_TABLE.names.index(name)] for name in row.names]
        assert not row.opens or any(wanted & blocks == wanted for blocks in blocked), row.name


def test_limits_block_what_their_faults_block():
    letters = {"c": 1, "d": 2}
    for limit in LIMITS.values():
        blocks = _TABLE.blocks[_TABLE.names.index(limit.name)]
        assert sum(letters[gate] for gate in limit.gates) == blocks, limit.name


def test_a_plan_is_the_same_for_the_same_seed():
    assert plan.boot(7, 4) == plan.boot(7, 4)
    assert plan.boot(7, 4) != plan.boot(8, 4)


def test_every_single_fault_and_every_pair_comes_up():
    rows = rows_of("fets")
    wanted = {frozenset(pair) for pair in ((a, b) for a in rows for b in rows)}
    wanted = {pair for pair in wanted if all(rows[name].pairs for name in pair)}
    seen = set()
    for boot in plan.boots(3, "fets"):
        seen.update(frozenset(episode.faults) for episode in boot.episodes)
        if boot.number > 900:
            break
    assert wanted <= seen


def test_an_episode_holds_long_enough_for_what_it_must_show():
    for boot in plan.boots(3):
        for episode in boot.episodes:
            assert max(episode.inject_s) <= episode.mend_s < episode.clear_s < episode.end_s
        if boot.number > 30:
            break


def test_what_never_ends_is_the_last_of_its_boot():
    for boot in plan.boots(5):
        rows = rows_of(boot.pack)
        for episode in boot.episodes[:-1]:
            assert all(rows[name].ends != NEVER for name in episode.faults)
        if boot.number > 60:
            break
