"""The event log: what it said to have written is there, whatever happens to the flash."""

import binascii
import builtins
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.events import BOOT, FAULT, GATES, LOST, Events
from bms.table import INVALID
from host_tests.storage.scripts import run_micropython
from storage import event_log
from storage.event_log import EventLog, EventLogError

RECORD = 18
FILE_RECORDS = 4096 // RECORD
FILES = 4
SAFE = FILE_RECORDS * (FILES - 1)  # what is left when the oldest file was just replaced
LIMIT = 16


def opened(directory):
    log = EventLog(str(directory / "log"))
    log.open()
    return log


def posted(*values):
    events = Events()
    for value in values:
        events.post(FAULT, 7, value, 100 + value)
    return events


def logged(log, values):
    """Log these values as events, a batch at a time."""
    for start in range(0, len(values), LIMIT):
        events = posted(*values[start : start + LIMIT])
        while log.append(events, LIMIT):
            pass
    return log


def values_in(log):
    """The values of all events, oldest first."""
    return [record[5] for record in log.records(10_000)][::-1]


def sequences_in(log):
    return [record[0] for record in log.records(10_000)][::-1]


def decoded(path):
    """The records of a file as its docstring describes them, decoded apart from the firmware."""
    data = path.read_bytes()
    assert len(data) % RECORD == 0
    records = []
    for at in range(0, len(data), RECORD):
        *fields, check = struct.unpack("<IHIBBiH", data[at : at + RECORD])
        assert check == binascii.crc32(data[at : at + RECORD - 2]) % 65_536
        records.append(tuple(fields))
    return records


def test_a_record_holds_sequence_boot_uptime_kind_code_and_value(tmp_path):
    log = opened(tmp_path)
    events = Events()
    events.post(FAULT, 54, -123_456, 70_000)
    events.post(GATES, 3, INVALID, 70_001)
    assert log.append_boot(1) == 1
    assert log.append(events, LIMIT) == 2
    assert decoded(tmp_path / "log" / "0.bin") == [
        (1, 1, 0, BOOT, 1, 1),
        (2, 1, 70_000, FAULT, 54, -123_456),
        (3, 1, 70_001, GATES, 3, INVALID),
    ]
    assert log.last_sequence == 3


def test_records_come_newest_first_and_as_many_as_wanted(tmp_path):
    log = logged(opened(tmp_path), range(40))
    assert [record[5] for record in log.records(3)] == [39, 38, 37]
    assert values_in(log) == list(range(40))
    assert list(log.records(0)) == []


def test_boot_and_sequence_numbers_rise_over_restarts(tmp_path):
    for boot in range(1, 5):
        log = opened(tmp_path)
        assert log.problems == []
        assert log.boot == boot
        log.append_boot(0)
        logged(log, [boot])
    assert sequences_in(opened(tmp_path)) == list(range(1, 9))
    assert [record[1] for record in opened(tmp_path).records(8)] == [4, 4, 3, 3, 2, 2, 1, 1]


def test_the_number_of_the_start_begins_anew_after_65535(tmp_path):
    log = opened(tmp_path)
    log.boot = 65_535
    log.append_boot(0)
    assert opened(tmp_path).boot == 1


def test_an_empty_directory_is_no_problem_and_nothing_waiting_is_not_written(tmp_path):
    log = opened(tmp_path)
    assert log.problems == []
    assert log.append(Events(), LIMIT) == 0
    assert list((tmp_path / "log").iterdir()) == []


def test_the_files_are_a_bounded_ring_that_keeps_the_latest(tmp_path):
    log = opened(tmp_path)
    for start in range(0, 3_000, LIMIT):
        logged(log, range(start, start + LIMIT))
        values = values_in(log)
        assert len(values) >= min(start + LIMIT, SAFE)
        assert values == list(range(start + LIMIT - len(values), start + LIMIT))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "log").iterdir()}
    assert set(sizes) == {"0.bin", "1.bin", "2.bin", "3.bin"}
    assert max(sizes.values()) <= 4_096
    assert values_in(opened(tmp_path)) == values_in(log)


def test_a_batch_opens_one_file_and_what_does_not_fit_waits_for_the_next(tmp_path, monkeypatch):
    log = logged(opened(tmp_path), range(FILE_RECORDS - 5))
    written = []

    def counting(path, mode):
        written.append((path[-5:], mode))
        return open(path, mode)

    monkeypatch.setattr(event_log, "open", counting, raising=False)
    events = posted(*range(LIMIT))
    assert log.append(events, LIMIT) == 5
    assert written == [("0.bin", "ab")]
    assert log.append(events, LIMIT) == LIMIT - 5
    assert written[1:] == [("1.bin", "wb")]


def test_at_most_limit_events_are_taken_from_the_ring_and_the_rest_stays_there(tmp_path):
    events = posted(*range(40))
    log = opened(tmp_path)
    assert log.append(events, 15) == 15
    assert events.waiting() == 25


