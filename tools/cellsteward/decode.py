"""Turns a recording of a CAN bus into points, and into complaints: what a strict inverter rejects.

The layout is that of one of our profiles, whoever sent the frames: a recording of another battery
is read the same way. Each complaint names the frame, what is wrong, and why it matters.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from cellsteward.can_layout import (
    Message,
    Signal,
    layout,
    profile_module,
    profile_names,
)
from cellsteward.can_logs import Frame
from inverter.conditions import ASKED, MEASURED

_INVERTER = range(0x300, 0x310)  # where inverters of Pylontech and SMA send
_BUSY = 100  # frames a second (inverter links 16)
_LATE = 1.5  # of the period
_GAP_LIMITS_S = 3.0  # some stop without 0x351 for this long (inverter_can.md 1.3)
_SMA_S = 0.2  # inverter_can.md 1.2: not faster than every 200 ms
_SILENCE_S = 10.0  # a Deye pauses its 0x305 for more than 5 s
_CLEARED = 2
_STEP_MV = 500  # of the charge voltage limit within a second
_NAMES = (b"PYLON", b"BYD", b"GoodWe", b"GOODWE", b"SHEnergy", b"SMA", b"DEYE", b"Pylontech")
_SANE = {  # lowest and highest of what a low voltage battery can mean, in units of the point
    "soc_bp": (0, 10_000),
    "soh_bp": (0, 10_000),
    "pack_voltage_mv": (8_000, 66_000),
    "temperature_max_dc": (-500, 1200),
    "temperature_min_dc": (-500, 1200),
    "charge_current_limit_ma": (0, 1_200_000),
    "discharge_current_limit_ma": (0, 1_200_000),
    "cell_min_mv": (500, 5_000),
    "cell_max_mv": (500, 5_000),
}
_LIMITS = ("charge_voltage_limit_mv", "charge_current_limit_ma", "discharge_current_limit_ma")


@dataclass
class Seen:
    """What one point or alarm was during the recording."""

    last: int
    low: int
    high: int
    unit: str
    identifier: int
    step: Fraction  # units of the point that make one on the wire

    def add(self, value: int) -> None:
        """One more frame."""
        self.last = value
        self.low = min(self.low, value)
        self.high = max(self.high, value)


@dataclass
class Decoded:
    """points: by name; flags: the latest, such as `charge` for "charging is allowed"; raised: in
    how many frames an alarm was, by name; inverter: how often each identifier came that only
    an inverter sends; complaints: sentences, without their full stops.
    """

    profile: str
    frames: int = 0
    duration_s: float = 0.0
    points: dict[str, Seen] = field(default_factory=dict)
    flags: dict[str, int] = field(default_factory=dict)
    raised: dict[str, int] = field(default_factory=dict)
    inverter: dict[int, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def decode(frames: Iterable[Frame], profile: str) -> Decoded:
    """Everything that a recording says by one profile. Raises ValueError for an unknown one."""
    if profile not in profile_names():
        raise ValueError(
            f"No profile is named '{profile}'; there are: {', '.join(profile_names())}."
        )
    return _Decoder(profile).run(list(frames))


class _Decoder:
    def __init__(self, profile: str):
        self.module = profile_module(profile)
        self.messages = {message.identifier: message for message in layout(self.module)}
        self.keepalives = getattr(self.module, "KEEPALIVES", (0x305,))
        self.strict = profile in ("sma", "goodwe_lv", "solis")
        self.result = Decoded(profile)
        self.times: dict[int, list[float]] = {}
        self.counts: dict[int, int] = {}
        self.foreign: dict[int, int] = {}
        self.told: dict[str, int] = {}  # complaints, and how often
        self.now: dict[str, int] = {}  # point: latest value
        self.cleared = False  # whether any pair ever said so
        self.limit_time_s: float | None = None
        self.limit_mv = 0

    def run(self, frames: list[Frame]) -> Decoded:
        result = self.result
        result.frames = len(frames)
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        if times:
            result.duration_s = max(times) - min(times)
        for frame in frames:
            self.take(frame)
        self.judge_presence()
        self.judge_times(times)
        self.judge_alarms()
        for complaint, count in self.told.items():
            often = f" ({count} times)" if count > 1 else ""
            result.complaints.append(complaint + often)
        return result

    def complain(self, text: str) -> None:
        self.told[text] = self.told.get(text, 0) + 1

    def take(self, frame: Frame) -> None:
        identifier = frame.identifier
        if frame.extended:
            self.complain(f"0x{identifier:08X}: a 29-bit identifier, which these inverters ignore")
            return
        message = self.messages.get(identifier)
        if message is None:
            if identifier in self.keepalives or identifier in _INVERTER:
                self.result.inverter[identifier] = self.result.inverter.get(identifier, 0) + 1
                self.note_time(frame)
            else:
                self.foreign[identifier] = self.foreign.get(identifier, 0) + 1
            return
        self.counts[identifier] = self.counts.get(identifier, 0) + 1
        self.note_time(frame)
        if frame.remote:
            self.complain(f"0x{identifier:03X}: a remote request where the battery sends data")
            return
        self.judge_length(message, frame.data)
        values: dict[str, list[int]] = {}
        for signal in message.signals:
            self.take_signal(message, signal, frame.data, values)
        self.judge_values(message, frame, values)

    def note_time(self, frame: Frame) -> None:
        if frame.time_s is not None:
            self.times.setdefault(frame.identifier, []).append(frame.time_s)

    def take_signal(
        self, message: Message, signal: Signal, data: bytes, values: dict[str, list[int]]
    ) -> None:
        number = signal.to_point(data) if signal.point else signal.raw(data)
        if number is None:
            return
        if not signal.point:
            self.cleared = self.cleared or (signal.paired and number == _CLEARED)
            if number == 1 and signal.name.startswith(("alarm_", "warning_")):
                self.result.raised[signal.name] = self.result.raised.get(signal.name, 0) + 1
            values[signal.name] = [number]
            if not signal.name.startswith(("alarm_", "warning_")):
                self.result.flags[signal.name] = number
            return
        name = signal.point.lstrip("@")
        values.setdefault(name, []).append(number)
        seen = self.result.points.get(name)
        # The finer of two says more; one that is always 0 is not filled in.
        if seen is None or (signal.multiply < seen.step and number):
            self.result.points[name] = Seen(
                number, number, number, signal.unit, message.identifier, signal.multiply
            )
        elif signal.multiply == seen.step:
            seen.add(number)
        self.now[name] = number

    def judge_length(self, message: Message, data: bytes) -> None:
        exact = self.result.profile in ("solark", "victron", "byd_lv")
        if len(data) < message.size or (exact and len(data) != message.size):
            self.complain(
                f"0x{message.identifier:03X}: {len(data)} bytes where the document has "
                f"{message.size}; what is missing is not read, or the frame is dropped"
            )

    def judge_values(self, message: Message, frame: Frame, values: dict[str, list[int]]) -> None:
        where = f"0x{message.identifier:03X}"
        for name, (low, high) in _SANE.items():
            for number in values.get(name, ()):
                if name == "pack_voltage_mv" and self.result.profile == "byd_hv":
                    continue
                if not low <= number <= high:
                    self.complain(
                        f"{where}: {name} is {number}, outside {low} to {high}: wrong scale, sign "
                        "or byte order"
                    )
        coarse = values.get("soc_bp", [])
        if len(coarse) > 1 and coarse[1] and abs(coarse[0] - coarse[1]) > 100:  # noqa: PLR2004
            self.complain(f"{where}: the two states of charge differ by more than 1 %")
        self.judge_limits(where, frame, values)
        if message.identifier == 0x35E and not frame.data.startswith(_NAMES):  # noqa: PLR2004
            text = frame.data.decode("ascii", "replace").strip("\0 ")
            self.complain(
                f"{where}: the name '{text}' is one that inverters do not know; they take general "
                "rules for it"
            )
        if self.result.profile in ("pylontech", "solark", "deye_lv") and (
            message.identifier == 0x359 and frame.data[5:7] not in (b"PN", b"")  # noqa: PLR2004
        ):
            self.complain(f"{where}: bytes 5 and 6 are not 'PN'")

    def judge_limits(self, where: str, frame: Frame, values: dict[str, list[int]]) -> None:
        if "charge_voltage_limit_mv" not in values:
            if "charge" in values or "discharge" in values:
                self.judge_enables(where, values)
            return
        limit_mv = values["charge_voltage_limit_mv"][0]
        low, high = getattr(self.module, "RANGES", (1, 1_000))[:2]
        if limit_mv == 0:
            self.complain(
                f"{where}: the charge voltage limit is 0: a Victron takes that for an "
                "over-voltage and empties the battery, a Sofar ignores the frame"
            )
        elif not 100 * low <= limit_mv <= 100 * high and self.result.profile != "byd_hv":
            self.complain(
                f"{where}: the charge voltage limit of {limit_mv / 1000:g} V is outside "
                f"{low / 10:g} to {high / 10:g} V: it is dropped, and the last one kept"
            )
        if self.limit_mv and self.limit_time_s is not None and frame.time_s is not None:
            step_mv = limit_mv - self.limit_mv
            if abs(step_mv) > _STEP_MV and frame.time_s - self.limit_time_s <= _LATE:
                self.complain(
                    f"{where}: the charge voltage limit jumps by {step_mv / 1000:+.1f} V at once: "
                    "downwards a Deye discharges to the grid, upwards some trip"
                )
        self.limit_mv, self.limit_time_s = limit_mv, frame.time_s

    def judge_enables(self, where: str, values: dict[str, list[int]]) -> None:
        for flag, limit in (
            ("charge", "charge_current_limit_ma"),
            ("discharge", "discharge_current_limit_ma"),
        ):
            if values.get(flag) == [0] and self.now.get(limit, 0) > 0:
                self.complain(
                    f"{where}: {flag} is not enabled, but {self.now[limit] / 1000:g} A are "
                    "offered: some inverters follow one of them, some the other"
                )

    def judge_presence(self) -> None:
        missing = [
            message
            for message in self.messages.values()
            if message.identifier not in self.counts and not message.needs & ASKED
        ]
        for needs, why in ((MEASURED, ", as while the battery is not measured"), (0, "")):
            listed = _listed(m.identifier for m in missing if m.needs & MEASURED == needs)
            if listed:
                self.complain(f"never sent{why}: {listed}")
        if self.foreign:
            why = ", and its document forbids others" if self.strict else ""
            self.complain(f"frames that the profile does not have{why}: {_listed(self.foreign)}")
        if not self.counts and self.foreign:
            self.complain(f"the profile does not fit; try: {', '.join(self.fitting())}")
        if not any(identifier in self.keepalives for identifier in self.result.inverter):
            self.complain(
                f"the inverter never sent {_listed(self.keepalives)}: some never do; else it does "
                "not hear the battery"
            )

    def fitting(self) -> list[str]:
        """Profiles that know most of the frames."""
        shares = {}
        for name in profile_names():
            known = {message.identifier for message in layout(profile_module(name))}
            shares[name] = sum(c for i, c in self.foreign.items() if i in known)
        best = max(shares.values())
        return [name for name, share in shares.items() if share == best and share] or ["another"]

    def judge_times(self, times: list[float]) -> None:
        for identifier, seen in self.times.items():
            gaps = [later - sooner for sooner, later in pairwise(seen)]
            if not gaps:
                continue
            message = self.messages.get(identifier)
            if message is None:
                if identifier in self.keepalives and max(gaps) > _SILENCE_S:
                    self.complain(
                        f"0x{identifier:03X}: the inverter was silent for {max(gaps):.1f} s"
                    )
                continue
            expected_s = message.period_ms / 1000
            carries = {signal.point for signal in message.signals}
            if carries & set(_LIMITS) and max(gaps) > max(_GAP_LIMITS_S, 2 * expected_s):
                self.complain(
                    f"0x{identifier:03X}: the limits were missing for {max(gaps):.1f} s; some "
                    "inverters stop after 3 s"
                )
            elif sum(gaps) / len(gaps) > _LATE * expected_s:
                self.complain(
                    f"0x{identifier:03X}: every {sum(gaps) / len(gaps):.1f} s where the document "
                    f"has {expected_s:g} s"
                )
            fast = [gap for gap in gaps if gap < 0.9 * _SMA_S]
            if self.strict and fast:
                self.complain(
                    f"0x{identifier:03X}: sent after {min(fast) * 1000:.0f} ms; not faster than "
                    "every 200 ms"
                )
        busiest = _busiest(sorted(times))
        if busiest > _BUSY:
            self.complain(
                f"{busiest} frames within one second: a Venus loses a battery on a busy bus; "
                f"under {_BUSY} is well"
            )

    def judge_alarms(self) -> None:
        paired = [m for m in self.messages.values() if any(s.paired for s in m.signals)]
        if not paired or getattr(self.module, "RECALLED", 0):
            return
        identifier = paired[0].identifier
        if identifier in self.counts and not self.cleared:
            self.complain(
                f"0x{identifier:03X}: never says 'cleared' (10): an alarm that was raised stays"
            )


def _listed(identifiers: Iterable[int]) -> str:
    return ", ".join(f"0x{identifier:03X}" for identifier in identifiers)


def _busiest(times: list[float]) -> int:
    """The most frames within one second."""
    most = first = 0
    for last, time_s in enumerate(times):
        while times[first] <= time_s - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def report(decoded: Decoded) -> list[str]:
    """Lines for people."""
    lines = [
        f"{decoded.frames} frames in {decoded.duration_s:.1f} s, profile {decoded.profile}",
        "",
        f"{'point':28} {'last':>9} {'lowest':>9} {'highest':>9}  unit   frame",
    ]
    for name, seen in decoded.points.items():
        lines.append(
            f"{name:28} {seen.last:9} {seen.low:9} {seen.high:9}  {seen.unit:6} "
            f"0x{seen.identifier:03X}"
        )
    lines.append("")
    if decoded.flags:
        lines.append("flags: " + ", ".join(f"{name} {v}" for name, v in decoded.flags.items()))
    for name, count in decoded.raised.items():
        lines.append(f"{name}: raised in {count} frames")
    for identifier, count in sorted(decoded.inverter.items()):
        lines.append(f"from the inverter: 0x{identifier:03X}, {count} times")
    lines.append("")
    if decoded.complaints:
        lines.append("What a strict inverter would reject or an owner should know:")
        lines.extend(f"- {complaint}." for complaint in decoded.complaints)
    else:
        lines.append("Nothing to complain about.")
    return lines


def as_json(decoded: Decoded) -> dict:
    """The same for programs."""
    return {
        "profile": decoded.profile,
        "frames": decoded.frames,
        "duration_s": decoded.duration_s,
        "points": {
            name: {"last": s.last, "lowest": s.low, "highest": s.high, "unit": s.unit}
            for name, s in decoded.points.items()
        },
        "flags": decoded.flags,
        "raised": decoded.raised,
        "inverter": {f"0x{i:03X}": count for i, count in sorted(decoded.inverter.items())},
        "complaints": decoded.complaints,
    }
