"""docs/soc-benchmark.md, .json and pictures, from the results of the benchmark."""

import json
import statistics

from cellsteward.generated_docs import DOCS, table, with_parts
from host_tests.bench.soc.cases import BATCHED, SENSORS, factory
from host_tests.bench.soc.recordings import MADE_FROM, RECORDINGS, model, rows_of
from host_tests.bench.soc.score import PLUS, run, run_together

PAGE = DOCS / "soc-benchmark.md"
RESULTS = DOCS / "soc-benchmark.json"
IMAGES = DOCS / "images"

TITLES = {
    "counting": "Counting",
    "rest": "Overwrite at rest",
    "ekf": "Textbook EKF",
    "ekf-bias": "EKF, bias, inflated",
    "ours": "**Cellsteward**",
}
CASES = (
    ("No sensor error, right start", lambda c: c["sensors"] == "none"),
    (
        "Gain and offset, right start",
        lambda c: c["sensors"] in ("plus", "minus") and not c["error"],
    ),
    (
        "Start wrong by 30 %, gain and offset",
        lambda c: c["sensors"] in ("plus", "minus") and 0 < abs(c["error"]) < 0.5,
    ),
    (
        "Start wrong by 60 to 80 %, gain and offset",
        lambda c: c["sensors"] in ("plus", "minus") and abs(c["error"]) >= 0.5,
    ),
    ("Start wrong, gain 2 %, offset 50 mA", lambda c: c["sensors"] == "stress"),
)
GROUPS = (
    ("lfp-fitted", "LiFePO4, measured; model fitted on another file", "lfp", False),
    ("lfp-generic", "LiFePO4, measured; built-in model", "lfp", True),
    ("high-rate", "LiFePO4, measured, 6C drive", "high-rate", None),
    ("nmc", "NMC and NCA, measured; built-in models", "nmc nca", None),
    ("days", "Computed days (PyBaMM); model fitted on computed laboratory tests", "days", None),
)  # fmt: skip


def write(done):
    """Write results, tables and pictures."""
    entries = sorted(
        (
            {
                "estimator": case.estimator,
                "recording": case.recording.name,
                "group": case.recording.group,
                "model": case.model,
                "error": round(case.error, 4),
                "sensors": case.sensors,
                **{k: v if v is None else round(v, 3) for k, v in result.items() if k != "cpu_s"},
            }
            for case, result in done
        ),
        key=lambda e: json.dumps(e, sort_keys=True),
    )
    lines = ",\n".join(json.dumps(entry, sort_keys=True) for entry in entries)
    RESULTS.write_text(f"[\n{lines}\n]\n")
    render()
    for name, recording, model_name, start in PICTURES:
        picture(name, recording, model_name, start)


def render():
    """The page's tables from the kept results."""
    entries = json.loads(RESULTS.read_text())
    parts = {name: group_table(entries, groups, generic) for name, _, groups, generic in GROUPS}
    parts["models"] = models_table()
    parts["each"] = each_table(entries)
    PAGE.write_text(with_parts(PAGE.read_text(), parts))


def of_group(entries, groups, generic):
    for entry in entries:
        generic_model = entry["model"].startswith("generic")
        if entry["group"] in groups.split() and generic in (None, generic_model):
            yield entry


def group_table(entries, groups, generic):
    """Median (worst) over the cases: RMSE / maximum after the first hour."""
    chosen = list(of_group(entries, groups, generic))
    rows = []
    for title, wanted in CASES:
        part = [entry for entry in chosen if wanted(entry)]
        if not part:
            continue
        row = [title]
        for estimator in TITLES:
            mine = [entry for entry in part if entry["estimator"] == estimator]
            row.append(words(mine) if mine else "")
        mine = [entry for entry in part if entry["estimator"] == "ours"]
        row.append(f"{100 * statistics.mean(e['covered'] for e in mine):.0f} %" if mine else "")
        row.append(quick_words(mine) if mine else "")
        rows.append(row)
    titles = ["Case", *TITLES.values(), "within 2 sigma", "below 5 % for good, minutes"]
    return table(titles, rows)