def test_events_that_did_not_fit_into_the_ring_are_counted_in_the_log(tmp_path):
    events = posted(*range(60))  # the ring has room for 47
    log = opened(tmp_path)
    while log.append(events, LIMIT):
        pass
    lost = [record for record in log.records(100) if record[3] == LOST]
    assert [record[5] for record in lost] == [events.lost]
    assert sum(1 for record in log.records(100) if record[3] == FAULT) + events.lost == 60
    assert log.append(events, LIMIT) == 0


class Failing(io.FileIO):
    """A file that takes some bytes and then fails, on a file system without transactions."""

    room = 0

    def write(self, data):
        super().write(data[: self.room])
        if len(data) > self.room:
            raise OSError(28, "ENOSPC")
        return len(data)


def failing(monkeypatch, room):
    Failing.room = room
    patch = monkeypatch.context()
    module = patch.__enter__()
    module.setattr(
        event_log,
        "open",
        lambda path, mode: open(path, mode) if mode == "rb" else Failing(path, mode[0]),
        raising=False,
    )
    return patch


def test_what_a_failing_flash_refuses_waits_and_is_logged_when_it_works_again(
    tmp_path, monkeypatch
):
    log = logged(opened(tmp_path), range(10))
    events = posted(*range(10, 50))
    patch = failing(monkeypatch, 0)
    for _ in range(5):
        with pytest.raises(EventLogError, match=r"refused to write .*ENOSPC.*free some space"):
            log.append(events, LIMIT)
        assert log.last_sequence == 10
        assert events.waiting() == 40 - LIMIT  # no more than that waits in the log itself
    patch.__exit__(None, None, None)
    while log.append(events, LIMIT):
        pass
    assert values_in(log) == list(range(50))
    assert values_in(opened(tmp_path)) == list(range(50))


@pytest.mark.parametrize("room", range(0, 3 * RECORD + 1, 5))
def test_a_write_that_fails_half_way_loses_nothing_and_uses_no_number_twice(
    tmp_path, monkeypatch, room
):
    log = logged(opened(tmp_path), range(10))
    events = posted(10, 11, 12, 13)
    patch = failing(monkeypatch, room)
    with pytest.raises(EventLogError):
        log.append(events, LIMIT)
    patch.__exit__(None, None, None)
    assert log.append(events, LIMIT) == 4
    for reader in (log, opened(tmp_path)):
        values = values_in(reader)
        assert values[:10] == list(range(10))
        assert values[-4:] == [10, 11, 12, 13]
        assert values[10:-4] == [10, 11, 12][: room // RECORD]  # whole ones that had arrived
        sequences = sequences_in(reader)
        assert sequences == sorted(set(sequences))


def test_a_boot_record_that_is_refused_is_written_later(tmp_path, monkeypatch):
    log = opened(tmp_path)
    patch = failing(monkeypatch, 0)
    with pytest.raises(EventLogError):
        log.append_boot(2)
    patch.__exit__(None, None, None)
    assert log.append(posted(5), LIMIT) == 2
    assert [(record[3], record[4]) for record in log.records(2)] == [(FAULT, 7), (BOOT, 2)]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), st.integers(0, 5_000), st.binary(max_size=40), st.integers(1, 4))
def test_a_torn_tail_loses_only_itself(tmp_path_factory, count, cut, garbage, more):
    directory = tmp_path_factory.mktemp("torn")
    logged(opened(directory), range(count))
    file = directory / "log" / "0.bin"
    left = file.read_bytes()[: cut % (count * RECORD + 1)]
    file.write_bytes(left + garbage)
    whole = len(left) // RECORD

    log = opened(directory)
    assert values_in(log)[:whole] == list(range(whole))
    assert log.boot == (2 if whole else 1)
    highest = max(sequences_in(log), default=0)
    logged(log, range(1_000, 1_000 + more))
    reader = opened(directory)
    values = values_in(reader)
    assert values[:whole] == list(range(whole))
    assert values[-more:] == list(range(1_000, 1_000 + more))
    assert set(values) <= set(range(count)) | set(range(1_000, 1_000 + more))
    assert sequences_in(reader)[-more] > highest
    assert reader.boot > log.boot or not whole


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_anywhere_never_shows_an_event_that_was_not(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("damage")
    log = logged(opened(directory), range(2 * FILE_RECORDS + 50))
    whole = set(log.records(10_000))
    for _ in range(data.draw(st.integers(1, 4))):
        file = directory / "log" / f"{data.draw(st.integers(0, 2))}.bin"
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        damage = data.draw(st.binary(min_size=1, max_size=30))
        content[at : at + len(damage)] = damage
        file.write_bytes(content)
    reader = opened(directory)
    left = list(reader.records(10_000))
    assert set(left) <= whole
    assert len(left) >= len(whole) - 4 * 3  # 30 bytes are in three records at most
    logged(reader, [-1])
    again = list(opened(directory).records(10_000))
    assert [record[5] for record in again] == [-1, *(record[5] for record in left)]
    assert again[0][0] > max(record[0] for record in whole)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 255),
            st.integers(0, 255),
            st.integers(-(2**31), 2**31 - 1),
            st.integers(0, 2**31 - 1),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_event_is_read_as_it_was_posted(tmp_path_factory, happened):
    directory = tmp_path_factory.mktemp("events")
    events = Events()
    for event in happened:
        events.post(*event)
    log = opened(directory)
    while log.append(events, LIMIT):
        pass
    read = [
        (kind, code, value, uptime_s) for _, _, uptime_s, kind, code, value in log.records(100)
    ]
    assert read[::-1] == happened


