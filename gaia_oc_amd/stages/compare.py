"""Compare the member lists of many clusters with another list: one table, two Venn diagrams, shares that are lost."""

from pathlib import Path
from typing import Any

import pandas as pd

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.batch.outcomes import Outcome
from gaia_oc_amd.catalogues.tables import TRAINING_LIST
from gaia_oc_amd.comparison import ComparisonCounts, overlap_sets
from gaia_oc_amd.comparison_figures import comparison_rows_figure, two_venns_figure
from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.provenance import command_again
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.member_list import threshold_of
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.source_sets import load_sets, sets_folder
from gaia_oc_amd.stages.many import for_clusters
from gaia_oc_amd.stages.options import CompareOptions

COMPARED_LISTS = "compared_lists"
"""Name of the table and the figure in the data directory, without the ending."""

COMPARED_MEMBERS = "compared_members"
"""Name of the figure with a row of panels for each cluster."""

_LOST = {
    "proper_motion": "proper motion",
    "proper_motion+parallax": "both",
    "parallax": "parallax",
    "isochrone": "isochrone",
}
"""Condition that a star failed, and the column that counts it."""
_JUDGED, _OUTSIDE = ("low p", "not judged"), ("cone limits", "not found", "outside")
_CORE = ("core: ours", "core: listed", "core: shared")
_SUMMED = ("listed", "in field", "shared", *_LOST.values(), *_JUDGED, *_OUTSIDE, "only ours", *_CORE)


def compare_clusters(
    clusters: list[str],
    options: CompareOptions = CompareOptions(),
    run: RunOptions = RunOptions(),
    *,
    command: str = "",
) -> list[Outcome]:
    """Compare many clusters, each as `compare_cluster` does. See `stages.many.for_clusters`."""
    return for_clusters(compare_cluster, clusters, options, run, command=command)


@checked
def compare_cluster(
    name: str,
    data_dir: Path | str = "data",
    options: CompareOptions = CompareOptions(),
    *,
    seed: Seed = RunOptions.seed,
    command: str = "",
) -> dict[str, Any]:
    """What became of the comparison list's stars in one evaluated cluster.

    Parameters
    ----------
    name : str
        Cluster that was evaluated.
    data_dir : path
        The data directory.
    options : CompareOptions
        What compare_with_list.py takes.
    seed, command
        Not used: nothing is random, and nothing is written for one cluster.

    Returns
    -------
    dict
        Name of the list and numbers of stars; those of the core (f_r < 20 pc, G < 18) are of stars whose probability
        reaches the threshold in both lists.

    Raises
    ------
    OSError, ValueError
        If the sets were not built, not evaluated, or have no list to compare with.
    """
    folder = sets_folder(name, data_dir)
    sets = load_sets(folder.name, data_dir)
    if not sets.is_evaluated():
        evaluating = command_again(folder, "evaluation", "evaluate_clusters.py")
        raise ValueError(f"{folder.name} was never evaluated: run `{evaluating}` first.")
    counts = ComparisonCounts.of(sets, options.prob_threshold or threshold_of(folder))
    if not counts.listed:
        raise ValueError(
            f"{folder.name} has no list to compare with: give build_sets.py a --comparison_path."
        )
    ours, theirs = overlap_sets(sets, counts.prob_threshold, core=True)
    return {
        "list": counts.name,
        "p>=": counts.prob_threshold,
        "listed": counts.listed,
        "in field": counts.in_field,
        "shared": counts.shared,
        **{word: counts.failed.get(reason, 0) for reason, word in _LOST.items()},
        **dict(zip(_JUDGED, (counts.below, counts.unjudged), strict=True)),
        **dict(zip(_OUTSIDE, (counts.cut, counts.not_found, counts.outside), strict=True)),
        "only ours": counts.ours_alone,
        **dict(zip(_CORE, (len(ours), len(theirs), len(ours & theirs)), strict=True)),
    }


def summarise(outcomes: list[Outcome], data_dir: Path | str, options: CompareOptions) -> list[str]:
    """Write the table of all clusters with their sum, draw the two Venn diagrams of the sum, and members in rows.

    Clusters that were compared with another list, as with the training list where the comparison list lacks them, have
    a sum of their own; the figure shows the list of most clusters, the training list only where there is no other.

    Parameters
    ----------
    outcomes : list of Outcome
        From `compare_clusters`.
    data_dir : path
        The data directory, which gets compared_lists.csv and the figure.
    options : CompareOptions
        What compare_with_list.py takes.

    Returns
    -------
    list of str
        For each list a sentence with the shares of its stars that are lost by each condition.
    """
    rows = pd.DataFrame([{"cluster": o.cluster} | o.summary for o in outcomes if not o.error])
    if rows.empty:
        return []
    sums = rows.groupby(["list", "p>="], as_index=False)[list(_SUMMED)].sum()
    sums = sums.assign(
        n_clusters=rows.groupby(["list", "p>="]).size().to_numpy(),
        learnt_from=sums["list"].str.endswith(TRAINING_LIST),
    )
    sums = sums.sort_values(
        ["learnt_from", "n_clusters", "listed"], ascending=[True, False, False], ignore_index=True
    )
    table = pd.concat([rows, sums.assign(cluster="all")[list(rows)]], ignore_index=True)
    write_csv(Path(data_dir) / f"{COMPARED_LISTS}.csv", table)
    if options.figures.wanted():
        figure = two_venns_figure(*_venn_numbers(sums.iloc[0]))
        drawn = {COMPARED_LISTS: figure}
        if options.n_rows:
            shown = rows.head(options.n_rows)
            clusters = [load_sets(name, data_dir) for name in shown["cluster"]]
            drawn[COMPARED_MEMBERS] = comparison_rows_figure(clusters, prob_threshold=shown["p>="].tolist())
        save_and_show(drawn, Path(data_dir), options.figures)
    return [_shares(row) for _, row in sums.iterrows()]


def _venn_numbers(row: pd.Series) -> tuple[list[tuple[int, int, int]], str, float, str]:
    """Numbers of both diagrams, name of the list, threshold and title."""
    core = int(row[_CORE[0]]), int(row[_CORE[1]]), int(row[_CORE[2]])
    whole = int(row["shared"] + row["only ours"]), int(row["listed"]), int(row["shared"])
    title = f"{_number_of_clusters(row)}: overlap with {row['list']}"
    return [whole, core], str(row["list"]), float(row["p>="]), title


def _shares(row: pd.Series) -> str:
    """Shares of a list's stars that are lost by each condition."""
    in_field = max(int(row["in field"]), 1)
    lost = {
        "proper motion": row["proper motion"],
        "parallax": row["parallax"],
        "proper motion and parallax": row["both"],
        "isochrone": row["isochrone"],
        f"p < {row['p>=']:g}": row["low p"],
        "lack of a probability": row["not judged"],
        "the cone's limits": row["cone limits"],
        "not being found": row["not found"],
    }
    losses = ", ".join(f"{100 * n / in_field:.1f} % by {name}" for name, n in lost.items() if n)
    words = f"the others are lost: {losses}" if losses else "none is lost"
    return (
        f"{row['list']} ({_number_of_clusters(row)}): {int(row['in field']):,} of {int(row['listed']):,} stars are "
        f"in the field; {100 * row['shared'] / in_field:.1f} % of these are shared, {words}; "
        f"{int(row['only ours']):,} members are ours alone.\n"
    )


def _number_of_clusters(row: pd.Series) -> str:
    """Number of clusters that were compared with a list, with its noun."""
    n = int(row["n_clusters"])
    return f"{n} cluster{'s' * (n > 1)}"
