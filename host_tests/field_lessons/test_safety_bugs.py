"""Safety bugs of other systems that Cellsteward must not have: where each of them is tested.

Numbers are those of the list "field lessons", the reports of users of public battery projects
(LS = LibreSolar, DIY = diyBMS, YAM = YamBMS, BE = Battery-Emulator). Each test's name begins with
its number. A lesson is shown through the public door: the whole firmware on the simulated board
where it is about what a pack does, the driver on the simulated chip or the battery's core where it
is about a single sample.

    no.  lesson                                          file of this folder
    1    status bits written as commands                 test_measuring_bugs
    2    precharge without an end                        test_switching_bugs
    3    no recovery from over- and undervoltage         test_recovery
    4    a state machine that goes on without voltages   test_measuring_bugs
    5    CRC retry, inverted CRC detection               test_measuring_bugs
    6    negative cell voltage as 65535                  test_measuring_bugs
    7    one cell of 0 V stops the house                 test_measuring_bugs
    8    a lost link takes the power away                test_link_bugs
    9    communication loss that alarms nobody           test_link_bugs
    10   no precharge, welded contactor                  test_switching_bugs
    11   false undervoltage and relay pulses at reboot   test_switching_bugs
    12   -39 C of a missing probe                        test_measuring_bugs
    13   precharge anew on a fault, not logged           test_switching_bugs
    14   precharge oscillation, none after reboot        test_switching_bugs
    15   contactors opened under load                    test_switching_bugs
    16   limits that stay while a FET is off             test_link_bugs
    17   spikes and garbage                              test_measuring_bugs
    18   stale data after link loss                      test_link_bugs
    34   limits that flicker to 0                        test_link_bugs
    36   nothing in the log that explains it             test_recovery
    38   drops without a reason, no limits below zero    test_recovery
    39   CAN not recovered, logs lost at reboot          test_link_bugs, test_recovery
    40   imbalance unseen                                test_measuring_bugs
    41   recovery and latches, init that reads zeros     test_recovery
    42   long lines on the shell                         test_recovery

Not here: 35 (end of charge; the charge voltage is only offered, nobody ends a bulk phase here) and
37 (packs in parallel: there is one).
"""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAFETY = range(1, 19)
OPERABILITY = (34, 36, 38, 39, 40, 41, 42)
ROW = re.compile(r"^    (\d+) +.+?  +(test_\w+(?:, test_\w+)*)$", re.MULTILINE)


def files_with(number):
    """Files that hold a test of this lesson."""
    test = re.compile(rf"^def test_{number:02d}_", re.MULTILINE)
    return sorted(f.stem for f in HERE.glob("test_*.py") if test.search(f.read_text()))


@pytest.mark.parametrize("number", [*SAFETY, *OPERABILITY])
def test_every_lesson_has_a_test_of_its_number_where_the_table_says(number):
    table = {int(row): files.split(", ") for row, files in ROW.findall(__doc__)}
    assert files_with(number) == sorted(table[number])
