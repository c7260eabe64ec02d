"""`cellsteward decode`: recordings of ours, of real batteries, and of bad ones."""

import json

import can
import pytest
from typer.testing import CliRunner

from cellsteward.can_layout import profile_names
from cellsteward.can_logs import Frame, LogError, read_log
from cellsteward.cli import app
from cellsteward.decode import decode, report
from host_tests.inverter.pack import encode_all, healthy, put_fault
from inverter.conditions import ASKED, AWAKE

KEEPALIVE = {"growatt_lv": 0x301, "byd_hv": 0x151}
TRUTH = {
    "charge_voltage_limit_mv": 56000,
    "charge_current_limit_ma": 50000,
    "discharge_current_limit_ma": 100000,
    "pack_voltage_mv": 53120,
    "current_ma": 12300,
    "temperature_max_dc": 243,
}


def recording(profile, seconds=20, points=None, **options):
    """What a bus with our battery and an inverter carries."""
    frames = []
    for second in range(seconds):
        at = 1000.0 + second
        frames.append(Frame(at, KEEPALIVE.get(profile, 0x305), bytes(8)))
        told = encode_all(points or healthy(), profile, heard=AWAKE | ASKED, **options)
        for place, (identifier, data) in enumerate(told):
            frames.append(Frame(at + 0.003 * place, identifier, data))
    return frames


def candump(frames):
    return "".join(
        f"({frame.time_s:.6f}) can0 {frame.identifier:03X}#{frame.data.hex().upper()}\n"
        for frame in frames
    )


def printed(frames):
    return "".join(
        f"  can0  {frame.identifier:03X}   [{len(frame.data)}]  {frame.data.hex(' ').upper()}\n"
        for frame in frames
    )


def slcan(frames, stamps):
    lines = []
    for frame in frames:
        stamp = f"{int(frame.time_s * 1000) % 60000:04X}" if stamps else ""
        data = frame.data.hex().upper()
        lines.append(f"t{frame.identifier:03X}{len(frame.data)}{data}{stamp}\r")
    return "".join(lines)


def asc(path, frames):
    with can.ASCWriter(path) as writer:
        for frame in frames:
            writer.on_message_received(
                can.Message(
                    timestamp=frame.time_s,
                    arbitration_id=frame.identifier,
                    data=frame.data,
                    is_extended_id=False,
                )
            )


@pytest.mark.parametrize("form", ["candump", "printed", "slcan", "slcan with stamps", "asc"])
def test_every_kind_of_log_says_the_same(tmp_path, form):
    frames = recording("pylontech")
    path = tmp_path / "log.asc"
    if form == "asc":
        asc(path, frames)
    else:
        path = tmp_path / "log.txt"
        text = {
            "candump": candump(frames),
            "printed": printed(frames),
            "slcan": slcan(frames, False),
            "slcan with stamps": slcan(frames, True),
        }[form]
        path.write_text(text, newline="")
    read = read_log(path)
    assert [(f.identifier, f.data) for f in read] == [(f.identifier, f.data) for f in frames]
    decoded = decode(read, "pylontech")
    assert decoded.complaints == []
    assert decoded.points["pack_voltage_mv"].last == 53120
    timed = form not in ("printed", "slcan")
    assert decoded.duration_s == pytest.approx(19.015 if timed else 0, abs=0.02)


def test_dates_count_and_news_of_the_controller_are_no_frames(tmp_path):
    """candump -t A; and CAN_ERR_FLAG (bit 29) of Linux, as in a log of candump with errors on."""
    path = tmp_path / "log"
    path.write_text(
        " (2026-11-28 23:59:59.500000)  can0  305   [8]  00 00 00 00 00 00 00 00\n"
        " (2026-11-28 23:59:59.600000)  can0  20000004   [4]  00 04 00 00   ERRORFRAME\n"
        " (2026-11-29 00:00:01.000000)  can0  355   [4]  40 00 63 00\n"
    )
    read = read_log(path)
    assert [frame.identifier for frame in read] == [0x305, 0x355]
    assert decode(read, "pylontech").duration_s == pytest.approx(1.5)
    path.write_text("(1.000000) can0 20000080#0000000000000000\n(1.100000) can0 355#40006300\n")
    assert [frame.identifier for frame in read_log(path)] == [0x355]


