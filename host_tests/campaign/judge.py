"""Judges what a boot left behind: gates, log, limits and recovery against the expectations.

Once an episode did not recover, nothing after it in the same boot is judged.
"""

from host_tests.campaign.always import judge_always
from host_tests.campaign.case import Case, Verdict, Violation
from host_tests.campaign.ending import judge_ending
from host_tests.campaign.opening import judge_opening
from host_tests.campaign.record import Record
from host_tests.campaign.rows import rows_of


def judge(boot, run):
    """The verdict on all episodes of a boot."""
    verdict = Verdict()
    record = Record(boot.pack, run)
    rows = rows_of(boot.pack)
    start_s = 0.0
    for episode in boot.episodes:
        if run.end.get("reason") != "duration" and run.end.get("t_s", 0) < episode.end_s:
            verdict.violations.append(
                Violation(
                    "ended", episode.faults, run.end.get("t_s", 0),
                    "the run ended: %s %s %s"
                    % (run.end.get("reason"), run.end.get("text"), run.output[-300:]),
                )
            )  # fmt: skip
            break
        case = Case(boot, episode, record, rows, start_s, verdict)
        opened = judge_opening(case)
        judge_always(case)
        judge_ending(case)
        verdict.noticed += opened
        verdict.judged += 1
        verdict.pairs += len(episode.faults) > 1
        start_s = episode.end_s
        if not case.recovered:
            break
    verdict.skipped = len(boot.episodes) - verdict.judged
    return verdict
