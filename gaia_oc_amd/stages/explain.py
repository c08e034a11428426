"""Say of stars why they are members of a cluster or why not, and write it down."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gaia_oc_amd.catalogues.checks import RowCheck, identifiers
from gaia_oc_amd.catalogues.paths import list_name, published_list
from gaia_oc_amd.catalogues.published import CATALOGUES
from gaia_oc_amd.catalogues.tables import read_member_list
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.column_names import MEMBERS
from gaia_oc_amd.defaults import read_defaults
from gaia_oc_amd.exceptions import UsageError
from gaia_oc_amd.explanation import explain
from gaia_oc_amd.files.data_directory import locked
from gaia_oc_amd.files.provenance import read_provenance
from gaia_oc_amd.files.tables import read_table, write_csv
from gaia_oc_amd.kept_cone import recorded_region
from gaia_oc_amd.member_list import threshold_of
from gaia_oc_amd.members import listed_members
from gaia_oc_amd.model_files import ModelFiles
from gaia_oc_amd.options import RunOptions
from gaia_oc_amd.source_sets import check_sets, load_sets, sets_folder
from gaia_oc_amd.stages.many import read_model
from gaia_oc_amd.stages.options import ExplainOptions

EXPLANATION_FILE = "explanation.csv"
MOST_LINES = 100
"""Stars that get a line on the screen; more are counted, and stand in the file."""

_NUMBER = r"[+-]?\d+(?:\.\d*)?"
_POSITION = re.compile(rf"({_NUMBER})\s*[,\s]\s*({_NUMBER})")
_IDENTIFIER = re.compile(r"(?:Gaia\s*E?DR3[\s_]+)?(\d{4,19})", re.IGNORECASE)

logger = logging.getLogger(__name__)


def explain_stars(
    cluster: str | None,
    data_dir: Path | str = "data",
    options: ExplainOptions = ExplainOptions(),
    *,
    seed: int = RunOptions.seed,
) -> tuple[pd.DataFrame, Path]:
    """Say of stars why they are members of a cluster or why not, and write explanation.csv into its folder.

    Parameters
    ----------
    cluster : str
        Cluster whose sets were built, in any spelling.
    data_dir : path
        The data directory.
    options : ExplainOptions
        Which stars, and the rest of what explain_stars.py takes.
    seed : int
        Of the support sets.

    Returns
    -------
    table : DataFrame
        As `explanation.explain` gives it.
    path : Path
        The file.

    Raises
    ------
    UsageError
        If no cluster or no star is named.
    OSError, ValueError
        If the sets were not built, or a table cannot be read.
    """
    if cluster is None:
        raise UsageError("no cluster is named: python explain_stars.py NGC_2509 my_stars.csv")
    folder = sets_folder(cluster, data_dir)
    path = None if options.from_ is None else _list_file(options.from_, Path(data_dir))
    columns = read_defaults(Path(data_dir)).get("columns", [])
    stars = _stars(folder.name, path, options, columns)
    published = published_list(path) if path else None
    model = read_model(options)
    _warn_of_another_model(folder, model)
    with locked(folder):
        check_sets(folder, accept=options.accept_changes)
        table = explain(
            stars,
            load_sets(folder.name, data_dir),
            Classifier.of(model),
            region=recorded_region(folder),
            by_position=published is not None and published.release == "DR2",
            prob_threshold=options.prob_threshold or threshold_of(folder),
            sampling=options.sampling,
            seed=seed,
        )
        path = folder / EXPLANATION_FILE
        write_csv(path, table)
    return table, path


def explanation_text(table: pd.DataFrame, path: Path) -> str:
    """A line for each star, of very many those that are nearly members first, and one that counts them.

    Of more than `MOST_LINES`, those that are no members come first: candidates by falling probability, then
    non-members from the nearest to the cluster, then stars that are not in the cone; at last members, the least
    probable first. The file keeps the order that the stars were given in.

    Parameters
    ----------
    table : DataFrame
        From `explain_stars`.
    path : path
        The file that holds it.

    Returns
    -------
    str
    """
    shown = table if len(table) <= MOST_LINES else _doubtful_first(table).head(MOST_LINES)
    lines = [
        f"{star}{_found_as(star, source_id)}: {reason}"
        for star, source_id, reason in zip(shown["star"], shown["source_id"], shown["reason"], strict=True)
    ]
    if len(table) > MOST_LINES:
        lines.append(f"... and {len(table) - MOST_LINES:,} more, less doubtful ones, in the file")
    counts = ", ".join(
        f"{n:,} {verdict}{'s' * (n > 1 and verdict in _COUNTED)}"
        for verdict, n in table["verdict"].value_counts().items()
    )
    return "\n".join([*lines, f"{len(table):,} star{'s' * (len(table) != 1)}: {counts}: {path}"])


_SHOWN = ("candidate", "non-member", "not in the cone", "training member", "member")
"""Verdicts in the order in which many stars are shown: why one is a member is the least question."""
_SIGMAS = ["f_pm_sigma", "f_plx_sigma", "f_c_sigma", "f_g_sigma"]
_COUNTED = ("member", "candidate", "non-member")
"""Verdicts that are names of stars."""


def _doubtful_first(table: pd.DataFrame) -> pd.DataFrame:
    """Stars by verdict, and of each verdict first those that nearly had another one."""
    certainty = table["PMemb"].where(table["verdict"] != "candidate", -table["PMemb"])
    certainty = certainty.where(table["verdict"] != "non-member", table[_SIGMAS].abs().max(axis=1))
    ranked = table.assign(_rank=table["verdict"].map(_SHOWN.index), _certainty=certainty)
    return ranked.sort_values(["_rank", "_certainty"], kind="stable")


def _found_as(star: str, source_id: int) -> str:
    """Identifier of a star that was given by its position."""
    return f" ({source_id})" if " " in star and pd.notna(source_id) else ""


def _stars(cluster: str, path: Path | None, options: ExplainOptions, columns: Sequence[str]) -> pd.DataFrame:
    parts = [_given_star(word, cluster, columns) for word in options.stars]
    if path is not None:
        parts.append(_listed(path, cluster, columns))
    if not parts:
        raise UsageError(
            f"no star is named: give identifiers, positions or a table, as in explain_stars.py {cluster} my_stars.csv, "
            "or a list with --from t22."
        )
    return pd.concat(parts, ignore_index=True)


def _given_star(word: str, cluster: str, columns: Sequence[str]) -> pd.DataFrame:
    """What one argument means: a table, an identifier, or a position."""
    if Path(word).is_file():
        return _of_cluster(_table_of_stars(Path(word), columns), cluster)
    identifier = _IDENTIFIER.fullmatch(word.strip())
    if identifier and int(identifier[1]) < 2**63:
        return pd.DataFrame({"source_id": pd.array([int(identifier[1])], dtype="Int64")})
    if place := _POSITION.fullmatch(word.strip()):
        ra, dec = float(place[1]), float(place[2])
        if 0 <= ra <= 360 and -90 <= dec <= 90:
            return pd.DataFrame({"ra": [ra], "dec": [dec]})
    raise UsageError(
        f"{word} is no file, no identifier of Gaia DR3 and no position: give 120.1234,-19.0512 for degrees."
    )


def _table_of_stars(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Table of which each star has an identifier of Gaia's or a position."""
    table = read_table(path, names=MEMBERS.with_given(columns))
    if table.empty:
        raise ValueError(f"{path} has no rows: write an identifier or a position in each.")
    if "source_id" not in table:
        return table
    rows = RowCheck(table, str(path))
    return rows.usable(table.assign(source_id=identifiers(table, rows)))


