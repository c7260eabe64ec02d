"""Command line of the campaign: `python -m host_tests.campaign --help`; docs/campaign.md."""

import argparse
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from host_tests.campaign import plan, restarts, run, summary

ROOT = Path(__file__).resolve().parents[2]
_FULL_RUNS = 2000  # from here on a campaign's summary is worth keeping in docs
_RUNS_PER_RESTART = 40  # for so many runs one of a reset, a power cut or a hang


def main(arguments=None):
    """Returns the exit code: 0 no violation, 1 some."""
    options = _parse(arguments)
    if options.boot is not None:
        return _repeat(plan.boot(options.seed, options.boot))
    if options.restart is not None:
        return _tell(restarts.play_and_judge(options.seed, options.restart))
    folder = Path(options.out) / f"seed-{options.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    results = _run_all(options, folder)
    page = summary.page(results, options.seed, lambda result: _command(options.seed, result))
    written = [Path(options.out) / "summary.md"]
    runs = sum(result["judged"] for result in results)
    if runs >= _FULL_RUNS and options.pack is None:
        written.append(ROOT / "docs" / "campaign-summary.md")
    for path in written:
        path.write_text(page)
    violations = sum(len(result["violations"]) for result in results)
    print(f"{runs} runs, {violations} violations; see {', '.join(map(str, written))}")
    return 1 if violations else 0


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.campaign",
        description="Break everything, alone and in pairs, and judge what the firmware does.",
    )
    parser.add_argument(
        "--runs", type=int, default=_FULL_RUNS, help="episodes (default %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--seed", type=int, default=1, help="another campaign")
    parser.add_argument("--pack", choices=plan.ALL, help="this kind of pack only")
    parser.add_argument("--out", default="build/campaign", help="where results go")
    parser.add_argument("--again", action="store_true", help="forget results of earlier runs")
    parser.add_argument("--boot", type=int, help="repeat one boot and tell everything about it")
    parser.add_argument("--restart", type=int, help="repeat one scenario of resets")
    return parser.parse_args(arguments)


def _run_all(options, folder):
    """Results of as many boots as it takes; those of an interrupted campaign count."""
    tasks = []  # (file for the result, number of runs, function, its arguments)
    planned = 0
    for boot in plan.boots(options.seed, options.pack):
        if planned >= options.runs:
            break
        tasks.append((folder / f"{boot.number}.json", len(boot.episodes), _run_boot, boot))
        planned += len(boot.episodes)
    if options.pack is None:
        for number in range(planned // _RUNS_PER_RESTART):
            work = (options.seed, number)
            tasks.append((folder / f"restart-{number}.json", 1, _run_restart, work))
    results = []
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress, ProcessPoolExecutor(options.jobs) as pool:
        bar = progress.add_task("runs", total=sum(task[1] for task in tasks))
        jobs = {}
        for path, count, function, work in tasks:
            if path.exists() and not options.again:
                results.append(json.loads(path.read_text()))
                progress.advance(bar, count)
            else:
                jobs[pool.submit(function, work, path)] = count
        for job in as_completed(jobs):
            result = job.result()
            results.append(result)
            progress.advance(bar, jobs[job])
            for violation in result["violations"]:
                progress.print(_line(violation), soft_wrap=True)
            if result["violations"]:
                progress.print("  " + _command(options.seed, result), soft_wrap=True)
    return sorted(results, key=lambda result: (result["pack"] == "restarts", result["number"]))


def _run_boot(boot, path):
    result = {
        "number": boot.number,
        "pack": boot.pack,
        "episodes": [episode.faults for episode in boot.episodes],
        "simulated_s": boot.duration_s,
        **asdict(run.play_and_judge(boot)),
    }
    path.write_text(json.dumps(result))
    return result


def _run_restart(work, path):
    seed, number = work
    _, name, legs = list(restarts.scenarios(seed, number + 1))[-1]
    result = {
        "number": number,
        "pack": "restarts",
        "episodes": [[name]],
        "simulated_s": sum(leg.duration_s for leg in legs),
        **asdict(restarts.play_and_judge(seed, number)),
    }
    path.write_text(json.dumps(result))
    return result


def _repeat(boot):
    print(f"boot {boot.number}: {boot.pack}, SoC {boot.soc}, inverter obeys: {boot.obeys}")
    for episode in boot.episodes:
        print(" ", episode)
    return _tell(run.play_and_judge(boot))


def _tell(verdict):
    for time in verdict.times_ms:
        print("  %s, %s, %s: %.1f ms of %d ms" % tuple(time))
    for violation in verdict.violations:
        print(_line(asdict(violation)))
    print(f"{verdict.judged} runs, {len(verdict.violations)} violations")
    return 1 if verdict.violations else 0


def _line(violation):
    return "%s: %s at %.1f s: %s" % (
        violation["kind"],
        " + ".join(violation["faults"]),
        violation["t_s"],
        violation["text"],
    )


def _command(seed, result):
    kind = "restart" if result["pack"] == "restarts" else "boot"
    return f"make campaign ARGS='--seed {seed} --{kind} {result['number']}'"


if __name__ == "__main__":
    sys.exit(main())
