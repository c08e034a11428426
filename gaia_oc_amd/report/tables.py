"""Tables of a report: numbers, selection function, and how everything was made."""

import shlex
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_oc_amd.files.data_directory import CLUSTER_FILE, read_json
from gaia_oc_amd.files.provenance import command_again, read_provenance
from gaia_oc_amd.installation import moved_command, script_command
from gaia_oc_amd.member_list import Count, new_members, our_members
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, SelectionOptions
from gaia_oc_amd.report.cautions import Caution
from gaia_oc_amd.truth import MAGNITUDE_EDGES

if TYPE_CHECKING:
    from gaia_oc_amd.source_sets import SourceSets


@dataclass(frozen=True)
class TextTable:
    """A table of cells that are text, ready for a page.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : list of str
        Headings.
    rows : list of list of str
        As long as the headings.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]


def number_table(sets: "SourceSets", prob_threshold: float) -> TextTable:
    """Numbers of stars by magnitude.

    Parameters
    ----------
    sets : SourceSets
        The sets of one cluster.
    prob_threshold : float
        Least PMemb of a member.

    Returns
    -------
    TextTable
        Rows: all, then intervals of G. Columns: members, the sum of their probabilities, the share of field stars that
        is expected among them, those that the member list does not have; training members, candidates, non-members
        and the comparison list's stars in the cone.
    """
    members = our_members(sets, prob_threshold)
    others = {
        "new": new_members(members),
        "training members": sets.members,
        "candidates": sets.candidates,
        "non-members": sets.non_members,
        f"{sets.comparison_name} in the field": sets.comparison,
    }
    rows = []
    for label, low, high in magnitude_bins():
        count = Count.of(_in_magnitudes(members, low, high))
        judged = sets.is_evaluated() and count.n_stars > 0
        cells = [f"{count.expected:,.1f}", _percent(count.contamination)] if judged else ["–", "–"]
        numbers = [f"{len(_in_magnitudes(table, low, high)):,}" for table in others.values()]
        rows.append([label, f"{count.n_stars:,}", *cells, *numbers])
    word = f"members, p ≥ {prob_threshold:g}" if sets.is_evaluated() else "members (not evaluated)"
    return TextTable("Numbers of stars", ["G [mag]", word, "Σ p", "expected field", *others], rows)


def _in_magnitudes(table: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    if low == -np.inf and high == np.inf:
        return table
    return table[(table["phot_g_mean_mag"] >= low) & (table["phot_g_mean_mag"] < high)]


def magnitude_bins() -> list[tuple[str, float, float]]:
    """Label and ends [mag] of "all" and of the intervals of G."""
    bins = [("all", -np.inf, np.inf)]
    for low, high in pairwise(MAGNITUDE_EDGES):
        text = f"< {high:g}" if np.isinf(low) else f"≥ {low:g}" if np.isinf(high) else f"{low:g} – {high:g}"
        bins.append((text, low, high))
    return bins


def truth_table(scores: pd.DataFrame, prob_threshold: float) -> TextTable:
    """Completeness and contamination of a simulated cluster, from `truth.score_against_truth`."""
    rows = [
        [label, f"{row['true']:,}", f"{row['found']:,}", f"{row['correct']:,}",
         _percent(row["completeness"]), _percent(row["contamination"])]
        for (label, *_), row in zip(magnitude_bins(), scores.to_dict("records"), strict=True)
    ]  # fmt: skip
    columns = ["G [mag]", "true members", "found", "of these true", "completeness", "contamination"]
    return TextTable(
        f"Members with p ≥ {prob_threshold:g} against the truth of the simulation", columns, rows
    )


def selection_function_table(table: pd.DataFrame) -> TextTable:
    """Completeness and contamination measured by validate_clusters.py.

    Parameters
    ----------
    table : DataFrame
        selection_function.csv.

    Returns
    -------
    TextTable
        One row for all, each bin of G, and each bin of radius.

    Raises
    ------
    ValueError
        If the table lacks a column.
    """
    needed = ["bin", "g_min", "g_max", "r_min", "r_max", *_VALIDATED]
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise ValueError(f"it lacks the columns {', '.join(lacking)}: run validate_clusters.py again.")
    rows = []
    for _, row in table[table["bin"] != "G and radius"].iterrows():
        lost = [_percent(row[name]) for name in ("lost_to_cone", "lost_to_selection", "lost_to_probability")]
        found = _with_interval(row, "completeness")
        accepted = f"{row['n_accepted']:,.0f}"
        rows.append([_bin_label(row), found, *lost, accepted, _with_interval(row, "contamination_controls"),
                     _percent(row["contamination_probability"])])  # fmt: skip
    columns = ["stars", "completeness", "lost to cone", "to selection", "to probability", "accepted",
               "contamination, controls", "mean of 1 − p"]  # fmt: skip
    return TextTable("Measured in the cluster's own cone, with 68 % intervals", columns, rows)


_VALIDATED = (
    "completeness",
    "completeness_lower",
    "completeness_upper",
    "lost_to_cone",
    "lost_to_selection",
    "lost_to_probability",
    "n_accepted",
    "contamination_controls",
    "contamination_controls_lower",
    "contamination_controls_upper",
    "contamination_probability",
)


def _bin_label(row: pd.Series) -> str:
    if row["bin"] == "G":
        return f"G {row['g_min']:g} – {row['g_max']:g}"
    if row["bin"] == "within the tidal radius":
        return f"within the tidal radius, {row['r_max']:.1f} pc"
    return "all" if row["bin"] == "all" else f"{row['r_min']:g} – {row['r_max']:g} pc"


def _with_interval(row: pd.Series, name: str) -> str:
    if not np.isfinite(row[name]):
        return "–"
    interval = f" ({100 * row[f'{name}_lower']:.0f} – {100 * row[f'{name}_upper']:.0f})"
    return _percent(row[name]) + (interval if np.isfinite(row[f"{name}_lower"]) else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "–"


_CONE_FILE = "cone.json"
_OPTIONS = {
    "cone": ConeOptions,
    "member": MemberOptions,
    "selection": SelectionOptions,
    "given": GivenCluster,
}


def recorded(folder: Path) -> dict[str, Any]:
    """What the folder says of its making.

    Parameters
    ----------
    folder : path
        A cluster's folder.

    Returns
    -------
    dict
        The content of cone.json under "cone", and the records of the stages in provenance.json; without these
        version, options and counts of cluster.json. A file that cannot be read is said so.
    """
    found = {"cone": _read(folder / _CONE_FILE)} if (folder / _CONE_FILE).exists() else {}
    stages = read_provenance(folder)
    if stages:
        return found | stages
    sets = _read(folder / CLUSTER_FILE)
    return found | {
        "sets": {key: sets[key] for key in ("version", "options", "counts", "unreadable") if key in sets}
    }


def recorded_cautions(provenance: dict[str, Any]) -> list[Caution]:
    """What was warned of while the files were made, as notes."""
    found = []
    for stage, record in provenance.items():
        by_hand = record.get("changed_by_hand") if isinstance(record, dict) else None
        if isinstance(by_hand, list):
            text = (
                f"{', '.join(map(str, by_hand))} was changed after it was made; --accept_changes took it so."
            )
            found.append(Caution("attention", "Changed by hand", text))
        texts = record.get("warnings", []) if isinstance(record, dict) else []
        title = f"Said by the {stage.replace('_', ' ')}"
        found += [Caution("note", title, str(text)) for text in texts if isinstance(texts, list)]
    return found


def validated_otherwise(folder: Path, provenance: dict[str, Any], prob_threshold: float) -> list[Caution]:
    """A note where completeness and contamination were measured at another probability than the list's."""
    options = provenance.get("validation", {}).get("made_with", {}).get("options", {})
    measured = options.get("validation", {}).get("prob_threshold", prob_threshold)
    if measured is None or measured == prob_threshold:
        return []
    command = command_again(
        folder, "validation", "validate_clusters.py", "--prob_threshold", f"{prob_threshold:g}"
    )
    text = (
        f"Completeness and contamination were measured for p ≥ {measured:g}, this report counts members from p ≥ "
        f"{prob_threshold:g}: run `{command}`."
    )
    return [Caution("note", "Validated at another probability", text)]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"unreadable": f"there is no {path.name}"}
    try:
        return read_json(path)
    except (ValueError, OSError) as error:
        return {"unreadable": str(error)}


