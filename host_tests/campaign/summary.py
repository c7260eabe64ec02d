"""Writes the campaign's summary: a page that a person can read."""

from collections import Counter, defaultdict

_HEAD = """# Fault-injection campaign

Made by `make campaign` (see [campaign.md](campaign.md)); do not edit. A run is one episode: one
or two faults are injected into the whole firmware on the simulated board at a random moment of
charging, discharging or idling, held, and mended; gates, log, limits and recovery are then
compared with what `host_tests/campaign/rows.py` expects. Many runs share a start of the firmware;
faults of the processor, resets and power cuts have starts of their own.
"""


def page(results, seed, repeat):
    """The page for the results of boots (dicts of main's `_result`). repeat(result): a command."""
    runs = sum(result["judged"] for result in results)
    violations = [(result, violation) for result in results for violation in result["violations"]]
    lines = [_HEAD, "| | |", "|---|---|"]
    packs = Counter()
    for result in results:
        packs[result["pack"]] += result["judged"]
    by_pack = ", ".join(f"{pack}: {count}" for pack, count in sorted(packs.items()))
    for name, value in (
        ("seed", seed),
        ("starts of the firmware", len(results)),
        ("runs", f"{runs} ({by_pack})"),
        ("of these with two faults", sum(result["pairs"] for result in results)),
        ("different faults", len({name for r in results for e in r["episodes"] for name in e})),
        ("different pairs", len(_different_pairs(results))),
        ("runs in which something had to open", sum(result["noticed"] for result in results)),
        ("not judged, because a run before did not recover or was the boot's last",
         sum(result["skipped"] for result in results)),
        ("simulated hours", round(sum(result["simulated_s"] for result in results) / 3600, 1)),
        ("**violations**", f"**{len(violations)}**"),
    ):  # fmt: skip
        lines.append(f"| {name} | {value} |")
    lines += ["", "## Violations", ""]
    lines += _violations(violations, repeat)
    lines += ["", "## Times from cause to gate off", ""]
    lines += _times(results)
    return "\n".join(lines) + "\n"


def _different_pairs(results):
    return {
        (result["pack"], *sorted(episode))
        for result in results
        for episode in result["episodes"][: result["judged"]]
        if len(episode) > 1
    }


def _violations(violations, repeat):
    if not violations:
        return ["None."]
    lines = ["| kind | count |", "|---|---|"]
    for kind, count in Counter(violation["kind"] for _, violation in violations).most_common():
        lines.append(f"| {kind} | {count} |")
    lines.append("")
    for result, violation in violations:
        faults = " + ".join(violation["faults"])
        lines.append(
            f"- {violation['kind']}: {faults} ({result['pack']}, {violation['t_s']:.1f} s): "
            f"{violation['text']} `{repeat(result)}`"
        )
    return lines


def _times(results):
    worst = defaultdict(lambda: [0, 0.0, 0])
    for result in results:
        for name, cause, gate, taken_ms, due_ms in result["times_ms"]:
            entry = worst[name, cause, gate, result["pack"]]
            entry[0] += 1
            entry[1] = max(entry[1], taken_ms)
            entry[2] = due_ms
    lines = [
        "Worst measured time in ms; from the injection, or from the moment at which the true "
        "quantity was seen beyond its trip (once a second, so up to a second later than it was). "
        "Runs in which the gate stayed on to spare a body diode are not in it.",
        "",
        "| fault | counted from | direction | pack | runs | worst | due |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, cause, gate, pack), (count, taken_ms, due_ms) in sorted(worst.items()):
        way = "charge" if gate == "c" else "discharge"
        lines.append(
            f"| {name} | {cause} | {way} | {pack} | {count} | {taken_ms:.0f} | {due_ms} |"
        )
    return lines
