"""The link service, on a controller in the shape of machine.CAN whose bus the test decides."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.table import INVALID, rows
from host_tests.inverter.pack import FAULTS, encode, healthy, parameters_with, put
from host_tests.inverter.virtual_time import TICKS_PERIOD, VirtualTime
from inverter.link import InverterLink
from inverter.profiles import load
from links import peer_rows, verdict_rows
from links.diagnosis import CAN, CAN_BUS_OFFS, CAN_TRANSMIT_ERRORS, PEER, VERDICT, Diagnosis

SENT = [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]  # inverter_can.md 1.1
CURRENT = 0x356
START_MS = 5_000


class Controller:
    """Three transmit buffers and a bus that is well, silent (no acknowledge), or off."""

    STATE_STOPPED, STATE_ACTIVE, STATE_WARNING, STATE_PASSIVE, STATE_BUS_OFF = range(5)
    TX_QUEUE_LEN = 3
    FLAG_EXT_ID = 2

    def __init__(self, time):
        self.time = time
        time.listeners.append(self._pass)
        self.on_bus = True  # somebody acknowledges
        self.error_state = self.STATE_ACTIVE
        self.gone = False
        self.failing_calls = 0  # so many next sends raise OSError
        self.waiting = [None] * self.TX_QUEUE_LEN
        self.sent = []  # (time, identifier, bytes)
        self.inbox = []  # identifiers, or pairs of identifier and bytes
        self.restarts = []  # times
        self.filters = None
        self.error_counters = [0, 0]

    def _pass(self, milliseconds):
        if self.on_bus and self.error_state == self.STATE_ACTIVE:
            for index, frame in enumerate(self.waiting):
                if frame is not None:
                    self.sent.append((self.time.now_ms, *frame))
                    self.waiting[index] = None

    def set_filters(self, filters):
        if self.gone:
            raise OSError("no controller answers")
        self.filters = filters

    def send(self, identifier, data, flags=0):
        if self.failing_calls:
            self.failing_calls -= 1
            raise OSError("the SPI peripheral failed")
        if None not in self.waiting:
            return None
        index = self.waiting.index(None)
        self.waiting[index] = (identifier, bytes(data))
        return index

    def cancel_send(self, index):
        waited = self.waiting[index] is not None
        self.waiting[index] = None
        return waited

    def recv(self, message):
        if not self.inbox:
            return None
        frame = self.inbox.pop(0)
        message[0], message[1] = frame if isinstance(frame, tuple) else (frame, bytes(8))
        message[2] = self.FLAG_EXT_ID if message[0] > 0x7FF else 0
        return message

    def state(self):
        return self.STATE_STOPPED if self.gone else self.error_state

    def restart(self):
        self.restarts.append(self.time.now_ms)
        if self.gone:
            raise OSError("no controller answers")
        self.waiting = [None] * self.TX_QUEUE_LEN

    def get_counters(self, counters):
        counters[0:2] = self.error_counters
        counters[5] = sum(frame is not None for frame in self.waiting)
        return counters


class Bench:
    """A link on its controller, with a healthy pack whose fast path counts the seconds."""

    def __init__(self, start_ms=START_MS, profile="pylontech", **settings):
        self.time = VirtualTime(start_ms)
        self.start_ms = start_ms
        self.points = healthy()
        self.can = Controller(self.time)
        self.diagnosis = Diagnosis()
        self.shut_downs = 0
        self.profile = load(profile, self.points, FAULTS, parameters_with(settings))
        self.link = InverterLink(
            self.can,
            self.profile,
            self.points,
            self.diagnosis,
            self.time.ticks_ms,
            self.time.ticks_diff,
            self._shut_down,
        )
        self.fast_path_runs = True
        self.time.listeners.append(self._fast_path)

    def _shut_down(self):
        self.shut_downs += 1
        return self.shut_downs > 1  # the first time it has no room for the request

    def _fast_path(self, milliseconds):
        if self.fast_path_runs:
            put(self.points, uptime_s=self.time.now_ms // 1000)

    def at(self, after_ms, action):
        """Call `action` once, so long after the start."""

        def listen(milliseconds):
            if self.time.now_ms == self.start_ms + after_ms:
                action()

        self.time.listeners.append(listen)

    def run(self, duration_ms):
        self.time.run(self.link.run(), duration_ms)

    def begins(self):
        """When each set of frames began, in ms after the start of the link."""
        return [at - self.start_ms for at, identifier, _ in self.can.sent if identifier == SENT[0]]


def test_all_frames_go_out_every_second_in_order():
    bench = Bench()
    bench.run(10_000)
    assert [identifier for _, identifier, _ in bench.can.sent] == SENT * 10
    assert bench.link.sent == 60
    assert bench.link.failed == 0


def test_frames_are_those_of_the_profile():
    bench = Bench()
    bench.run(500)
    sent = {identifier: data for _, identifier, data in bench.can.sent}
    # The charge voltage limit begins at the pack voltage, 53.1 V.
    assert sent.pop(0x351) == bytes.fromhex("1302F401E803E001")
    expected = encode(healthy())
    del expected[0x351]
    assert sent == expected


def test_a_receiver_with_two_buffers_has_time_to_empty_them():
    bench = Bench()
    bench.run(900)
    times = [at for at, _, _ in bench.can.sent]
    for first, third in zip(times, times[2:], strict=False):
        assert third - first >= 5


def test_the_period_does_not_drift_on_a_busy_board():
    bench = Bench()
    bench.time.oversleep_ms = 7
    bench.run(200_000)
    begins = bench.begins()
    assert len(begins) == 200
    for period, begin in enumerate(begins):
        assert abs(begin - period * 1000) <= 20


def test_after_a_long_stall_only_the_present_is_sent():
    bench = Bench()
    bench.at(2500, lambda: bench.time.pass_ms(4000))
    bench.run(10_000)
    # The stall ends 6.5 s after the start.
    assert [begin // 500 for begin in bench.begins()] == [0, 2, 4, 13, 15, 17, 19]
    assert bench.link.skipped == 3


def test_the_wrap_of_the_ticks_goes_unnoticed():
    bench = Bench(start_ms=TICKS_PERIOD - 2500)
    bench.run(6000)
    assert bench.begins() == [1, 1001, 2001, 3001, 4001, 5001]
    assert bench.link.skipped == 0


def test_frames_follow_the_points():
    bench = Bench()
    bench.at(1500, lambda: put(bench.points, current_ma=-30000))
    bench.run(3000)
    currents = [
        int.from_bytes(data[2:4], "little", signed=True)
        for _, identifier, data in bench.can.sent
        if identifier == CURRENT
    ]
    assert currents == [123, 123, -300]


@settings(max_examples=25, deadline=None)
@given(
    profile=st.sampled_from(("pylontech", "luxpower", "growatt_lv", "byd_hv", "victron")),
    frames=st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from((0x151, 0x300, 0x301, 0x305, 0x307, 0x351)),
                st.integers(0, 0x7FF),
                st.integers(0x800, (1 << 29) - 1),
            ),
            st.binary(max_size=8),
        ),
        max_size=60,
    ),
)
def test_whatever_is_on_the_bus_frames_go_on(profile, frames):
    bench = Bench(profile=profile)
    bench.at(500, lambda: bench.can.inbox.extend([*frames, (bench.profile.keepalives[0], b"")]))
    bench.run(8_000)
    assert not bench.can.inbox
    assert bench.link.keepalives >= 1
    assert bench.link.errors == 0
    late = [at for at, _, _ in bench.can.sent if at > START_MS + 4000]
    assert len(late) >= 2


def test_nothing_waits_for_the_inverter():
    bench = Bench()
    bench.run(5000)
    assert bench.link.keepalives == 0
    assert bench.link.keepalive_age_ms == -1
    assert bench.link.sent == 30


def test_the_inverters_frames_are_counted_and_age():
    bench = Bench()
    bench.at(1500, lambda: bench.can.inbox.extend([0x305, 0x307, 0x305, 0x123]))
    bench.run(6500)
    assert bench.link.keepalives == 2
    assert bench.link.unknown == 1, "0x307 is what a Venus sends beside 0x305"
    assert 3000 <= bench.link.keepalive_age_ms <= 5000


def test_the_inverters_frame_has_a_filter_of_its_own():
    bench = Bench()
    bench.run(100)
    assert bench.can.filters[0] == (0x305, 0x7FF, 0)


def test_a_flood_of_frames_does_not_hold_up_sending():
    bench = Bench()
    bench.time.listeners.append(lambda _: bench.can.inbox.extend([0x123] * 10))
    bench.run(5000)
    assert bench.link.sent == 30


def test_without_acknowledge_a_cycle_is_short_and_nothing_old_is_sent_later():
    bench = Bench()
    bench.can.on_bus = False

    def connect():
        put(bench.points, current_ma=0)
        bench.can.on_bus = True

    bench.at(2500, connect)
    bench.run(4000)
    assert bench.link.failed == 18
    assert bench.link.sent == 6
    assert [identifier for _, identifier, _ in bench.can.sent] == SENT
    assert min(at for at, _, _ in bench.can.sent) >= START_MS + 3000
    assert bench.begins() == [3001], "a dead bus must not shift the rhythm"


def test_bus_off_is_left_by_restarts_with_growing_pauses():
    bench = Bench()
    bench.can.error_state = Controller.STATE_BUS_OFF
    bench.run(150_000)
    times = [0, *(at - START_MS for at in bench.can.restarts)]
    seconds = [round((later - sooner) / 1000) for sooner, later in pairwise(times)]
    assert seconds[:8] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert bench.link.restarts == len(bench.can.restarts)
    assert bench.link.sent == 0


def test_nothing_waits_in_the_controller_while_it_is_off():
    bench = Bench()
    bench.can.error_state = Controller.STATE_BUS_OFF
    bench.run(600)
    assert bench.can.waiting == [None] * 3


def test_after_a_good_second_the_next_pause_is_short_again():
    bench = Bench()

    def turn(state):
        return lambda: setattr(bench.can, "error_state", state)

    bench.can.error_state = Controller.STATE_BUS_OFF
    bench.at(10_500, turn(Controller.STATE_ACTIVE))
    bench.at(20_500, turn(Controller.STATE_BUS_OFF))
    bench.at(21_500, turn(Controller.STATE_ACTIVE))
    bench.run(30_000)
    late = [at - START_MS for at in bench.can.restarts if at - START_MS > 20_500]
    assert [round(at / 1000) for at in late] == [22]


def test_errors_of_the_bus_are_counted_and_the_link_goes_on():
    bench = Bench()
    bench.at(500, lambda: setattr(bench.can, "failing_calls", 2))
    bench.run(6000)
    assert bench.link.errors == 2
    assert "SPI peripheral" in str(bench.link.last_error)
    assert len(bench.begins()) == 4


def test_a_controller_that_is_gone_ends_the_service_with_its_reason():
    bench = Bench()
    bench.at(1500, lambda: setattr(bench.can, "gone", True))
    with pytest.raises(OSError, match="no controller answers"):
        bench.run(10_000)
    assert bench.time.now_ms - START_MS < 4000


def test_a_service_started_without_its_controller_says_so_at_once():
    bench = Bench()
    bench.can.gone = True
    with pytest.raises(OSError, match="no controller answers"):
        bench.run(10_000)


def test_values_of_a_fast_path_that_stands_still_are_not_sent_as_live():
    bench = Bench()
    bench.at(2500, lambda: setattr(bench, "fast_path_runs", False))
    bench.at(9500, lambda: setattr(bench, "fast_path_runs", True))
    bench.run(12_000)
    live = {
        round((at - START_MS) / 1000)
        for at, identifier, _ in bench.can.sent
        if identifier == 0x355
    }
    # Values of second 2 are taken for live at most 3 s longer.
    assert live == {0, 1, 2, 3, 4, 10, 11}
    assert len(bench.begins()) == 12, "the inverter still hears that nothing is allowed"


def test_a_pack_that_is_not_measured_is_still_talked_about():
    bench = Bench()
    put(bench.points, pack_voltage_mv=INVALID)
    bench.run(3000)
    assert [identifier for _, identifier, _ in bench.can.sent] == [0x351, 0x359, 0x35C, 0x35E] * 3


def test_a_steady_second_leaves_its_counters_small():
    bench = Bench()
    bench.run(60_000)
    assert bench.link.sent == 360
    assert (bench.link.errors, bench.link.skipped, bench.link.restarts) == (0, 0, 0)


GROWATT_ASKS = (0x301, bytes.fromhex("1122334455667788"))


def test_a_growatt_is_answered_when_it_asks_and_not_beside():
    bench = Bench(profile="growatt_lv")
    for second in range(2, 8):
        bench.at(1000 * second + 430, lambda: bench.can.inbox.append(GROWATT_ASKS))
    bench.run(8000)
    begins = [at - START_MS for at, identifier, _ in bench.can.sent if identifier == 0x311]
    assert [begin // 1000 for begin in begins] == [0, 1, 2, 2, 3, 4, 5, 6, 7]
    for begin in begins[3:]:
        assert 430 <= begin % 1000 <= 540, "answered within a tenth of a second"


def test_a_growatt_that_does_not_ask_hears_everything_all_the_same():
    bench = Bench(profile="growatt_lv")
    bench.at(1430, lambda: bench.can.inbox.append(GROWATT_ASKS))
    bench.run(12_000)
    begins = [at - START_MS for at, identifier, _ in bench.can.sent if identifier == 0x311]
    assert len([begin for begin in begins if begin > 5000]) >= 6


def test_a_flood_of_questions_does_not_make_a_flood_of_answers():
    bench = Bench(profile="growatt_lv")
    bench.time.listeners.append(lambda _: bench.can.inbox.append(GROWATT_ASKS))
    bench.run(5000)
    begins = [at for at, identifier, _ in bench.can.sent if identifier == 0x311]
    assert 5 <= len(begins) <= 25
    assert len(bench.can.sent) < 100 * 5


def test_an_inverter_for_byd_hv_is_told_nothing_until_it_speaks():
    bench = Bench(profile="byd_hv")
    bench.at(3_050, lambda: bench.can.inbox.append((0x151, b"\x01GOODWE ")))
    bench.run(40_000)
    sent = [(at - START_MS, identifier) for at, identifier, _ in bench.can.sent]
    assert min(at for at, _ in sent) >= 3_050
    named = [identifier for at, identifier in sent if at < 4_000]
    assert named[:7] == [0x250, 0x290, 0x2D0, 0x3D0, 0x3D0, 0x3D0, 0x3D0]
    limits = [at for at, identifier in sent if identifier == 0x110]
    assert all(1900 <= later - sooner <= 2100 for sooner, later in pairwise(limits[1:]))
    charge = [at for at, identifier in sent if identifier == 0x150]
    assert all(9900 <= later - sooner <= 10_100 for sooner, later in pairwise(charge))
    assert len([at for at, identifier in sent if identifier == 0x250]) == 1


def test_a_luxpower_may_ask_the_pack_to_switch_itself_off():
    bench = Bench(profile="luxpower")
    bench.at(2500, lambda: bench.can.inbox.append((0x300, bytes(8))))
    bench.at(4500, lambda: bench.can.inbox.append((0x300, b"\x01" + bytes(7))))
    bench.run(4000)
    assert bench.shut_downs == 0
    bench.run(6000)
    assert bench.shut_downs == 2, "once more, because there was no room the first time"


def test_other_profiles_do_not_listen_to_that():
    bench = Bench()
    bench.at(1500, lambda: bench.can.inbox.append((0x300, b"\x01" + bytes(7))))
    bench.run(5000)
    assert bench.shut_downs == 0


def test_the_period_is_a_setting():
    bench = Bench(inverter_period_ms=500)
    bench.run(10_000)
    assert len(bench.begins()) == 20


# What diagnosis makes of it

VERDICTS = [row[4] for row in rows(verdict_rows.ROWS)]
PEERS = [row[0] for row in rows(peer_rows.ROWS)]


def judged(bench, duration_ms=20_500):
    """The verdict on the latest ten seconds of a run, and the peer."""

    def step(milliseconds):
        if bench.time.now_ms % 1000 == 999:
            bench.diagnosis.step(1000)

    bench.time.listeners.append(step)
    bench.run(duration_ms)
    return (
        VERDICTS[bench.diagnosis.values[VERDICT + CAN]],
        PEERS[bench.diagnosis.values[PEER + CAN]],
    )


def every_second(bench, *frames, at_ms=430, until_ms=60_000):
    def listen(milliseconds):
        now_ms = bench.time.now_ms - START_MS
        if now_ms % 1000 == at_ms and now_ms < until_ms:
            bench.can.inbox.extend(frames)

    bench.time.listeners.append(listen)


def test_an_inverter_that_answers_is_well():
    bench = Bench()
    every_second(bench, 0x305)
    assert judged(bench) == ("can_well", "pylontech_can")


def test_an_inverter_that_never_spoke_is_told_apart_from_one_that_fell_silent():
    assert judged(Bench())[0] == "can_never_heard"
    bench = Bench()
    every_second(bench, 0x305, until_ms=5000)
    assert judged(bench, 40_500)[0] == "can_silent"


def test_the_pauses_of_a_deye_are_no_silence():
    """inverter_can.md 1.8: every 2 h more than 3 s, at midnight more than 5 s."""
    bench = Bench()
    every_second(bench, 0x305, until_ms=12_000)
    bench.time.listeners.append(
        lambda _: bench.can.inbox.append(0x305) if bench.time.now_ms == START_MS + 18_500 else None
    )
    assert judged(bench)[0] == "can_well"


def test_nobody_acknowledges():
    bench = Bench()
    bench.can.on_bus = False
    bench.can.error_state = Controller.STATE_PASSIVE
    bench.can.error_counters = [128, 0]
    assert judged(bench)[0] == "can_no_acknowledge"
    assert bench.diagnosis.values[CAN_TRANSMIT_ERRORS] == 128


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ([128], "can_no_acknowledge"),  # ISO 11898-1: acknowledges alone count no further
        ([127, 135], "can_no_acknowledge"),
        ([184], "can_bus_off"),
        ([120, 0, 88, 0], "can_bus_off"),  # it left, and was back before anybody looked
    ],
)
def test_bus_off_is_noticed_although_the_controller_comes_back_by_itself(counts, verdict):
    """An MCP2515 is off for 2.8 ms at 500 kbit/s only (DS20001801J, section 6.6)."""
    bench = Bench()
    bench.can.on_bus = False

    def count(milliseconds):
        if bench.time.now_ms % 5 == 0:
            place = bench.time.now_ms // 5 % len(counts) if len(counts) > 2 else -1
            bench.can.error_counters[0] = counts[place]

    bench.time.listeners.append(count)
    assert judged(bench, 30_500)[0] == verdict
    offs = bench.diagnosis.values[CAN_BUS_OFFS]
    if verdict == "can_bus_off":
        assert 3 <= offs <= 10, "with growing pauses"
        assert bench.link.restarts >= 3
    else:
        assert offs == bench.link.restarts == 0


def test_a_counter_that_falls_with_every_frame_is_a_bus_that_heals():
    bench = Bench()
    every_second(bench, 0x305)
    errors = [100]

    def heal(milliseconds):
        errors[0] = max(0, 100 - bench.link.sent)
        bench.can.error_counters[0] = errors[0]

    bench.time.listeners.append(heal)
    assert judged(bench)[0] == "can_well"
    assert bench.diagnosis.values[CAN_BUS_OFFS] == 0


def test_bus_off_and_recovery():
    bench = Bench()
    bench.can.error_state = Controller.STATE_BUS_OFF
    assert judged(bench)[0] == "can_bus_off"
    assert bench.diagnosis.values[CAN_BUS_OFFS] >= 3
    bench.can.error_state = Controller.STATE_ACTIVE
    every_second(bench, 0x305)
    bench.run(35_000)
    assert VERDICTS[bench.diagnosis.values[VERDICT + CAN]] == "can_well"


def test_a_missing_controller():
    bench = Bench()
    bench.can.gone = True
    with pytest.raises(OSError, match="no controller"):
        judged(bench)
    bench.diagnosis.step(10_000)
    assert VERDICTS[bench.diagnosis.values[VERDICT + CAN]] == "can_no_controller"


def test_damaged_frames():
    bench = Bench()
    every_second(bench, 0x305)

    def worse(milliseconds):
        if bench.time.now_ms % 1000 == 0:
            bench.can.error_counters[1] += 1

    bench.time.listeners.append(worse)
    assert judged(bench)[0] == "can_damaged"


def test_another_battery_on_the_bus():
    bench = Bench()
    every_second(bench, 0x305, 0x351, 0x355)
    assert judged(bench)[0] == "can_twin"


@pytest.mark.parametrize(
    ("profile", "frame", "peer"),
    [
        ("pylontech", GROWATT_ASKS, "growatt"),
        ("pylontech", 0x151, "byd_client"),
        ("growatt_lv", 0x305, "pylontech_can"),
        ("byd_hv", 0x305, "pylontech_can"),
        ("pylontech", 0x4200, "wide"),  # inverter_can.md 1.9: Pylontech HV, 29 bits
        ("auto", 0x1871_0605, "wide"),
    ],
)
def test_an_inverter_that_speaks_another_language_and_who_it_is(profile, frame, peer):
    bench = Bench(profile=profile)
    every_second(bench, frame)
    assert judged(bench) == ("can_other_language", peer)
    assert bench.link.unknown >= 19


def test_other_traffic_in_29_bit_identifiers_is_no_language_where_the_inverter_is_heard():
    """As of NMEA 2000 devices beside a GX device."""
    bench = Bench(profile="victron")
    every_second(bench, (0x307, b"\x12\x34\x56\x78VIC\0"), 0x305, 0x19F2_1401)
    bench.can.inbox.append(0x305)
    assert judged(bench) == ("can_well", "victron")


@pytest.mark.parametrize(
    ("profile", "frames", "peer"),
    [
        ("victron", [0x305, 0x306, (0x307, b"\x12\x34\x56\x78VIC\0")], "victron"),
        # madsci1016, NOTES_recvd_sma_can_msgs: voltage, current, temperature
        ("sma", [(0x305, bytes.fromhex("0A020500E600DE03")), 0x300, 0x301], "sma"),
        ("growatt_lv", [GROWATT_ASKS], "growatt"),
        ("luxpower", [0x305, 0x300], "luxpower"),
        ("byd_hv", [(0x151, b"\0FRONIUS")], "byd_client"),
        ("pylontech", [0x305], "pylontech_can"),
    ],
)
def test_who_is_there(profile, frames, peer):
    bench = Bench(profile=profile)
    every_second(bench, *frames)
    assert judged(bench)[1] == peer


def test_a_deye_is_known_by_answering_at_once():
    """YAM_behavior.md: 0x305 comes in answer to 0x356 only."""
    bench = Bench()
    every_second(bench, 0x305, at_ms=25)
    assert judged(bench)[1] == "deye"
