"""From a cluster's name to its sets: cone, calibration, members, limits, selection, features."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.absence import BEYOND, why_absent
from gaia_oc_amd.arguments import checked
from gaia_oc_amd.candidates import failed_conditions, select_candidates, selection_limits
from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.catalogues.tables import InputTables
from gaia_oc_amd.cluster import Cluster, update_from_members
from gaia_oc_amd.columns import (
    CALIBRATED,
    FROM_ARCHIVE,
    LISTED_PROBABILITY,
    MEASUREMENTS,
    REJECTED_BY,
    SET_COLUMNS,
)
from gaia_oc_amd.cone import ConeRegion, calibrate, cone_region
from gaia_oc_amd.exceptions import ClusterError, TooFewMembersError
from gaia_oc_amd.features import add_features, projected_radius
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory
from gaia_oc_amd.files.provenance import command_again
from gaia_oc_amd.files.tables import read_table, require_columns
from gaia_oc_amd.inputs import hold_against_list, warn_of_no_field
from gaia_oc_amd.isochrones import nearest_age, place_isochrone
from gaia_oc_amd.members import (
    MATCHED,
    find_members,
    match_to_cone,
    matched_rows,
    refuse_unlisted,
)
from gaia_oc_amd.options import ConeOptions, GivenCluster, MemberOptions, SelectionOptions
from gaia_oc_amd.photometry import warn_of_missing_colours
from gaia_oc_amd.query import load_cone
from gaia_oc_amd.source_checks import check_sources
from gaia_oc_amd.source_sets import (
    OUTSIDE_COLUMNS,
    SourceSets,
    refuse_changed_sets,
    without_training_members,
)

MINIMUM_LEFT = 10
"""Training members that must be left after the selection, the size of a support set."""


@checked
def build_sets(
    name: str,
    tables: InputTables,
    data_dir: Path | str,
    *,
    cone: ConeOptions | None = None,
    member: MemberOptions | None = None,
    selection: SelectionOptions | None = None,
    given: GivenCluster | None = None,
) -> SourceSets:
    """From a cluster name to its member, candidate and non-member sets.

    Sect. 2 of van Groeningen et al. (2023): cone, calibration, members, limits, selection, features.

    Parameters
    ----------
    name : str
        Cluster name as the user spells it, or an alias.
    tables : InputTables
        From `read_input_tables`.
    data_dir : path
        The cone is kept in, and members found earlier are read from, the cluster's folder there.
    cone, member, selection : options, optional
        Defaults are those of the paper.
    given : GivenCluster, optional
        Parameters of the cluster that go before those of the table, which then need not know it.

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
    cluster = find_cluster(name, tables, given)
    folder = cluster_directory(data_dir, cluster.name)
    listed = tables.listed_members(cluster.name)
    if not member.bootstrap_members:
        refuse_unlisted(cluster.name, len(listed))  # before a cone is fetched for nothing
    region = cone_region(cluster, cone)
    sources = load_cone(
        cluster.name,
        region,
        folder,
        cone,
        credentials_path=tables.credentials_path,
        columns=tables.columns,
    )
    sources = calibrate(sources)
    warn_of_missing_colours(sources, selection.colour)
    matched = match_to_cone(listed, sources)
    hold_against_list(cluster, region, listed, sources, matched, prob_threshold=member.prob_threshold)
    warn_of_no_field(cluster, sources, matched)
    members = find_members(
        cluster.name,
        sources,
        listed,
        member,
        bootstrapped=_bootstrapped(folder, member),
        matched=matched,
    )
    points = nearest_age(tables.isochrones, cluster.age)
    sets = divide_cone(sources, cluster, members, points, selection, listed=matched)
    text = (
        f"{len(members) - len(sets.members)} of {len(members)} training members fail the candidate selection"
    )
    if len(sets.members) < min(member.n_min_members, MINIMUM_LEFT):
        raise TooFewMembersError(
            f"{cluster.name}: {text}, {len(sets.members)} are left: are age, distance and extinction right? Else try a "
            "larger --source_error_weight or --c_margin, or a lower --prob_threshold."
        )
    if len(sets.members) < member.n_min_members:
        warnings.warn(f"{text}: {len(sets.members)} are left, fewer than --n_min_members.", stacklevel=3)
    return _with_comparison(sets, *tables.compared_with(cluster.name), region)


def _bootstrapped(folder: Path, options: MemberOptions) -> pd.Series | None:
    """PMemb by source_id of stars that an earlier evaluation found sure enough, if they are wanted.

    Those of an earlier bootstrap stand among the members.
    """
    if not options.bootstrap_members:
        return None
    paths = [folder / "members.csv", folder / "candidates.csv"]
    judged = [without_training_members(read_table(path)) for path in paths if path.exists()]
    if len(judged) < len(paths) or (len(judged[1]) and judged[1]["PMemb"].isna().all()):
        raise FileNotFoundError(
            f"{paths[1]} has no probabilities, which --bootstrap_members needs: run "
            f"`{command_again(folder, 'evaluation', 'evaluate_clusters.py')}` first."
        )
    if (folder / CLUSTER_FILE).exists():
        refuse_changed_sets(folder, ("members", "candidates"))
    stars = pd.concat([table[["source_id", "PMemb"]] for table in judged])
    return stars[stars["PMemb"] >= options.bootstrap_prob].set_index("source_id")["PMemb"]


