"""Other groups of a field, which may be clusters without a list, compared with the catalogues at hand."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, fit_normal, mean_direction
from gaia_oc_amd.catalogues.published import CATALOGUES
from gaia_oc_amd.catalogues.tables import read_parameter_table
from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.first_members.choice import LEAST_UNCERTAINTY
from gaia_oc_amd.first_members.search import OtherGroup
from gaia_oc_amd.first_members.stars import MOTIONS

MEMBER_PROBABILITY = 0.5
"""PMemb from which a star counts for the means."""
_NEAR_RADII, _NEAR = 3.0, 0.1
"""A listed cluster is a group's if it is nearer than so many of its radii, or this [deg], and moves alike."""
_ALIKE = 3.0
"""Largest difference of the mean motions and parallaxes in standard deviations."""

Array = NDArray[np.float64]


def read_catalogues(data_dir: Path | str) -> dict[str, pd.DataFrame]:
    """Parameter tables of all published catalogues that a data directory holds, by the catalogues' names.

    Parameters
    ----------
    data_dir : path
        Where ``download_members_and_cluster_params.py`` put them.

    Returns
    -------
    dict of str to DataFrame
        A table that several catalogues share stands once; one that cannot be read is left out with a warning.
    """
    files = {cat.parameters.file_name: cat.key for cat in CATALOGUES if cat.parameters is not None}
    tables = {}
    for name, key in files.items():
        path = Path(data_dir) / name
        try:
            if path.exists():
                tables[key] = read_parameter_table(path)
        except (OSError, ValueError) as error:
            warnings.warn(f"{path}: other groups are not looked up there: {one_line(error)}", stacklevel=2)
    return tables


def group_means(members: pd.DataFrame) -> dict[str, float]:
    """Mean position, motion and parallax of stars, as in a row of a cluster parameter table.

    Parameters
    ----------
    members : DataFrame
        At least two stars with the archive's columns; means are weighted with their errors.

    Returns
    -------
    dict
        ra, dec [deg], pmra, pmdec [mas/yr], parallax [mas], and the standard deviations ``pmra_error``,
        ``pmdec_error``, ``parallax_error``.
    """
    ra, dec = mean_direction(members["ra"].to_numpy(float), members["dec"].to_numpy(float))
    values = members[list(MOTIONS)].to_numpy(float)
    errors = members[[f"{motion}_error" for motion in MOTIONS]].to_numpy(float)
    fit = fit_normal(values, errors, dispersion_of=(0, 0, 1))
    row = {"ra": float(ra), "dec": float(dec)} | dict(zip(MOTIONS, map(float, fit.parameters), strict=True))
    scatter = np.std(values, axis=0, ddof=1)
    return row | {f"{motion}_error": float(value) for motion, value in zip(MOTIONS, scatter, strict=True)}


def describe_others(
    name: str, others: tuple[OtherGroup, ...], catalogues: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Table of the other groups of a field, which `build_sets.py --cluster_path` reads.

    Parameters
    ----------
    name : str
        Of the cluster that was looked for; the groups are called ``<name>_group_1`` and so on.
    others : tuple of OtherGroup
        The most significant of each concentration.
    catalogues : mapping of str to DataFrame
        Parameter tables by the catalogues' names.

    Returns
    -------
    DataFrame
        One row for each group: the columns of `group_means`; ``radius``, within which half of its stars lie [deg];
        ``n_stars`` with PMemb >= 0.5; ``significance`` [sigma]; ``known_as`` and ``catalogue``, the listed cluster at
        this place that moves alike, empty where there is none.
    """
    rows = [_described(f"{name}_group_{i}", other, catalogues) for i, other in enumerate(others, 1)]
    return pd.DataFrame(rows)


def _described(
    name: str, other: OtherGroup, catalogues: Mapping[str, pd.DataFrame]
) -> dict[str, float | str]:
    sure = other.members[other.members["PMemb"] >= MEMBER_PROBABILITY]
    row = group_means(sure)
    place = sure["ra"].to_numpy(float), sure["dec"].to_numpy(float)
    radius = float(np.median(angular_separation(*place, row["ra"], row["dec"])))
    known_as, catalogue = _listed_as(row, radius, catalogues)
    return {
        "name": name,
        **row,
        "radius": radius,
        "n_stars": len(sure),
        "significance": other.group.significance,
        "known_as": known_as,
        "catalogue": catalogue,
    }


def _listed_as(
    row: Mapping[str, float], radius: float, catalogues: Mapping[str, pd.DataFrame]
) -> tuple[str, str]:
    """Name of the listed cluster that a group is, and the catalogue that lists it; the most alike one of all."""
    best, found = _ALIKE, ("", "")
    mean, scatter = (np.array([row[f"{motion}{end}"] for motion in MOTIONS], float) for end in ("", "_error"))
    for key, table in catalogues.items():
        place = table["ra"].to_numpy(float), table["dec"].to_numpy(float)
        near = table[angular_separation(*place, row["ra"], row["dec"]) <= max(_NEAR, _NEAR_RADII * radius)]
        theirs = near.reindex(columns=[f"{motion}_error" for motion in MOTIONS]).to_numpy(float)
        width = np.sqrt(scatter**2 + np.nan_to_num(theirs) ** 2 + LEAST_UNCERTAINTY**2)
        offset = np.abs((near.reindex(columns=list(MOTIONS)).to_numpy(float) - mean) / width).max(axis=1)
        for listed, value in zip(near["name"], offset, strict=True):
            if value < best:  # never for a cluster whose motion the catalogue lacks
                best, found = value, (str(listed), key)
    return found
