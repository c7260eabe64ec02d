"""Several languages on one line: each request gets one answer, in its own language."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.table import rows
from host_tests.jbd.test_jbd import READ_BASIC, READ_CELLS, READ_NAME
from host_tests.links.bench import SETTINGS, Desk
from host_tests.modbus.bench import Line, Uart, with_crc
from host_tests.pylon_rs485.test_pylontech import GOLDEN_63, POLL_61, frame
from links.diagnosis import (
    CRC_ERRORS,
    FRAMES_IN,
    PEER,
    RS485,
    TIMEOUTS,
    UNKNOWN,
    VERDICT,
    Diagnosis,
)
from links.verdict_rows import ROWS as VERDICT_ROWS
from rs485 import port
from serving.serial import SerialLinks

MODBUS = with_crc("0103" + "00ff0001")
PYLONTECH = POLL_61.encode() + b"\r"
AUTO, ONLY_MODBUS, ONLY_PYLONTECH, ONLY_JBD = range(4)
VERDICTS = [row[4] for row in rows(VERDICT_ROWS)]
LANGUAGES = {"modbus": MODBUS, "pylontech": PYLONTECH, "jbd": READ_BASIC}
# A write of registers whose data is a whole JBD request, and one with a Pylontech request.
CARRIES_JBD = with_crc("0110" + "5000" + "0004" + "08" + READ_BASIC.hex() + "00")
CARRIES_PYLONTECH = with_crc("0110" + "5000" + "0009" + "12" + PYLONTECH.hex())


@pytest.fixture(autouse=True)
def _real_asyncio(monkeypatch):
    monkeypatch.setattr(port, "asyncio", port.asyncio)


class Board:
    """An RS485 port in virtual time."""

    def __init__(self, protocol=AUTO, baud=9600, **more):
        self.desk = Desk({**SETTINGS, "rs485_protocol": protocol, **more})
        self.diagnosis = Diagnosis()
        self.links = SerialLinks(
            self.desk.points, self.desk.parameters, self.desk.faults, self.desk.requests,
            self.desk.changes.append, self.diagnosis,
        )  # fmt: skip
        self.line = Line(baud)
        port.asyncio = self.line

    def run(self):
        self.line.run(self.links.rs485(Uart(self.line), self.line.baud, None))
        return [language(answer) for answer in self.line.answers()]

    def count(self, field):
        return self.diagnosis.values[field + RS485]


def language(answer):
    if answer[:1] == b"~":
        return "pylontech"
    if answer[:1] == b"\xdd":
        return "jbd"
    assert with_crc(answer[:-2].hex()) == answer
    return "modbus"


def test_auto_answers_each_master_in_its_language():
    board = Board()
    for number, request in enumerate(3 * list(LANGUAGES.values())):
        board.line.arrives(200 * number, request)
    assert board.run() == 3 * list(LANGUAGES)
    assert board.count(FRAMES_IN) == 9
    assert board.count(CRC_ERRORS) == board.count(UNKNOWN) == board.count(TIMEOUTS) == 0


def test_modbus_is_not_loaded_until_somebody_speaks_it():
    board = Board()
    assert board.links._registers is None
    board.line.arrives(0, PYLONTECH)
    board.line.arrives(300, READ_BASIC)
    assert board.run() == ["pylontech", "jbd"]
    assert board.links._registers is None
    board.line.arrives(0, MODBUS)
    assert "modbus" in board.run()
    assert board.links._registers is not None


def test_what_others_say_in_modbus_is_no_noise_from_the_first_frame_on():
    board = Board()
    board.line.arrives(0, with_crc("0503" + "00ff0001"))
    board.line.arrives(200, with_crc("0503" + "020001"))
    board.line.arrives(400, with_crc("0503" + "00ff0001"))
    assert board.run() == []
    assert board.count(UNKNOWN) == 3
    assert board.count(CRC_ERRORS) == board.count(TIMEOUTS) == 0


def test_a_function_that_nobody_knows_is_refused_also_by_one_that_slept():
    board = Board()
    board.line.arrives(0, with_crc("012b0e0100"))
    assert board.run() == ["modbus"]
    assert board.line.answers()[0][:3] == bytes((1, 0xAB, 1))


def test_a_broadcast_is_obeyed_by_one_that_slept():
    board = Board()
    assert not board.links._door.unlocked()
    board.line.arrives(0, with_crc("0006" + "0f00" + "%04x" % SETTINGS["access_code"]))
    assert board.run() == []
    assert board.links._door.unlocked()


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [(ONLY_MODBUS, "modbus"), (ONLY_PYLONTECH, "pylontech"), (ONLY_JBD, "jbd")],
)
def test_a_port_with_one_language_is_silent_in_the_others(protocol, spoken):
    board = Board(protocol)
    for number, request in enumerate(LANGUAGES.values()):
        board.line.arrives(400 * number, request)
    assert board.run() == [spoken]


def test_only_what_is_spoken_is_loaded():
    board = Board()
    board.line.arrives(0, MODBUS)
    board.run()
    assert [type(spoken).__name__ for spoken in board.links._languages] == [
        "Rtu", "Sleeping", "Sleeping",
    ]  # fmt: skip
    board.line.arrives(board.line.now_ms + 500, READ_NAME)
    board.run()
    assert [type(spoken).__name__ for spoken in board.links._languages] == [
        "Rtu", "Sleeping", "JbdLanguage",
    ]  # fmt: skip


@pytest.mark.parametrize("request_", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("gap_ms", [0, 2, 16, 90])
def test_requests_in_fragments_are_answered_once(request_, gap_ms):
    board = Board()
    board.line.arrives_byte_by_byte(0, request_, gap_ms)
    assert len(board.run()) == 1


@pytest.mark.parametrize("carrier", [CARRIES_JBD, CARRIES_PYLONTECH])
@pytest.mark.parametrize("gap_ms", [0, 5, 50])
def test_a_request_inside_the_data_of_another_is_not_answered(carrier, gap_ms):
    """Whether it comes whole or byte by byte: one request, one answer, in Modbus."""
    board = Board()
    board.line.arrives_byte_by_byte(0, carrier, gap_ms)
    assert board.run() == ["modbus"]


@pytest.mark.parametrize("first", LANGUAGES)
@pytest.mark.parametrize("second", LANGUAGES)
def test_requests_without_a_pause_between_them_are_both_answered(first, second):
    board = Board()
    board.line.arrives(0, LANGUAGES[first] + LANGUAGES[second])
    assert board.run() == [first, second]


@pytest.mark.parametrize("request_", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize(
    "garbage",
    [b"\x00", b"~", b"~20", b"\xdd", b"\xdd\xa5", b"\x01\x03", b"\x01\x10\x10", b"\xff" * 40,
     PYLONTECH[:-1], READ_BASIC[:-1], MODBUS[:-1], GOLDEN_63.encode()],
)  # fmt: skip
def test_a_request_behind_garbage_is_answered(request_, garbage):
    board = Board()
    board.line.arrives(0, garbage + request_)
    answers = board.run()
    assert len(answers) == 1


def test_the_talk_of_other_batteries_is_stepped_over_and_counted():
    board = Board()
    board.line.arrives(0, PYLONTECH)  # wakes the language
    other = frame("", address=3, cid2=0x61)
    board.line.arrives(300, other + frame("00", address=3, cid2=0x00))
    board.line.arrives(600, READ_CELLS)
    board.line.arrives(900, with_crc("0903" + "00ff0001"))
    assert board.run() == ["pylontech", "jbd"]
    assert board.count(UNKNOWN) == 3


def test_the_peer_is_whoever_asked_last():
    board = Board()
    peers = []
    for request in (MODBUS, with_crc("0103" + "9c400003"), PYLONTECH, READ_BASIC):
        board.line.arrives(board.line.now_ms + 300, request)
        board.run()
        peers.append(board.count(PEER))
    assert peers == [1, 2, 3, 4]  # rows of links.peer_rows


def test_half_a_request_counts_as_a_time_out_and_noise_as_damage():
    board = Board()
    board.line.arrives(0, PYLONTECH)
    board.line.arrives(300, PYLONTECH[:10])
    board.line.arrives(900, b"\xf0\xf1\xf2")
    board.run()
    assert (board.count(TIMEOUTS), board.count(CRC_ERRORS)) == (1, 1)


def test_a_wrong_checksum_of_pylontech_is_answered_and_counted():
    board = Board()
    broken = bytearray(PYLONTECH)
    broken[-2] ^= 1
    board.line.arrives(0, bytes(broken))
    assert board.run() == ["pylontech"]
    assert board.line.answers()[0][7:9] == b"02"
    assert board.count(CRC_ERRORS) == 1


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 150),
            st.one_of(
                st.sampled_from(list(LANGUAGES.values())),
                st.binary(max_size=30),
                st.sampled_from([CARRIES_JBD, GOLDEN_63.encode() + b"\r"]),
            ),
        ),
        max_size=8,
    ),
    st.sampled_from(list(LANGUAGES)),
)
def test_after_any_mix_the_next_good_request_is_answered_in_its_language(traffic, last):
    board = Board(baud=115200)
    at_ms = 0
    for wait_ms, data in traffic:
        at_ms += wait_ms
        board.line.arrives(at_ms, data)
    board.line.arrives(at_ms + 300, LANGUAGES[last])
    assert board.run()[-1] == last


# The Modbus TCP list of clients


def client(net, host, **more):
    board = Board(modbus_tcp_client_1_net=net, modbus_tcp_client_1_host=host, **more)
    return board.links._may_connect


def test_nobody_may_connect_while_the_list_is_empty():
    may = client(0, 0)
    for address in ((0, 0, 0, 0), (127, 0, 0, 1), (192, 168, 1, 20)):
        assert not may(bytes(address))


def test_only_the_listed_client_may_connect():
    may = client(192 << 8 | 168, 1 << 8 | 20)
    assert may(bytes((192, 168, 1, 20)))
    for address in ((192, 168, 1, 21), (192, 169, 1, 20), (10, 168, 1, 20)):
        assert not may(bytes(address))


def test_a_host_of_0_0_lets_the_whole_net_in_and_others_have_their_own_rows():
    may = client(192 << 8 | 168, 0, modbus_tcp_client_3_net=10 << 8, modbus_tcp_client_3_host=7)
    assert may(bytes((192, 168, 77, 3)))
    assert may(bytes((10, 0, 0, 7)))
    assert not may(bytes((10, 0, 0, 8)))


def test_a_port_that_fails_says_so_until_it_runs_again():
    board = Board()

    class Gone(Uart):
        def readinto(self, buffer):
            raise OSError("gone")

    board.line.arrives(0, MODBUS)
    with pytest.raises(OSError, match="gone"):
        board.line.run(board.links.rs485(Gone(board.line), 9600, None))
    board.diagnosis.step(10_000)
    assert VERDICTS[board.count(VERDICT)] == "port_closed"
    board.line.arrives(board.line.now_ms + 100, MODBUS)
    board.run()
    board.diagnosis.step(10_000)
    assert VERDICTS[board.count(VERDICT)] == "well"
