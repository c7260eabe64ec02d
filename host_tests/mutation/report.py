"""What a run found: on the screen, and as the tables of docs/mutation.md.

Survivors are explained by hand in survivors.toml, by module, function and changed text, so that an
explanation outlives moved lines and falls away with the code that it speaks of.
Modules that were not run on this machine keep what the page says of them.
"""

import hashlib
import tomllib
from pathlib import Path

from host_tests.mutation.selection import MODULES

_HERE = Path(__file__).resolve().parent
EXPLANATIONS = _HERE / "survivors.toml"
PAGE = _HERE.parents[1] / "docs" / "mutation.md"
_BMS = _HERE.parents[1] / "firmware" / "lib" / "bms"
_BEGIN = "<!-- generated: %s -->"
_END = "<!-- end: %s -->"
_KILLED = ("killed", "timeout")
GOAL_PERCENT = 95


def show(kept, write):
    """Print the table and what nobody explained; write the page's tables. The exit code."""
    explained = explanations()
    unexplained, broken = [], []
    for module in MODULES:
        for result in kept.get(module, {}).get("mutants", ()):
            if result["outcome"] == "broken":
                broken.append(result)
            elif result["outcome"] == "survived" and key(result) not in explained:
                unexplained.append(result)
    page = PAGE.read_text(encoding="utf-8")
    rows = _rows(kept, page)
    print("\n".join(_table(rows)))
    if changed := [module for module in MODULES if source(_BMS, module) != _run_on(kept, module)]:
        print("\nNot run here on the code of now:", *changed)
    for title, results in (("Unexplained survivors", unexplained), ("Broken runs", broken)):
        if results:
            print(f"\n{title}:")
            for result in results:
                print(
                    f"\n{result['module']}.py:{result['line']} {result['function']}, "
                    f"{result['tests']} tests\n  - {result['was']}\n  + {result['now']}"
                )
    if write:
        survivors = _survivors(kept, explained, page)
        page = _with_part(page, "score", _table(rows))
        PAGE.write_text(_with_part(page, "survivors", survivors), encoding="utf-8")
    _, mutants, killed, _ = rows[-1]
    enough = mutants > 0 and 100 * killed >= GOAL_PERCENT * mutants
    return 0 if enough and not unexplained and not broken else 1


def explanations():
    """{key: sentence} of every survivor that a person looked at."""
    rows = tomllib.loads(EXPLANATIONS.read_text(encoding="utf-8")).get("survivor", ())
    return {key(row): row["why"] for row in rows}


def source(folder, module):
    """What tells a module's code from any other."""
    return hashlib.sha256((folder / f"{module}.py").read_bytes()).hexdigest()


def _run_on(kept, module):
    return kept.get(module, {}).get("source")


def key(row):
    """What tells one mutant from another."""
    return (row["module"], row["function"], row["was"], row["now"], row.get("nth", 1))


def _rows(kept, page):
    """(module, mutants, killed, when) of every module, and of all."""
    rows = []
    for module in MODULES:
        results = kept.get(module, {}).get("mutants", ())
        if results:
            killed = sum(result["outcome"] in _KILLED for result in results)
            rows.append((module, len(results), killed, kept[module].get("when", "")))
        else:
            rows.append(_row_of_the_page(module, page))
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows), ""))
    return rows


def _row_of_the_page(module, page):
    for line in _part(page, "score"):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == module:
            return (module, int(cells[1]), int(cells[2]), cells[5])
    return (module, 0, 0, "")


def _table(rows):
    lines = [
        "| Module of `firmware/lib/bms` | Mutants | Killed | Survivors | Score | Run |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for module, mutants, killed, when in rows:
        score = f"{100 * killed / mutants:.1f} %" if mutants else "not run"
        survivors = mutants - killed
        lines.append(f"| {module} | {mutants} | {killed} | {survivors} | {score} | {when} |")
    return lines


def _survivors(kept, explained, page):
    lines = []
    for module in MODULES:
        if not kept.get(module, {}).get("mutants"):
            lines += _section_of_the_page(module, page)
            continue
        results = [result for result in kept[module]["mutants"] if result["outcome"] == "survived"]
        if results:
            lines += [f"### {module}", ""]
        for result in results:
            why = explained.get(key(result), "**Not explained yet.**")
            place = f"`{result['function'] or 'module level'}`"
            lines += [
                f"{place}: {why}", "",
                "```diff", f"- {result['was']}", f"+ {result['now']}", "```", "",
            ]  # fmt: skip
    return lines[:-1] if lines else ["None."]


def _section_of_the_page(module, page):
    lines = _part(page, "survivors")
    title = f"### {module}"
    if title not in lines:
        return []
    begin = lines.index(title)
    ends = [at for at in range(begin + 1, len(lines)) if lines[at].startswith("### ")]
    section = lines[begin : ends[0] if ends else len(lines)]
    return [*section, ""] if section[-1] else section


def _part(page, name):
    """Lines of a generated part, without the blank ones around them."""
    return page.split(_BEGIN % name)[1].split(_END % name)[0].strip().splitlines()


def _with_part(page, name, lines):
    begin, end = _BEGIN % name, _END % name
    head, rest = page.split(begin)
    _, tail = rest.split(end)
    return "\n".join([head + begin, "", *lines, "", end + tail])
