"""Member, candidate, non-member and comparison sets of a cluster: made from its cone, saved, loaded."""

import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd import __version__
from gaia_oc_amd.astrometry import parallax_zero_point
from gaia_oc_amd.candidates import SelectionLimits, select_candidates, selection_limits
from gaia_oc_amd.catalogues import read_member_list, read_parameter_table
from gaia_oc_amd.cluster import PARAMETERS, Cluster, check_complete, update_from_members
from gaia_oc_amd.cluster_names import find_name, normalise_name
from gaia_oc_amd.columns import SET_COLUMNS
from gaia_oc_amd.cone import cone_region
from gaia_oc_amd.cone_sources import load_cone
from gaia_oc_amd.data_directory import (
    CLUSTER_FILE,
    CLUSTER_PARAMETERS,
    CREDENTIALS,
    ISOCHRONES,
    SET_NAMES,
    cluster_directory,
    read_json,
    read_set,
    write_csv,
    write_json,
)
from gaia_oc_amd.features import add_features
from gaia_oc_amd.isochrones import Isochrone, nearest_age, place_isochrone, read_isochrones
from gaia_oc_amd.member_matching import listed_members, match_to_cone, training_member_ids
from gaia_oc_amd.options import ConeOptions, MemberOptions, SelectionOptions, TablePaths
from gaia_oc_amd.photometry import add_magnitude_errors, warn_of_missing_colours

logger = logging.getLogger(__name__)

MEMBERS_FILE = "cg18_members.csv"
COMPARISON_FILE = "t22_members.csv"


@dataclass(frozen=True)
class SourceSets:
    """The sets of one cluster with what they were made with.

    Parameters
    ----------
    cluster : Cluster
        Means and standard deviations of the training members.
    limits : SelectionLimits
        Candidate selection limits.
    isochrone : Isochrone
        The cluster's isochrone.
    colour : str
        Colour of isochrone and selection, ``g_rp`` or ``bp_rp``.
    members, candidates, non_members : DataFrame
        Disjoint sets of the cone's sources, with the columns of `columns.SET_COLUMNS`.
    comparison : DataFrame
        Sources of the comparison list that are in the cone, whatever set they are in; may be empty.
    """

    cluster: Cluster
    limits: SelectionLimits
    isochrone: Isochrone
    colour: str
    members: pd.DataFrame
    candidates: pd.DataFrame
    non_members: pd.DataFrame
    comparison: pd.DataFrame

    def counts(self) -> dict[str, int]:
        """Number of sources in each set."""
        return {name: len(getattr(self, name)) for name in SET_NAMES}


@dataclass(frozen=True)
class InputTables:
    """Tables that a run reads once for all its clusters.

    Parameters
    ----------
    parameters : DataFrame
        Cluster parameters, one row per cluster.
    parameters_path : str
        Where they come from, for messages.
    members, comparison : DataFrame
        Member lists; the comparison list may be empty.
    isochrones : DataFrame
        Points of all isochrones.
    credentials_path : path, optional
        Credentials of the Gaia archive, if there are any.
    """

    parameters: pd.DataFrame
    parameters_path: str
    members: pd.DataFrame
    comparison: pd.DataFrame
    isochrones: pd.DataFrame
    credentials_path: Path | None