def commands(provenance: dict[str, Any], name: str, data_dir: Path | str) -> tuple[list[str], bool]:
    """The commands that made the files.

    Parameters
    ----------
    provenance : dict
        From `recorded`.
    name : str
        The cluster.
    data_dir : path
        The data directory.

    Returns
    -------
    list of str
        The commands that were recorded, each once; without any, that of build_sets.py as its options tell it.
    bool
        Whether they were recorded.
    """
    recorded = list(dict.fromkeys(moved_command(command, data_dir) for command in _recorded(provenance)))
    if recorded:
        return recorded, True
    options = provenance.get("sets", {}).get("options", {})
    words: list[str] = []
    for group, signature in _OPTIONS.items():
        if isinstance(options.get(group), dict):
            words += _arguments(options[group], asdict(signature()))
    return [script_command("build_sets.py", name, *words, data_dir=data_dir)], False


def _recorded(value: Any) -> list[str]:
    """Every entry called command, at any depth."""
    if isinstance(value, list):
        return [text for part in value for text in _recorded(part)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, part in value.items():
        if key in ("command", "commands"):
            found += _as_commands(part, several=key == "commands")
        else:
            found += _recorded(part)
    return found


def _as_commands(value: Any, *, several: bool) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and several:
        return [text for part in value for text in _as_commands(part, several=False)]
    return [shlex.join(map(str, value))] if isinstance(value, list) else []


def _arguments(given: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """Options that differ from their defaults, as a shell takes them."""
    words = []
    for key, default in defaults.items():
        value = given.get(key, default)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(value)
        if value == default or value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{key}")
        else:
            words += [f"--{key}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return words