def words(entries):
    rmse = [entry["rmse_1h"] for entry in entries]
    most = [entry["max_1h"] for entry in entries]
    return (
        f"{statistics.median(rmse):.1f} ({max(rmse):.1f}) / "
        f"{statistics.median(most):.1f} ({max(most):.1f})"
    )


def quick_words(entries):
    minutes = [entry["good_min"] for entry in entries]
    never = sum(value is None for value in minutes)
    ordered = sorted(value for value in minutes if value is not None)
    text = f"{statistics.median(ordered):.0f} (to {ordered[-1]:.0f})" if ordered else ""
    return text + (f", {never} of {len(minutes)} never" if never else "")


def models_table():
    """Which files each model was made from."""
    rows = [[name, ", ".join(sorted(MADE_FROM[name])) or "no shared file"] for name in MADE_FROM]
    return table(["Model", "Made from"], rows)


def each_table(entries):
    """Ours, one row for each recording and model: the worst of its cases."""
    rows = []
    for recording in RECORDINGS:
        for name in MADE_FROM:
            part = [
                e
                for e in entries
                if (e["estimator"], e["recording"], e["model"]) == ("ours", recording.name, name)
                and e["sensors"] in ("plus", "minus")
            ]
            if not part:
                continue
            right = [e for e in part if not e["error"]]
            wrong = [e for e in part if e["error"]]
            rows.append([recording.name, name, worst(right, "rmse", "max"), worst(wrong)])
    return table(
        ["Recording", "Model", "right start, whole", "wrong starts, after the first hour"], rows
    )


def worst(entries, rmse="rmse_1h", most="max_1h"):
    if not entries:
        return ""
    return f"{max(e[rmse] for e in entries):.1f} / {max(e[most] for e in entries):.1f}"


PICTURES = (
    ("soc-berkeley", "Berkeley 25 h 20-80 %", "fit Berkeley mixed", 1.0),
    ("soc-home", "PyBaMM home, 7 days 15-85 %", "fit PyBaMM LFP", 0.5),
)
_POINTS = 1500


def picture(name, recording_name, model_name, start):
    """Error of every estimator over time, and the 2 sigma of ours."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    recording = next(r for r in RECORDINGS if r.name == recording_name)
    rows = rows_of(recording)
    every = max(1, len(rows.t_s) // _POINTS)
    hours = (rows.t_s - rows.t_s[0])[::every] / 3600
    right = abs(start - rows.truth[0]) < 0.02
    figure, axes = plt.subplots(figsize=(9, 4))
    for estimator, title in TITLES.items():
        made = factory(estimator)(
            model(model_name), recording.capacity_mah, start, 0.03 if right else 0.3
        )
        if estimator in BATCHED:
            both = run_together(made, rows, [PLUS], recording.capacity_mah)
            estimate, sigma = (column[:, 0] for column in both)
        else:
            estimate, sigma = run(made, rows, PLUS, recording.capacity_mah)
        error = 100 * (estimate - rows.truth)[::every]
        ours = estimator == "ours"
        label = title.strip("*")
        axes.plot(
            hours, error, linewidth=1.6 if ours else 0.8, label=label, zorder=3 if ours else 2
        )
        if ours:
            wide = 200 * sigma[::every]
            axes.fill_between(hours, -wide, wide, alpha=0.15, color="black", label="its 2 sigma")
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set(
        xlabel="hours",
        ylabel="error in % of capacity",
        ylim=(-25, 25),
        title=f"{recording.name}, told {100 * start:.0f} % at {100 * rows.truth[0]:.0f} %, "
        f"{SENSORS['plus'].name}",
    )
    axes.legend(fontsize="small", ncol=3)
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.png", dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    render()