def read_input_tables(data_dir: Path | str, paths: TablePaths | None = None) -> InputTables:
    """Read the tables that `build_sets` needs.

    Parameters
    ----------
    data_dir : path
        Holds the tables under their default names.
    paths : TablePaths, optional
        Other places. A path given here must exist; the default comparison list and credentials may be absent.

    Returns
    -------
    InputTables

    Raises
    ------
    FileNotFoundError, ValueError
        If a table is missing or unreadable.
    """
    data_dir, paths = Path(data_dir), paths or TablePaths()
    parameters_path = _existing(paths.cluster_path or data_dir / CLUSTER_PARAMETERS, "--cluster_path")
    members_path = _existing(paths.members_path or data_dir / MEMBERS_FILE, "--members_path")
    isochrone_path = _existing(
        paths.isochrone_path or data_dir / ISOCHRONES, "--isochrone_path", "download_isochrones.py"
    )
    comparison_path = paths.comparison_path or data_dir / COMPARISON_FILE
    comparison = (
        read_member_list(comparison_path) if paths.comparison_path or comparison_path.exists() else None
    )
    credentials_path = paths.credentials_path or data_dir / CREDENTIALS
    if paths.credentials_path:
        _existing(paths.credentials_path, "--credentials_path", "create_gaia_credentials_file.py")
    members = read_member_list(members_path)
    return InputTables(
        parameters=read_parameter_table(parameters_path),
        parameters_path=str(parameters_path),
        members=members,
        comparison=members.iloc[:0] if comparison is None else comparison,
        isochrones=read_isochrones(isochrone_path),
        credentials_path=credentials_path if credentials_path.exists() else None,
    )


def _existing(path: Path, option: str, script: str = "download_members_and_cluster_params.py") -> Path:
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: run `python {script}` or name another file with {option}."
        )
    return path


def build_sets(
    name: str,
    tables: InputTables,
    data_dir: Path | str,
    *,
    cone: ConeOptions | None = None,
    member: MemberOptions | None = None,
    selection: SelectionOptions | None = None,
) -> SourceSets:
    """From a cluster name to its member, candidate and non-member sets.

    Sect. 2 of van Groeningen et al. (2023): cone, calibration, members, limits, selection, features.

    Parameters
    ----------
    name : str
        Cluster name as the user spells it.
    tables : InputTables
        From `read_input_tables`.
    data_dir : path
        The cone is kept in, and members found earlier are read from, the cluster's folder there.
    cone, member, selection : options, optional
        Defaults are those of the paper.

    Returns
    -------
    SourceSets
        Not yet saved: see `save_sets`.

    Raises
    ------
    ClusterError
        If the cluster is unknown, lacks parameters, members or sources.
    """
    cone, member, selection = (
        cone or ConeOptions(),
        member or MemberOptions(),
        selection or SelectionOptions(),
    )
    cluster = find_cluster(name, tables)
    folder = cluster_directory(data_dir, cluster.name)
    region = cone_region(cluster, cone)
    sources = load_cone(cluster.name, region, folder, cone, credentials_path=tables.credentials_path)
    sources = calibrate(sources)
    warn_of_missing_colours(sources, selection.colour)
    members = find_members(
        cluster.name, sources, tables.members, member, bootstrapped=_bootstrapped(folder, member)
    )
    sets = divide_cone(sources, cluster, members, nearest_age(tables.isochrones, cluster.age), selection)
    return replace(sets, comparison=_comparison_set(sets, listed_members(tables.comparison, cluster.name)))


def find_cluster(name: str, tables: InputTables) -> Cluster:
    """Cluster of a name, with what its table row lacks computed from its listed members where possible.

    Missing standard deviations are those of the listed proper motions and parallaxes, a missing distance is
    1000 / parallax.

    Raises
    ------
    UnknownClusterError
        If no row has the name.
    ClusterError
        If the row lacks something that cannot be computed.
    """
    parameters = tables.parameters
    known = find_name(name, parameters["name"], table=tables.parameters_path)
    row = parameters.loc[parameters["name"] == known].iloc[0]
    values = {key: float(row[key]) if key in row else np.nan for key in PARAMETERS}
    listed = listed_members(tables.members, known)
    for quantity in ("pmra", "pmdec", "parallax"):
        if not np.isfinite(values[f"{quantity}_error"]) and quantity in listed and len(listed) > 1:
            values[f"{quantity}_error"] = float(listed[quantity].std())
    if not np.isfinite(values["dist"]) and values["parallax"] > 0:
        values["dist"] = 1000 / values["parallax"]
    return check_complete(Cluster(name=known, **values))