def test_an_event_out_of_range_does_not_stop_the_log(tmp_path):
    events = Events()
    events.post(FAULT, 300, 1, -1)
    events.post(FAULT, 7, 2, 5)
    log = opened(tmp_path)
    assert log.append(events, LIMIT) == 2
    assert [record[5] for record in log.records(2)] == [2, 1]


def test_a_file_of_nothing_but_damage_keeps_its_numbers_to_itself(tmp_path):
    logged(opened(tmp_path), range(FILE_RECORDS + 50))
    file = tmp_path / "log" / "1.bin"
    file.write_bytes(b"\0" * file.stat().st_size)
    log = opened(tmp_path)
    assert log.problems == ["1.bin ends in 50 damaged events"]
    logged(log, [-1])
    assert log.last_sequence > FILE_RECORDS + 50
    assert values_in(opened(tmp_path))[-1] == -1


def test_numbers_of_damaged_events_are_not_used_again(tmp_path):
    logged(opened(tmp_path), range(50))
    file = tmp_path / "log" / "0.bin"
    file.write_bytes(file.read_bytes()[: 47 * RECORD] + b"\0" * (3 * RECORD))
    log = opened(tmp_path)
    assert log.last_sequence == 47
    logged(log, [-1])
    assert log.last_sequence == 51
    assert values_in(log) == [*range(47), -1]


def test_a_failing_flash_does_not_change_the_number_of_the_start(tmp_path, monkeypatch):
    log = logged(opened(tmp_path), [1])
    patch = failing(monkeypatch, 0)
    with pytest.raises(EventLogError):
        log.append(posted(2), LIMIT)
    patch.__exit__(None, None, None)
    log.append(Events(), LIMIT)
    assert [record[1] for record in log.records(2)] == [1, 1]


def test_a_file_that_can_not_be_read_is_told_and_passed_over(tmp_path):
    log = logged(opened(tmp_path), range(FILE_RECORDS))
    (tmp_path / "log" / "1.bin").mkdir()
    log = opened(tmp_path)
    (problem,) = log.problems
    assert problem.startswith("1.bin can not be read")
    logged(log, range(1_000, 1_000 + 2 * FILE_RECORDS))
    assert values_in(log) == [
        *range(FILE_RECORDS),
        *range(1_000, 1_000 + 2 * FILE_RECORDS),
    ]


def test_a_directory_that_can_not_be_made_is_a_problem_until_it_can(tmp_path):
    place = tmp_path / "missing"
    log = EventLog(str(place / "log"))
    log.open()
    (problem,) = log.problems
    assert problem.startswith("the event log can not be read")
    assert log.boot == 0
    events = posted(1)
    with pytest.raises(EventLogError, match="events wait to be logged"):
        log.append(events, LIMIT)
    place.mkdir()
    assert log.append(events, LIMIT) == 1
    assert log.problems == []
    assert log.boot == 1


def test_a_foreign_file_of_any_size_is_survived_and_not_read_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "0.bin").write_bytes(b"x" * 1_000_000)
    read = []

    opens = builtins.open  # what reads is imported anew each time

    def counting(path, *mode):
        if str(path).endswith(".bin"):
            read.append(mode)
        return opens(path, *mode)

    monkeypatch.setattr(builtins, "open", counting)
    log = opened(tmp_path)
    assert 0 < len(read) < 30
    logged(log, [1, 2, 3])
    assert values_in(log) == [1, 2, 3]
    assert values_in(opened(tmp_path)) == [1, 2, 3]


def test_events_that_are_logged_while_somebody_reads_do_not_mix_in(tmp_path):
    log = logged(opened(tmp_path), range(4 * FILE_RECORDS - 10))
    reader = log.records(10_000)
    seen = [next(reader)[0] for _ in range(5)]
    logged(log, range(300))  # 10 fit into the last file, the others replace the two oldest
    seen += [record[0] for record in reader]
    assert seen == sorted(set(seen), reverse=True)
    assert seen[0] == 4 * FILE_RECORDS - 10
    assert len(seen) == FILE_RECORDS - 10 + FILE_RECORDS


def test_a_batch_costs_about_one_block_erase_and_never_more_than_two():
    lines = [line.split() for line in run_micropython("wear.py").splitlines()]
    wear = {name: [int(number) for number in numbers] for name, *numbers in lines}
    for name in ("one_event", "eight_events"):
        batches, _, erases, most, blocks = wear[name]
        assert batches / 2 < erases < 1.25 * batches
        assert most <= 2
        assert blocks <= 12
    saves, _, erases, most, _ = wear["state"]
    assert erases < 1.5 * saves
    assert most <= 3
