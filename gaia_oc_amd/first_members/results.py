"""What a search found: members and parameters as tables, saved in the cluster's folder."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.arguments import Seed, checked
from gaia_oc_amd.astrometry import parallax_zero_point, robust_mean
from gaia_oc_amd.catalogues.lookup import fill_gaps
from gaia_oc_amd.catalogues.names import cluster_rng
from gaia_oc_amd.exceptions import ClusterError, TooFewStarsError
from gaia_oc_amd.files.data_directory import cluster_directory, read_json, write_json
from gaia_oc_amd.files.provenance import versions
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.first_members.choice import JudgedGroup
from gaia_oc_amd.first_members.field import (
    FIELD_FOLDER,
    SearchTarget,
    load_search_field,
    quality_cuts,
    said_counts,
)
from gaia_oc_amd.first_members.options import QualityOptions, SearchOptions
from gaia_oc_amd.first_members.other_groups import MEMBER_PROBABILITY, describe_others, group_means
from gaia_oc_amd.first_members.search import FirstMembers, find_first_members, neighbour_name
from gaia_oc_amd.isochrone_fit.fit import fit_isochrone
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.source_sets import existing_name

_SYSTEMATIC = 0.015
"""Error of a mean parallax however many stars it is of [mas]."""
_LEAST_PARALLAX = 0.04
"""A distance from a smaller parallax would be a guess [mas]."""

logger = logging.getLogger(__name__)


def found_parameters(
    name: str,
    members: pd.DataFrame,
    *,
    table_row: dict[str, float] | None = None,
    isochrones: pd.DataFrame | None = None,
    fit: bool = False,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Row of a cluster parameter table, whole enough for build_sets, and where its values are from.

    Position, proper motion and parallax (as the archive gives it) with the standard deviations are those of the
    members. Age, extinction and distance come from a fit of the isochrones if it is asked for, else from the
    parameter table; a distance that is still missing is that of the mean parallax, corrected for the zero point, and
    what is then missing that of a typical cluster (see `catalogues.lookup.fill_gaps`).

    Parameters
    ----------
    name : str
        Cluster name.
    members : DataFrame
        Found stars with the archive's columns and PMemb.
    table_row : dict, optional
        age, a0, dist that a table has.
    isochrones : DataFrame, optional
        Points of all isochrones, for the fit.
    fit : bool
        Whether age, extinction and distance are fitted.
    rng : Generator
        For the fit.

    Returns
    -------
    row : dict
        Columns of a cluster parameter table.
    origins : dict
        ``from`` (fit, table, parallax or assumed) by quantity, and the fit.
    """
    sure = members[members["PMemb"] >= MEMBER_PROBABILITY]
    sure = sure if len(sure) >= 2 else members
    row = group_means(sure)
    corrected, error = _corrected_parallax(sure)
    values = dict.fromkeys(("age", "a0", "dist"), np.nan)
    origins = dict.fromkeys(values, "assumed")
    known = {key: value for key, value in (table_row or {}).items() if key in values and np.isfinite(value)}
    fitted, details = (
        _fit(name, sure, isochrones, corrected, error, rng) if fit and isochrones is not None else ({}, None)
    )
    for source, found in (("table", known), ("fit", fitted)):
        values |= found
        origins |= dict.fromkeys(found, source)
    if not np.isfinite(values["dist"]):
        values["dist"], origins["dist"] = _distance(name, corrected, error), "parallax"
    row = fill_gaps(name, row | values)
    return {"name": name, **row}, {"from": origins, "isochrone_fit": details}


def _corrected_parallax(members: pd.DataFrame) -> tuple[float, float]:
    """Mean of the parallaxes less their zero points, and its error with the systematic part [mas]."""
    values = members["parallax"].to_numpy(float) - parallax_zero_point(members)
    mean, error = robust_mean(values, members["parallax_error"].to_numpy(float))
    return mean, float(np.hypot(error, _SYSTEMATIC))


def _distance(name: str, parallax: float, error: float) -> float:
    if parallax < max(_LEAST_PARALLAX, 2 * error):
        warnings.warn(
            f"{name}: the mean parallax, {parallax:.3f} +- {error:.3f} mas, hardly gives a distance; "
            f"{1000 / max(parallax, _LEAST_PARALLAX):.0f} pc is used: give --dist to build_sets.py if you know better.",
            stacklevel=4,
        )
    return 1000 / max(parallax, _LEAST_PARALLAX)


