"""A DBC file for each profile, from the tables that the device sends by.

For SavvyCAN, python-can, cantools and other viewers. Numbers are in V, A, Ah, kWh, degC and %;
an alarm of the pairs of SMA is 1 when raised and 2 when cleared.
Usage: python -m cellsteward.dbc [--check]
"""

import sys
from pathlib import Path

from cellsteward.can_layout import Message, Signal, layout, profile_module, profile_names
from cellsteward.generated_docs import DOCS, run

FOLDER = DOCS / "dbc"

_HEAD = """VERSION "Cellsteward, profile {name}; generated, do not edit"

NS_ :

BS_:

BU_: Battery Inverter

"""


def dbc(name: str) -> str:
    """The DBC file of a profile."""
    messages = layout(profile_module(name))
    text = _HEAD.format(name=name)
    for message in messages:
        text += f"BO_ {message.identifier} Frame{message.identifier:03X}: {message.size} Battery\n"
        for line in _signal_lines(message):
            text += f" {line}\n"
        text += "\n"
    text += 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 3600000;\n'
    text += 'BA_DEF_DEF_ "GenMsgCycleTime" 0;\n'
    for message in messages:
        text += f'BA_ "GenMsgCycleTime" BO_ {message.identifier} {message.period_ms};\n'
    for message in messages:
        for signal in message.signals:
            if signal.faults:
                about = " ".join(signal.faults)
                if signal.name.endswith("_other"):
                    about = "every fault without a bit of its own"
                text += f'CM_ SG_ {message.identifier} {signal.name} "{about}";\n'
            if signal.paired:
                pair = '0 "nothing" 1 "raised" 2 "cleared" 3 "not supported"'
                text += f"VAL_ {message.identifier} {signal.name} {pair} ;\n"
    return text


def path(name: str) -> Path:
    """Where the file of a profile is."""
    return FOLDER / f"{name}.dbc"


def _signal_lines(message: Message) -> list[str]:
    lines = [_line(signal) for signal in message.signals]
    if not lines:  # a name, or something else that never changes
        start = 7
        lines = [f'SG_ content : {start}|{8 * message.size}@0+ (1,0) [0|0] "" Inverter']
    return lines


def _line(signal: Signal) -> str:
    start = 8 * signal.at + signal.bit
    if signal.big and signal.size > 1:
        start = 8 * signal.at + 7  # a DBC counts big-endian signals from their highest bit
    if signal.digits:
        start = 8 * signal.at + 7
    order = 0 if signal.digits or (signal.big and signal.size > 1) else 1
    factor = signal.multiply / signal.per_paper
    offset = signal.offset / signal.per_paper
    if signal.digits:
        factor, offset = 1, 0
    low = -(1 << signal.size - 1) if signal.signed else 0
    high = (1 << signal.size - signal.signed) - 1
    span = f"[{float(low * factor + offset):g}|{float(high * factor + offset):g}]"
    return (
        f"SG_ {signal.name} : {start}|{signal.size}@{order}{'-' if signal.signed else '+'} "
        f'({float(factor):g},{float(offset):g}) {span} "{signal.paper_unit}" Inverter'
    )


def main(arguments: list[str]) -> int:
    """Write all files, or with --check only look at them."""
    FOLDER.mkdir(exist_ok=True)
    return max(run(path(name), dbc(name), arguments) for name in profile_names())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
