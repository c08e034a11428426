"""The members of a cluster whose isochrone is to be fitted: of its sets, or of the member list."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import robust_mean
from gaia_oc_amd.catalogues.lookup import find_cluster
from gaia_oc_amd.catalogues.tables import InputTables
from gaia_oc_amd.cluster import Cluster, update_from_members
from gaia_oc_amd.cone import calibrate, cone_region
from gaia_oc_amd.exceptions import TooFewMembersError
from gaia_oc_amd.files.data_directory import CLUSTER_FILE, cluster_directory
from gaia_oc_amd.isochrone_fit.options import FittedMembersOptions
from gaia_oc_amd.members import match_to_cone, refuse_unlisted
from gaia_oc_amd.options import ConeOptions, GivenCluster
from gaia_oc_amd.query import load_cone
from gaia_oc_amd.source_sets import existing_name, load_sets

Array = NDArray[np.float64]

_PLACEHOLDERS = {"age": 8.2, "a0": 0.5}
"""For clusters whose age and extinction nobody knows: the cone does not depend on them."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FittedMembers:
    """Stars of a cluster, and what is known of it without a fit.

    Parameters
    ----------
    cluster : Cluster
        With the means and standard deviations of the stars; age, a0 and dist are the table's or placeholders.
    stars : DataFrame
        Calibrated sources with PMemb.
    known : dict of str to float
        age, a0 and dist of the parameter table, as far as it has them.
    origin : str
        ``sets`` or ``list``.
    """

    cluster: Cluster
    stars: pd.DataFrame
    known: dict[str, float]
    origin: str


def fitted_members(
    name: str,
    tables: InputTables,
    data_dir: Path | str,
    *,
    cone: ConeOptions | None = None,
    options: FittedMembersOptions | None = None,
) -> FittedMembers:
    """Stars of a cluster that are sure enough to be fitted.

    Where sets were built, their members and evaluated candidates; else the listed members that are in the cone,
    which is read from the cluster's folder or fetched. The parameter table need not have age, a0 and distance.

    Parameters
    ----------
    name : str
        Cluster name as the user spells it, or an alias.
    tables : InputTables
        Parameters and member list.
    data_dir : path
        The data directory.
    cone : ConeOptions, optional
        Where the stars of the list are.
    options : FittedMembersOptions, optional
        Threshold, and whether the list goes before the sets.

    Returns
    -------
    FittedMembers

    Raises
    ------
    ClusterError
        If the cluster is unknown, or fewer than two of its stars are sure enough.
    """
    options = options or FittedMembersOptions()
    folder = cluster_folder(name, tables, data_dir)
    if (folder / CLUSTER_FILE).exists() and not options.from_list:
        sets = load_sets(folder.name, data_dir, parts=("members", "candidates"))
        cluster, origin = sets.cluster, "sets"
        stars = pd.concat([sets.members, sets.candidates], ignore_index=True)
    else:
        cluster, stars = _listed(name, tables, data_dir, cone or ConeOptions())
        origin = "list"
    stars = stars[stars["PMemb"] >= options.prob_threshold - 1e-9]
    is_measured = np.isfinite(stars[["parallax", "pmra", "pmdec"]].to_numpy(float)).all(axis=1)
    stars = stars.loc[is_measured].reset_index(drop=True)
    if len(stars) < 2:
        raise TooFewMembersError(
            f"{cluster.name} has {len(stars)} stars with PMemb >= {options.prob_threshold:g} in its {origin}, too few "
            "for a fit: lower --prob_threshold."
        )
    return FittedMembers(update_from_members(cluster, stars), stars, _known(cluster.name, tables), origin)


def cluster_folder(name: str, tables: InputTables, data_dir: Path | str) -> Path:
    """Folder of a cluster that has one, or that the parameter table knows; it need not exist yet.

    Raises
    ------
    UnknownClusterError
        If neither knows the name.
    """
    folder = cluster_directory(data_dir, existing_name(name, data_dir))
    if folder.is_dir():
        return folder
    return cluster_directory(data_dir, tables.known_name(name) or find_cluster(name, tables).name)


def _known(name: str, tables: InputTables) -> dict[str, float]:
    """What the parameter table has of age, a0 and dist."""
    known = tables.known_name(name)
    row = tables.parameters_of(known) if known else {}
    values = {key: float(row.get(key, np.nan)) for key in ("age", "a0", "dist")}
    return {key: value for key, value in values.items() if np.isfinite(value)}


def _listed(
    name: str, tables: InputTables, data_dir: Path | str, cone: ConeOptions
) -> tuple[Cluster, pd.DataFrame]:
    """The cluster and its listed members in the cone, calibrated."""
    given: dict[str, Any] = {}
    if tables.known_name(name) is not None:
        known = _known(name, tables)
        given = {key: value for key, value in _PLACEHOLDERS.items() if key not in known}
    cluster = find_cluster(name, tables, GivenCluster(**given))
    listed = tables.listed_members(cluster.name)
    refuse_unlisted(cluster.name, len(listed))
    region, folder = cone_region(cluster, cone), cluster_directory(data_dir, cluster.name)
    sources = load_cone(
        cluster.name,
        region,
        folder,
        cone,
        credentials_path=tables.credentials_path,
        columns=tables.columns,
    )
    probability = match_to_cone(listed, sources)
    sources = calibrate(sources[sources["source_id"].isin(probability.index)].reset_index(drop=True))
    logger.info("%s: %d of %d listed members are in the cone", cluster.name, len(sources), len(listed))
    return cluster, sources.assign(PMemb=sources["source_id"].map(probability).astype(float))


def mean_parallax(stars: pd.DataFrame) -> tuple[float, float]:
    """Mean of corrected parallaxes, contaminants apart, and its standard error without the systematic part.

    Parameters
    ----------
    stars : DataFrame
        With parallax and parallax_error [mas].

    Returns
    -------
    mean, error : float
        [mas]
    """
    return robust_mean(stars["parallax"].to_numpy(float), stars["parallax_error"].to_numpy(float))
