"""No frame of a burst at 500 kbit/s is lost, whatever the firmware is doing."""

import pytest

from canbus.mcp2515_drained import RING
from host_tests.canbus.burst import Wire

BURST = 6  # frames: issue 6
SIX = [0x100 + number for number in range(BURST)]
STEP_US = 8_000  # of the fast path on an RP2040: what a soft callback may have to wait
LOOK_US = 100_000  # between two looks of the link


def test_a_burst_is_fetched_whole_and_in_order():
    wire = Wire()
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX
    assert wire.can.get_counters([0] * 8)[7] == 0


def test_frames_may_follow_each_other_without_end_as_far_as_the_ring_goes():
    wire = Wire()
    wire.burst(RING - 1)
    wire.time.pass_us(LOOK_US)
    assert len(wire.fetched()) == RING - 1


@pytest.mark.parametrize("latency_us", [0, 100, 200, 250])
def test_the_interrupt_may_be_late_by_what_else_holds_interrupts_off(latency_us):
    wire = Wire(latency_us)
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX


def test_a_soft_callback_would_be_too_late_behind_the_fast_path():
    wire = Wire(STEP_US)
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert len(wire.fetched()) == 2
    assert wire.can.state() == wire.can.STATE_ACTIVE  # where overruns are counted
    assert wire.can.get_counters([0] * 8)[7] == 1


@pytest.mark.parametrize("phase_us", range(0, 1500, 13))
def test_a_burst_that_meets_the_owner_at_its_own_transactions_is_whole(phase_us):
    """Send, state, counters and recv, begun at every phase of the burst."""
    wire = Wire()
    wire.burst(BURST)
    wire.time.pass_us(phase_us)
    fetched = wire.fetched()
    for _ in range(3):
        wire.can.send(0x351, bytes(8))
        wire.can.state()
        wire.can.get_counters([0] * 8)
        fetched += wire.fetched()
    wire.time.pass_us(LOOK_US)
    assert fetched + wire.fetched() == SIX


def test_a_frame_that_comes_while_one_is_handed_over_does_not_mix_with_it():
    for phase_us in range(0, 450, 5):
        wire = Wire()
        wire.burst(2)
        wire.time.pass_us(phase_us)
        assert wire.can.send(0x351, bytes(8)) is not None
        wire.time.pass_us(LOOK_US)
        assert wire.fetched() == SIX[:2]


def test_what_the_ring_can_not_hold_is_counted_and_told():
    wire = Wire()
    wire.burst(RING + 3)
    wire.time.pass_us(LOOK_US)
    counters = wire.can.get_counters([0] * 8)
    # One was fetched in vain; the chip keeps the two after it, and counts the last one itself.
    assert counters[6] == RING - 1 + 2
    assert counters[7] == 1
    wire.can.state()
    assert wire.can.get_counters([0] * 8)[7] == 2
    message = [0, memoryview(bytearray(8)), 0, 0]
    wire.can.recv(message)
    assert message[3] == wire.can.RECV_ERR_OVERRUN
    assert len(wire.fetched()) == RING
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX


def test_without_the_wire_frames_are_polled_as_before():
    wire = Wire(connected=False)
    for identifier in (1, 2):
        wire.chip.receive((identifier, bytes(8), False, False))
    assert wire.fetched() == [1, 2]


def test_an_edge_that_nobody_saw_does_not_silence_the_chip():
    wire = Wire()
    wire.line.dead = True  # as if the interrupt were lost
    wire.burst(2)
    wire.time.pass_us(LOOK_US)
    wire.line.dead = False
    assert wire.fetched() == SIX[:2]
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX


def test_the_inverters_filters_leave_both_buffers_to_every_frame():
    wire = Wire()
    wire.can.set_filters(((0x305, 0x7FF, 0), (0, 0, 0)))
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX
    wire.can.set_filters(((0x101, 0x7FF, 0),))
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == [0x101]


def test_a_chip_that_lost_its_supply_does_not_hold_the_processor():
    """Its INT falls, and what is read from nobody is all ones: full, for ever."""
    wire = Wire()
    looks = []

    def nobody(_out, reply):
        looks.append(len(reply))
        assert len(looks) < 100, "the interrupt never ends"
        reply[0:] = b"\xff" * len(reply)

    wire.can._transfer = nobody
    wire.can._drain(None)
    assert looks


def test_restart_listens_again():
    wire = Wire()
    wire.can.restart()
    wire.burst(BURST)
    wire.time.pass_us(LOOK_US)
    assert wire.fetched() == SIX
