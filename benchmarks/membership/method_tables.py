"""The figures of membership methods as Markdown, and the check-list of what they must reach."""

import numpy as np
import pandas as pd

BOUNDS = ("boosted_trees", "boosted_trees_pooled")


def overall_table(table, sums):
    """One row per method, all clusters together."""
    lines = [
        "| method | average precision | completeness | contamination | ECE all | ECE any p >= 0.02 | ECE own p >= 0.02 "
        "| Brier | sum p / true | clusters within 10 % (of judged; if calibrated) |",
        "|" + " --- |" * 10,
    ]
    for row in table[table["kind"] == "all"].itertuples():
        of_method = sums[sums["method"] == row.method]
        within = [100 * (np.abs(of_method[name] - 1) <= 0.1).mean() for name in ("ratio", "ratio_judged")]
        cells = [
            row.method,
            _number(row.average_precision, row.average_precision_sd),
            _percent(row.completeness, row.completeness_sd),
            _percent(row.contamination, row.contamination_sd),
            *(
                _number(getattr(row, name), getattr(row, f"{name}_sd"))
                for name in ("ece_all", "ece_relevant", "ece_own")
            ),
            f"{row.brier:.4f}",
            _number(row.sum_p_ratio, row.sum_p_ratio_sd, 2),
            f"{within[0]:.0f} % ({within[1]:.0f}; {100 * of_method['expected'].mean():.0f})",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def bins_table(table):
    """One row per bin; cells: average precision, completeness / contamination, ECE of relevant stars."""
    methods = list(dict.fromkeys(table["method"]))
    lines = [
        f"| stars | clusters | true (lost) | {' | '.join(methods)} |",
        "|" + " --- |" * (3 + len(methods)),
    ]
    for (kind, label), rows in table.groupby(["kind", "bin"], sort=False):
        about, of_method = rows.iloc[0], rows.set_index("method")
        if not about["n_true"]:
            continue
        lost = f"{about['n_true']} ({100 * about['n_lost'] / about['n_true']:.1f} %)"
        name = label if kind == "all" else f"{kind} {label}"
        cells = [_cell(of_method.loc[method]) for method in methods]
        lines.append(f"| {name} | {about['n_clusters']} | {lost} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row):
    precision = f"**{row['average_precision']:.3f}**"
    if np.isfinite(row["average_precision_sd"]):
        precision += f" ± {row['average_precision_sd']:.3f}"
    shares = " / ".join(
        "-" if np.isnan(row[name]) else f"{100 * row[name]:.0f}" for name in ("completeness", "contamination")
    )
    return f"{precision}; {shares}; {row['ece_relevant']:.3f}"


def _number(value, spread, decimals=3):
    if np.isnan(value):
        return "-"
    return f"{value:.{decimals}f}" + (f" ± {spread:.{decimals}f}" if np.isfinite(spread) else "")


def _percent(value, spread):
    return "-" if np.isnan(value) else _number(100 * value, 100 * spread, 1) + " %"


def _share(value):
    return "nothing found" if np.isnan(value) else f"{100 * value:.1f} %"


def with_bound(table):
    """The table with the rows `bound`: in every bin the boosted trees of higher average precision."""
    trees = table[table["method"].isin(BOUNDS)].dropna(subset="average_precision")
    best = trees.loc[trees.groupby(["kind", "bin"], sort=False)["average_precision"].idxmax()]
    return pd.concat([table, best.assign(bound_by=best["method"], method="bound")], ignore_index=True)


def check_list(table, sums, model, baselines):
    """Lines `reached | missed | goal | figure` for one model."""
    table = with_bound(table)
    lines = [f"| goal ({model}) | | figure |", "| --- | --- | --- |"]
    checks = [
        *_above_baselines(table, model, baselines),
        *_near_bound(table, model),
        *_faint_members(table, model),
        *_calibration(table, model),
        *_numbers(sums, model),
    ]
    words = {None: "-", True: "reached", False: "missed"}
    lines += [f"| {goal} | {words[ok]} | {figure} |" for goal, ok, figure in checks]
    return "\n".join(lines)


def _row(table, method, kind, label):
    rows = table[(table["method"] == method) & (table["kind"] == kind) & (table["bin"] == label)]
    return rows.iloc[0] if len(rows) else None


def _magnitudes(table):
    rows = table[(table["kind"] == "G") & (table["n_true"] > 0)]
    return list(dict.fromkeys(rows["bin"]))


def _above_baselines(table, model, baselines):
    for label in _magnitudes(table):
        ours = _row(table, model, "G", label)["average_precision"]
        theirs = {name: _row(table, name, "G", label)["average_precision"] for name in baselines}
        if theirs:
            best = max(theirs, key=theirs.get)
            yield (
                f"area above every baseline, G {label}",
                bool(ours > theirs[best]),
                f"{ours:.3f}, {best} {theirs[best]:.3f}",
            )


def _near_bound(table, model):
    for kind, label in (("all", "all"), *(("G", label) for label in _magnitudes(table))):
        bound = _row(table, "bound", kind, label)
        if bound is not None:
            share = _row(table, model, kind, label)["average_precision"] / bound["average_precision"]
            goal = f"95 % of the bound's area, {'pooled' if kind == 'all' else 'G ' + label}"
            yield (
                goal,
                bool(share >= 0.95),
                f"{100 * share:.1f} % of {bound['average_precision']:.3f} ({bound['bound_by']})",
            )


def _faint_members(table, model):
    for label, least in (("19 - 20", 0.6), (">= 20", 0.3)):
        ours = _row(table, model, "G within 1 kpc", label)
        goal = f"completeness >= {100 * least:.0f} %, contamination <= 15 %, G {label} within 1 kpc"
        if ours is None or not ours["n_true"]:
            yield goal, None, "no such stars"
            continue
        bound = _row(table, "bound", "G within 1 kpc", label)
        most = (
            ""
            if bound is None
            else f"; at <= 15 % the bound reaches {100 * bound['completeness_at_15']:.0f} %"
        )
        figure = f"{100 * ours['completeness']:.0f} % / {_share(ours['contamination'])}{most}"
        yield goal, bool(ours["completeness"] >= least and ours["contamination"] <= 0.15), figure
    for label in _magnitudes(table):
        ours = _row(table, model, "G", label)["contamination"]
        yield (
            f"contamination <= 15 %, G {label}",
            None if np.isnan(ours) else bool(ours <= 0.15),
            _share(ours),
        )


def _calibration(table, model):
    """Judged by the stricter of the two calibration errors that are not diluted by sure field stars."""
    for kind, label in (("all", "all"), *(("G", label) for label in _magnitudes(table))):
        row, largest = _row(table, model, kind, label), 0.03 if kind == "all" else 0.05
        worst = np.nanmax([row["ece_relevant"], row["ece_own"]])
        goal = f"calibration error <= {largest:g}, {'pooled' if kind == 'all' else 'G ' + label}"
        yield (
            goal,
            bool(worst <= largest),
            f"{row['ece_relevant']:.3f} any, {row['ece_own']:.3f} own; all stars {row['ece_all']:.4f}",
        )


def _numbers(sums, model):
    of_model = sums[sums["method"] == model]
    within = (np.abs(of_model["ratio"] - 1) <= 0.1).mean()
    judged = (np.abs(of_model["ratio_judged"] - 1) <= 0.1).mean()
    figure = f"{100 * within:.0f} % of {len(of_model)}; of judged members {100 * judged:.0f} %"
    figure += f"; {100 * of_model['expected'].mean():.0f} % expected if these p were exact"
    yield "sum of p within 10 % of the true number for 80 % of the clusters", bool(within >= 0.8), figure