def calibrate(sources: pd.DataFrame) -> pd.DataFrame:
    """Subtract the parallax zero point and add magnitude errors.

    Parameters
    ----------
    sources : DataFrame
        Cone sources as the archive gives them.

    Returns
    -------
    DataFrame
        A new table (see `astrometry.parallax_zero_point` and `photometry.add_magnitude_errors`).
    """
    return add_magnitude_errors(sources.assign(parallax=sources["parallax"] - parallax_zero_point(sources)))


def find_members(
    name: str,
    sources: pd.DataFrame,
    member_list: pd.DataFrame,
    options: MemberOptions | None = None,
    *,
    bootstrapped: pd.Series | None = None,
) -> pd.Series:
    """Training members of a cluster among the sources of its cone.

    Parameters
    ----------
    name : str
        Cluster name.
    sources : DataFrame
        Cone sources.
    member_list : DataFrame
        Published list with cluster, source_id, PMemb and perhaps positions.
    options : MemberOptions, optional
        Threshold and smallest number.
    bootstrapped : Series, optional
        PMemb by source_id of members found earlier, who join the listed ones.

    Returns
    -------
    Series
        PMemb by source_id.

    Raises
    ------
    TooFewMembersError
        If fewer than the smallest number are in the cone.
    """
    options = options or MemberOptions()
    listed = listed_members(member_list, name)
    probability = match_to_cone(listed, sources)
    if bootstrapped is not None:
        found = bootstrapped[bootstrapped.index.isin(sources["source_id"])]
        joined = pd.concat([probability[probability >= options.prob_threshold - 1e-9], found])
        probability = joined[~joined.index.duplicated()]
        options = replace(options, prob_threshold=min(options.prob_threshold, options.bootstrap_prob))
    ids = training_member_ids(
        probability,
        name,
        n_listed=len(listed),
        prob_threshold=options.prob_threshold,
        n_min_members=options.n_min_members,
    )
    return probability[ids]


def _bootstrapped(folder: Path, options: MemberOptions) -> pd.Series | None:
    """PMemb by source_id of candidates that an earlier evaluation found sure enough, if they are wanted."""
    if not options.bootstrap_members:
        return None
    path = folder / "candidates.csv"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist: --bootstrap_members needs an earlier evaluate_clusters.py."
        )
    candidates = pd.read_csv(path, usecols=["source_id", "PMemb"], dtype={"source_id": np.int64})
    found = candidates[candidates["PMemb"] >= options.bootstrap_prob]
    return found.set_index("source_id")["PMemb"]


def divide_cone(
    sources: pd.DataFrame,
    cluster: Cluster,
    members: pd.Series,
    isochrone_points: pd.DataFrame,
    options: SelectionOptions | None = None,
) -> SourceSets:
    """Divide calibrated cone sources into members, candidates and non-members.

    Parameters
    ----------
    sources : DataFrame
        From `calibrate`.
    cluster : Cluster
        Gives age, extinction and distance; its means are replaced by those of the members.
    members : Series
        PMemb of the training members by source_id.
    isochrone_points : DataFrame
        One isochrone, from `isochrones.nearest_age`.
    options : SelectionOptions, optional
        How candidates are selected.

    Returns
    -------
    SourceSets
        With an empty comparison set. A member that fails the selection becomes a candidate. PMemb is the
        list's for members, 0 for non-members, and NaN for candidates, whom nobody has judged yet.
    """
    options = options or SelectionOptions()
    is_member = sources["source_id"].isin(members.index)
    cluster = update_from_members(cluster, sources[is_member])
    isochrone = place_isochrone(isochrone_points, cluster.dist, cluster.a0, colour=options.colour)
    limits = selection_limits(cluster, sources[is_member], isochrone, options)
    selected = select_candidates(sources, cluster, limits, isochrone, options)["candidate"]
    sources = add_features(sources, cluster, limits, isochrone, options.colour)
    sources = sources.assign(PMemb=np.where(selected | is_member, np.nan, 0.0))
    sources.loc[is_member & selected, "PMemb"] = sources["source_id"].map(members)
    sources = sources[[name for name in SET_COLUMNS if name in sources]]
    return SourceSets(
        cluster=cluster,
        limits=limits,
        isochrone=isochrone,
        colour=options.colour,
        members=sources[is_member & selected].reset_index(drop=True),
        candidates=sources[selected != is_member].reset_index(drop=True),
        non_members=sources[~selected & ~is_member].reset_index(drop=True),
        comparison=sources.iloc[:0],
    )