@checked
def divide_cone(
    sources: pd.DataFrame,
    cluster: Cluster,
    members: pd.Series,
    isochrone_points: pd.DataFrame,
    options: SelectionOptions | None = None,
    *,
    listed: pd.Series | None = None,
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
    listed : Series, optional
        PMemb by source_id of all stars that the member list has; by default these are the training members.

    Returns
    -------
    SourceSets
        With an empty comparison set. A member that fails the selection becomes a candidate. PMemb is the
        list's for members, 0 for non-members, and NaN for candidates, whom nobody has judged yet; PMemb_list
        is the list's in all sets.

    Raises
    ------
    ClusterError
        If none of the sources is a member, or the members give no finite limits.
    TypeError, ValueError
        If the sources are no table with identifiers as whole numbers and measurements.
    """
    options = options or SelectionOptions()
    require_columns(sources, ("source_id", *MEASUREMENTS), "sources", CALIBRATED)
    if n_again := int(sources["source_id"].duplicated().sum()):
        raise ValueError(f"sources have {n_again} source_id again: keep one row each, with drop_duplicates.")
    listed = members if listed is None else listed
    is_member = sources["source_id"].isin(members.index)
    if members.index.has_duplicates or not is_member.any():
        raise TooFewMembersError(
            f"{cluster.name}: {is_member.sum()} of {len(members)} members are among {len(sources)} sources: give a "
            "probability by source_id of each, as `find_members` does of the same sources."
        )
    isochrone = place_isochrone(isochrone_points, cluster.dist, cluster.a0, colour=options.colour)
    cluster = update_from_members(cluster, sources[is_member])
    limits = selection_limits(cluster, sources[is_member], isochrone, options)
    if not np.isfinite(list(limits.as_dict().values())).all():
        raise ClusterError(f"{cluster.name}: its members give no finite selection limits: {limits}.")
    passed = select_candidates(sources, cluster, limits, isochrone, options)
    selected = passed["candidate"]
    sources = add_features(sources, cluster, limits, isochrone, options.colour)
    sources = sources.assign(
        PMemb=np.where(selected | is_member, np.nan, 0.0),
        **{
            REJECTED_BY: failed_conditions(passed),
            LISTED_PROBABILITY: sources["source_id"].map(listed[~listed.index.duplicated()]).astype(float),
        },
    )
    sources = sources[[name for name in SET_COLUMNS if name in sources]]
    training = sources[is_member & selected].reset_index(drop=True)
    return SourceSets(
        cluster=cluster,
        limits=limits,
        isochrone=isochrone,
        colour=options.colour,
        members=training.assign(PMemb=training["source_id"].map(members).astype(float)),
        candidates=sources[selected != is_member].reset_index(drop=True),
        non_members=sources[~selected & ~is_member].reset_index(drop=True),
        comparison=sources.iloc[:0],
        selection=options,
    )


def _with_comparison(sets: SourceSets, listed: pd.DataFrame, name: str, region: ConeRegion) -> SourceSets:
    """Sets with a list to compare with: its stars in the cone with the list's PMemb, and those that are not there."""
    parts = (sets.members, sets.candidates, sets.non_members)
    sources = pd.concat([part[list(MATCHED)] for part in parts], ignore_index=True)
    rows = matched_rows(listed, sources)
    probability = pd.Series(listed.loc[rows.index, "PMemb"].to_numpy(), index=rows.to_numpy())
    found = pd.concat([part[part["source_id"].isin(probability.index)] for part in parts], ignore_index=True)
    outside = listed.drop(index=rows.index)
    placed = {"ra", "dec"} <= set(outside)
    outside = outside.assign(
        f_r=projected_radius(outside, sets.cluster) if placed else np.nan,
        **{BEYOND: why_absent(outside, region, sources)[BEYOND]},
    )
    outside = outside[[name for name in OUTSIDE_COLUMNS if name in outside]]
    return replace(
        sets,
        comparison=found.assign(PMemb=found["source_id"].map(probability)),
        comparison_outside=outside.reset_index(drop=True),
        comparison_name=name,
    )


@checked
def prepare_stars(table: pd.DataFrame, sets: SourceSets) -> pd.DataFrame:
    """Calibrate a table of Gaia sources and add the features that `membership_probabilities` reads.

    Parameters
    ----------
    table : DataFrame
        Sources as the Gaia archive gives them, with its column names and units (`columns.REQUIRED_COLUMNS`; those of
        `columns.OPTIONAL_COLUMNS` are used where they are there). Parallaxes must not have been corrected before.
    sets : SourceSets
        The cluster that the stars are compared with, from `load_sets`.

    Returns
    -------
    DataFrame
        The archive's columns in the table's order, with the table's index; parallaxes corrected, errors of magnitude
        and colours and the features of `add_features` added; PMemb_list, the probability of a list, is
        missing. Sources without an identifier, astrometry or G, and copies of others, are left out, with a warning.

    Raises
    ------
    ClusterError
        If columns are missing, identifiers are repeated or no integers, or values cannot be what the column says.
    TypeError
        If it is no DataFrame.
    ValueError
        If the table has features already, as those of the sets do: its parallaxes would be corrected twice.
    """
    require_columns(table, (), "the stars", FROM_ARCHIVE)
    if "f_r" in table:
        raise ValueError(
            "the table has a column f_r already: give the archive's table, or skip prepare_stars."
        )
    sources = check_sources(table, "the table of stars")
    row = pd.Series(np.arange(len(table)), table["source_id"].astype("Int64"))
    rows = row[~row.index.duplicated()].loc[sources["source_id"]]  # of a copy the first is kept
    prepared = add_features(calibrate(sources), sets.cluster, sets.limits, sets.isochrone, sets.colour)
    return prepared.assign(PMemb_list=np.nan).set_index(table.index[rows])