def _fit(
    name: str,
    members: pd.DataFrame,
    isochrones: pd.DataFrame,
    parallax: float,
    error: float,
    rng: np.random.Generator,
) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Age, extinction and distance by the isochrones; a fit that is not possible is said and left out."""
    statistical = float(np.sqrt(max(error**2 - _SYSTEMATIC**2, 0)))
    weights = members["PMemb"].to_numpy(float)
    try:
        fit = fit_isochrone(
            members, isochrones, parallax=parallax, parallax_error=statistical, weights=weights, rng=rng
        )
    except ClusterError as problem:
        warnings.warn(f"{name}: no isochrone was fitted: {problem}", stacklevel=4)
        return {}, None
    logger.info(
        "%s: log age %.2f +- %.2f, A0 %.2f +- %.2f mag, %.0f +- %.0f pc by the isochrones",
        *(name, fit.age, fit.age_error, fit.a0, fit.a0_error, fit.dist, fit.dist_error),
    )
    return {"age": fit.age, "a0": fit.a0, "dist": fit.dist}, fit.as_dict()


MEMBERS_FILE = "first_members.csv"
PARAMETERS_FILE = "first_members_parameters.csv"
RECORD_FILE = "first_members.json"
OTHERS_FILE = "other_groups.csv"
OTHER_MEMBERS_FILE = "other_groups_members.csv"

_LISTED = ("source_id", "PMemb", "ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag")


@dataclass(frozen=True)
class MemberSearch:
    """What a search found, and how.

    Parameters
    ----------
    target : SearchTarget
        Where it looked.
    found : FirstMembers
        The members.
    row : dict
        The cluster's row of a parameter table.
    record : dict
        Options, versions, source, counts and significance.
    neighbour_row : dict, optional
        The row of the other half of a double cluster.
    """

    target: SearchTarget
    found: FirstMembers
    row: dict[str, Any]
    record: dict[str, Any]
    neighbour_row: dict[str, Any] | None = None

    @property
    def members(self) -> pd.DataFrame:
        """Member list as build_sets reads it; the other half of a double cluster has a name of its own."""
        names = (self.target.name, neighbour_name(self.target.name))
        halves = (self.found.members, self.found.neighbour_members)
        listed = [half[list(_LISTED)] for half in halves]
        for name, half in zip(names, listed, strict=True):
            half.insert(0, "cluster", name)
        return listed[0] if listed[1].empty else pd.concat(listed, ignore_index=True)

    @property
    def other_members(self) -> pd.DataFrame:
        """Member list of the other groups, under the names of `describe_others`."""
        listed = [other.members[list(_LISTED)] for other in self.found.others]
        for i, members in enumerate(listed, 1):
            members.insert(0, "cluster", f"{self.target.name}_group_{i}")
        return pd.concat(listed, ignore_index=True)

    @property
    def parameters(self) -> pd.DataFrame:
        """Parameter table as build_sets reads it: of one row, and one of the other half of a double cluster."""
        return pd.DataFrame([self.row] if self.neighbour_row is None else [self.row, self.neighbour_row])

    def counts(self) -> dict[str, Any]:
        """Numbers for the table at the end of a run."""
        probability = self.found.stars["PMemb"]
        return {
            "stars": len(probability),
            "p>=0.5": int((probability >= MEMBER_PROBABILITY).sum()),
            "p>=0.8": int((probability >= 0.8).sum()),
            "sigma": round(self.found.significance, 1),
            "others": len(self.found.others) + (self.neighbour_row is not None),
        }


@checked
def search_members(
    target: SearchTarget,
    data_dir: Path | str,
    *,
    isochrones: pd.DataFrame | None = None,
    cone: ConeOptions | None = None,
    quality: QualityOptions | None = None,
    search: SearchOptions | None = None,
    fit_isochrone: bool = False,
    credentials_path: Path | None = None,
    seed: Seed = 42,
) -> MemberSearch:
    """Find a cluster's first members in its field.

    Parameters
    ----------
    target : SearchTarget
        From `first_members.field.find_target`.
    data_dir : path
        The field is kept in the cluster's folder there.
    isochrones : DataFrame, optional
        Points of all isochrones.
    cone, quality, search : options, optional
        What the stars come from, which count, how groups are found.
    fit_isochrone : bool
        Whether age, extinction and distance are fitted to the members' colour-magnitude diagram.
    credentials_path : path, optional
        Credentials of the Gaia archive.
    seed : int
        With the name it determines the result.

    Returns
    -------
    MemberSearch
        Not yet saved: see `save_search`.

    Raises
    ------
    ClusterError
        If there are no stars, or no cluster among them.
    """
    cone, quality, search = cone or ConeOptions(), quality or QualityOptions(), search or SearchOptions()
    folder = search_folder(target, data_dir)
    sources = load_search_field(target, folder, cone, credentials_path=credentials_path)
    stars, counts = quality_cuts(sources, quality)
    logger.info("%s: stars left after each cut: %s", target.name, said_counts(counts))
    rng = cluster_rng(seed, target.name)
    try:
        found = find_first_members(
            target.name, stars, search, ra=target.ra, dec=target.dec, known=target.known, rng=rng
        )
    except TooFewStarsError as error:
        raise TooFewStarsError(f"{error} Left after each cut: {said_counts(counts)}.") from None
    row, origins = found_parameters(
        target.name,
        found.members,
        table_row=target.table_row,
        isochrones=isochrones,
        fit=fit_isochrone,
        rng=rng,
    )
    options = {"cone": asdict(cone), "quality": asdict(quality), "search": asdict(search), "seed": seed}
    record = {
        "target": target.as_dict(),
        "source": _source(folder),
        "counts": counts,
        "significance": found.significance,
        "population_probability": found.population,
        "cluster": _described(found.group),
        "other_groups": [_described(other.group) for other in found.others],
        "parameters": origins,
        "options": options,
        "versions": versions() | {"scikit-learn": version("scikit-learn")},
    }
    return MemberSearch(target, found, row, record, _neighbour_row(target.name, found, rng))


def _neighbour_row(name: str, found: FirstMembers, rng: np.random.Generator) -> dict[str, Any] | None:
    """Parameters of the other half of a double cluster, if there is one with enough stars for a mean."""
    members = found.neighbour_members
    return found_parameters(neighbour_name(name), members, rng=rng)[0] if len(members) >= 2 else None


def search_folder(target: SearchTarget, data_dir: Path | str) -> Path:
    """Folder of the cluster that is looked for, which may be there already under another spelling."""
    return cluster_directory(data_dir, existing_name(target.name, data_dir))


def _described(group: JudgedGroup) -> dict[str, Any]:
    profile = group.profile
    return {
        **dict(zip(("pmra", "pmdec", "parallax"), profile.mean, strict=True)),
        "scatter": profile.scatter,
        "n_core": int(profile.core.sum()),
        "n_field_expected": profile.expected,
        "excess": profile.excess,
        "sky_concentration": group.sky,
        "sequence_concentration": group.sequence,
        "overlap": group.overlap,
        "closeness": group.closeness,
        "score": group.score,
        "significance": group.significance,
    }


def _source(folder: Path) -> str | None:
    record = folder / FIELD_FOLDER / "cone.json"
    return read_json(record).get("source") if record.exists() else None


def save_search(
    search: MemberSearch, data_dir: Path | str, catalogues: Mapping[str, pd.DataFrame] | None = None
) -> list[str]:
    """Write member list, parameter row, other groups and record into the cluster's folder.

    Parameters
    ----------
    search : MemberSearch
        What to save.
    data_dir : path
        The data directory.
    catalogues : mapping of str to DataFrame, optional
        Parameter tables by name, in which the other groups are looked up.

    Returns
    -------
    list of str
        Names of the files in the folder (see `search_folder`).
    """
    folder = search_folder(search.target, data_dir)
    for name in (RECORD_FILE, OTHERS_FILE, OTHER_MEMBERS_FILE):
        (folder / name).unlink(
            missing_ok=True
        )  # the record is written last: without it nothing is of one search
    tables = {MEMBERS_FILE: search.members, PARAMETERS_FILE: search.parameters}
    if search.found.others:
        others = describe_others(search.target.name, search.found.others, catalogues or {})
        tables |= {OTHERS_FILE: others, OTHER_MEMBERS_FILE: search.other_members}
    for name, table in tables.items():
        write_csv(folder / name, table)
    write_json(folder / RECORD_FILE, search.record)
    return [*tables, RECORD_FILE]