def _list_file(source: str, data_dir: Path) -> Path:
    """File of a catalogue, of a list that build_sets.py was given and that is called so, or of a path."""
    lists = {each.key: data_dir / each.members.file_name for each in CATALOGUES if each.members}
    defaults = read_defaults(data_dir)
    for kind in ("members", "comparison"):
        for path in map(Path, defaults.get(f"{kind}_path", [])):
            label = defaults.get(f"{kind}_label", [list_name(path)])[0]
            lists |= {kind: path, label.lower(): path}
    path = Path(source)
    if source.lower() in lists and not path.is_file():
        path = lists[source.lower()]
    if not path.is_file():
        known = (
            ", ".join(name for name, file in lists.items() if file.is_file()) or "t22 once it is downloaded"
        )
        raise FileNotFoundError(f"{path} does not exist: give a file, or a list that is here: {known}.")
    return path


def _listed(path: Path, cluster: str, columns: Sequence[str]) -> pd.DataFrame:
    """Stars of the cluster in a catalogue or another member list."""
    listed = listed_members(read_member_list(path, columns), cluster)
    if listed.empty:
        raise ValueError(f"{path} has no star of {cluster}.")
    return listed


def _of_cluster(table: pd.DataFrame, cluster: str) -> pd.DataFrame:
    """Rows of the cluster in a table of several, else the table."""
    if "cluster" in table:
        rows = listed_members(table.assign(cluster=table["cluster"].astype("str")), cluster)
        return rows if len(rows) else table
    return table


def _warn_of_another_model(folder: Path, model: ModelFiles) -> None:
    evaluation = read_provenance(folder).get("evaluation")
    if evaluation and evaluation["made_with"].get("model") != model.fingerprint():
        logger.warning(
            "%s was evaluated with another model: name it with --model_dir, or its probabilities are explained by what "
            "this one makes of the stars.",
            folder.name,
        )