def _comparison_set(sets: SourceSets, listed: pd.DataFrame) -> pd.DataFrame:
    """Cone sources that the comparison list has, with the list's PMemb."""
    sources = pd.concat([sets.members, sets.candidates, sets.non_members], ignore_index=True)
    probability = match_to_cone(listed, sources)
    return sources[sources["source_id"].isin(probability.index)].assign(
        PMemb=lambda table: table["source_id"].map(probability)
    )


def save_sets(sets: SourceSets, data_dir: Path | str, *, made_with: dict[str, Any] | None = None) -> Path:
    """Write the four CSVs and cluster.json into the cluster's folder.

    cluster.json is removed first and written last: sets without it were interrupted and count as absent.

    Parameters
    ----------
    sets : SourceSets
        What to save.
    data_dir : path
        The data directory.
    made_with : dict of option dataclasses, optional
        Recorded in cluster.json.

    Returns
    -------
    Path
        The cluster's folder.
    """
    folder = cluster_directory(data_dir, sets.cluster.name)
    (folder / CLUSTER_FILE).unlink(missing_ok=True)
    for name in SET_NAMES:
        write_csv(folder / f"{name}.csv", getattr(sets, name))
    content = {
        "cluster": sets.cluster.as_dict(),
        "limits": sets.limits.as_dict(),
        "colour": sets.colour,
        "counts": sets.counts(),
        "version": __version__,
        "options": {group: asdict(options) for group, options in (made_with or {}).items()},
        "isochrone": {"colour": sets.isochrone.colour, "g": sets.isochrone.g},
    }
    write_json(folder / CLUSTER_FILE, content)
    return folder


def load_sets(name: str, data_dir: Path | str) -> SourceSets:
    """Read the sets that `save_sets` wrote.

    Parameters
    ----------
    name : str
        Cluster name as the folder is called, ignoring case, underscores, spaces and hyphens.
    data_dir : path
        The data directory.

    Returns
    -------
    SourceSets

    Raises
    ------
    FileNotFoundError
        If the sets were never built, or the building was interrupted.
    ValueError
        If a file is damaged.
    """
    name = _folder_name(name, data_dir)
    path = cluster_directory(data_dir, name) / CLUSTER_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: run `python build_sets.py {name}` first.")
    content = read_json(path)
    try:
        return SourceSets(
            cluster=Cluster.from_dict(content["cluster"]),
            limits=SelectionLimits(**content["limits"]),
            isochrone=Isochrone(
                **{key: np.array(value, float) for key, value in content["isochrone"].items()}
            ),
            colour=content["colour"],
            **{set_name: read_set(data_dir, name, set_name) for set_name in SET_NAMES},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is incomplete ({error}): run `python build_sets.py {name}` again."
        ) from error


def _folder_name(name: str, data_dir: Path | str) -> str:
    """The name's spelling among the folders that exist, the name itself if there is none."""
    cluster_directory(data_dir, name)  # refuses names that are no folder names
    folders = Path(data_dir) / "clusters"
    existing = [folder.name for folder in folders.iterdir() if folder.is_dir()] if folders.is_dir() else []
    return next((other for other in existing if normalise_name(other) == normalise_name(name)), name)