def test_stamps_of_slcan_wrap_after_a_minute(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(slcan(recording("pylontech", 130), True).encode())
    assert decode(read_log(path), "pylontech").duration_s == pytest.approx(129.015, abs=0.02)


@pytest.mark.evidence("a recording of our frames", "`cellsteward decode`, as a strict reader")
@pytest.mark.parametrize("profile", profile_names())
def test_our_own_frames_are_beyond_complaint_and_say_the_truth(profile):
    decoded = decode(recording(profile), profile)
    complaints = [text for text in decoded.complaints if "every 1.0 s" not in text]
    known = "0x35E: the name 'CELLSTEW'"  # a name of our own has no quirks
    assert [text for text in complaints if not text.startswith(known)] == []
    for name, value in TRUTH.items():
        coarse = 100 if name == "pack_voltage_mv" else 50
        assert decoded.points[name].last == pytest.approx(value, abs=coarse), name
    assert decoded.raised == {}


def test_a_pack_that_is_not_measured_is_no_reason_to_complain_but_for_what_is_missing():
    decoded = decode(recording("pylontech", live=False), "pylontech")
    assert decoded.complaints == [
        "never sent, as while the battery is not measured: 0x355, 0x356",
    ]
    assert decoded.raised == {"alarm_other": 20}
    assert "soc_bp" not in decoded.points


def test_alarms_are_named():
    points = healthy()
    put_fault(points, "faults", "cell_overvoltage")
    put_fault(points, "warnings", "overtemperature_charge")
    decoded = decode(recording("auto", points=points), "auto")
    assert set(decoded.raised) == {
        "alarm_cell_overvoltage",
        "warning_overtemperature_charge",
    }


# syssi/esphome-virtual-can-bms issue 3: a Seplos pack before a Venus GX
SEPLOS = """
  can8  305   [8]  00 00 00 00 00 00 00 00
  can8  307   [8]  12 34 56 78 56 49 43 00
  can8  351   [8]  43 02 E8 03 9E 07 D0 01
  can8  355   [8]  3C 00 64 00 84 17 00 00
  can8  356   [8]  61 14 D3 FE EB 00 1A 00
  can8  35A   [8]  AA AA AA 02 AA AA AA 02
  can8  35E   [8]  53 48 45 6E 65 72 67 79
  can8  372   [8]  01 00 00 00 00 00 00 00
  can8  373   [8]  B9 0C C2 0C 27 01 28 01
"""
# setfirelabs.com: a US5000 with firmware V1.3
US5000 = """
(1.000000) can0 351#1002C012C012C201
(1.010000) can0 355#540060000000
(1.020000) can0 356#7B13E9FE6B01
(1.030000) can0 35A#0000000000000000
(1.040000) can0 35E#50594C4F4E202020
(1.050000) can0 35F#4C4901033C02AA00
(1.060000) can0 305#0000000000000000
"""


def test_a_real_battery_before_venus(tmp_path):
    path = tmp_path / "seplos.log"
    path.write_text(SEPLOS)
    decoded = decode(read_log(path), "victron")
    seen = {name: point.last for name, point in decoded.points.items()}
    assert seen["charge_voltage_limit_mv"] == 57900
    assert seen["discharge_current_limit_ma"] == 195000
    assert seen["soc_bp"] == 6020, "the fine one"
    assert seen["current_ma"] == -30100
    assert (seen["cell_min_mv"], seen["cell_max_mv"]) == (3257, 3266)
    assert seen["temperature_min_dc"] == 220
    assert seen["cycles"] == 26
    assert decoded.inverter == {0x305: 1, 0x307: 1}
    assert all(text.startswith("never sent") for text in decoded.complaints)


@pytest.mark.parametrize(
    "pairs",
    [
        "AA AA AA AA AA AA AA AA",  # a BYD LVS
        "AA AA AA 02 AA AA AA 02",  # a Seplos: unused pairs say nothing
        "AB AA FE AF AA FA FF AA",  # a Discover AES: 11 is "not supported"
    ],
)
def test_the_pairs_of_real_batteries_that_are_well_raise_nothing(pairs):
    """inverter_can.md 1.2 and 1.3."""
    frames = [Frame(1.0 * second, 0x35A, bytes.fromhex(pairs)) for second in range(3)]
    for profile in ("victron", "sma", "byd_lv"):
        decoded = decode(frames, profile)
        assert decoded.raised == {}
        assert not any("cleared" in text for text in decoded.complaints)


def test_a_real_pylontech_of_firmware_13(tmp_path):
    path = tmp_path / "us5000.log"
    path.write_text(US5000)
    decoded = decode(read_log(path), "pylontech_v13")
    assert decoded.complaints == []
    assert decoded.points["soc_bp"].last == 8400
    assert decoded.points["pack_voltage_mv"].last == 49870
    assert decoded.points["design_mah"].last == 572000


def changed(identifier, data, profile="pylontech"):
    """Our recording, with other bytes in one frame."""
    return [
        Frame(frame.time_s, identifier, bytes.fromhex(data))
        if frame.identifier == identifier
        else frame
        for frame in recording(profile)
    ]


@pytest.mark.parametrize(
    ("profile", "identifier", "data", "complaint"),
    [
        ("pylontech", 0x351, "0000F401E803E001", "limit is 0: a Victron"),
        ("pylontech", 0x351, "3002F40118FCE001", "discharge_current_limit_ma is -100000"),
        ("pylontech", 0x351, "3002F401", "4 bytes where the document has 8"),
        ("pylontech", 0x355, "78006400", "soc_bp is 12000"),
        ("pylontech", 0x356, "13020000F300", "pack_voltage_mv is 5310"),
        ("pylontech", 0x359, "00000000010000", "bytes 5 and 6 are not 'PN'"),
        ("pylontech", 0x35C, "4000", "charge is not enabled, but 50 A are offered"),
        ("pylontech", 0x35E, "4142434420202020", "the name 'ABCD' is one that inverters do not"),
        ("sma", 0x351, "8002F401E803E001", "64 V is outside 41 to 63 V: it is dropped"),
        ("sma", 0x355, "400064008813", "differ by more than 1 %"),
        ("sma", 0x35A, "0000000000000000", "never says 'cleared' (10)"),
        ("solark", 0x355, "40006300", "4 bytes where the document has 8"),
        ("growatt_lv", 0x313, "C0147B00F3004063", "wrong scale, sign or byte order"),
    ],
)
def test_what_a_strict_inverter_rejects(profile, identifier, data, complaint):
    complaints = decode(changed(identifier, data, profile), profile).complaints
    assert any(complaint in text for text in complaints), complaints


def test_frames_too_fast_too_slow_and_too_many():
    frames = recording("sma")
    fast = [Frame(1000 + (f.time_s - 1000) / 10, f.identifier, f.data) for f in frames]
    assert any("after 100 ms" in text for text in decode(fast, "sma").complaints)
    slow = [Frame(1000 + 4 * (f.time_s - 1000), f.identifier, f.data) for f in frames]
    complaints = decode(slow, "sma").complaints
    assert any("limits were missing for 4.0 s" in text for text in complaints)
    assert any("0x35F: every 4.0 s where the document has 1 s" in text for text in complaints)
    storm = [Frame(1000 + 0.001 * n, 0x351, bytes.fromhex("3002F401E803E001")) for n in range(900)]
    assert any("900 frames within one second" in t for t in decode(storm, "sma").complaints)


def test_a_voltage_limit_that_jumps():
    frames = recording("pylontech")
    for place, frame in enumerate(frames):
        if frame.identifier == 0x351 and frame.time_s > 1010:
            frames[place] = Frame(frame.time_s, 0x351, bytes.fromhex("1C02F401E803E001"))
    complaints = decode(frames, "pylontech").complaints
    assert complaints == [
        "0x351: the charge voltage limit jumps by -2.0 V at once: downwards a Deye discharges to "
        "the grid, upwards some trip"
    ]


def test_a_silent_inverter_and_long_identifiers():
    frames = [frame for frame in recording("pylontech") if frame.identifier != 0x305]
    frames.append(Frame(1005.0, 0x4210, bytes(8), extended=True))
    complaints = decode(frames, "pylontech").complaints
    assert any("never sent 0x305" in text for text in complaints)
    assert any("29-bit identifier" in text for text in complaints)


def test_a_profile_that_does_not_fit_is_told_with_one_that_does():
    complaints = decode(recording("growatt_lv"), "pylontech").complaints
    assert any("the profile does not fit; try: growatt_lv" in text for text in complaints)


def test_the_command_prints_points_and_complaints(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(candump(changed(0x355, "78006400")))
    result = CliRunner().invoke(app, ["decode", str(path), "--profile", "pylontech"])
    assert result.exit_code == 0
    assert "pack_voltage_mv" in result.output
    assert "soc_bp is 12000" in result.output
    result = CliRunner().invoke(app, ["decode", str(path), "--json"])
    assert json.loads(result.output)["points"]["current_ma"]["last"] == 12300


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (b"hello\n", [], "is no log of candump"),
        (b"", [], "is no log of candump"),
        (candump(recording("pylontech", 1)).encode(), ["--profile", "pylontec"], "No profile"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, content, arguments, sentence):
    path = tmp_path / "log.txt"
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["decode", str(path), *arguments])
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_missing_or_broken_file_is_told(tmp_path):
    result = CliRunner().invoke(app, ["decode", str(tmp_path / "none.log")])
    assert result.exit_code == 2
    broken = tmp_path / "broken.blf"
    broken.write_bytes(b"nonsense")
    with pytest.raises(LogError, match=r"broken\.blf"):
        read_log(broken)


def test_a_report_without_complaints_says_so():
    assert report(decode(recording("pylontech"), "pylontech"))[-1] == "Nothing to complain about."
