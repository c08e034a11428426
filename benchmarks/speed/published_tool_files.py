"""Our sets in the files of the published tool (gaia_oc_amd 0.2.1)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.files.data_directory import write_json
from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.options import SelectionOptions
from gaia_oc_amd.source_sets import SourceSets

FILES = {
    "members": "train_members",
    "candidates": "candidates",
    "non_members": "non_members",
    "comparison": "comparison_members",
}
"""Our sets and its files."""

COLUMNS = (
    *("source_id", "ra", "dec", "l", "b", "parallax", "pmra", "pmdec"),
    *("parallax_error", "pmra_error", "pmdec_error"),
    *("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr"),
    *("phot_g_mean_mag", "bp_rp", "g_rp", "phot_g_mean_mag_error", "bp_rp_error", "g_rp_error"),
    *("PMemb", "f_r", "f_pm", "f_plx", "f_c", "f_g"),
)
"""What its own building of sets leaves in the files. It knows no correlation of magnitude and colour."""

POINT_SPACING = 0.2
"""Largest step between its isochrone's points, in 8 mag of colour and 1 mag of G, by its default."""
_COLOUR_WEIGHT = 8.0


def write_published_files(sets: SourceSets, folder: Path) -> None:
    """Write a cluster's sets as the published tool reads them.

    Parameters
    ----------
    sets : SourceSets
        Ours.
    folder : path
        The cluster's folder among its clusters; made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for ours, theirs in FILES.items():
        published_table(getattr(sets, ours)).to_csv(folder / f"{theirs}.csv")
    write_json(folder / "cluster", published_cluster(sets))


def published_table(table: pd.DataFrame) -> pd.DataFrame:
    """A set with its columns and signs: the isochrone features are isochrone minus star.

    Parameters
    ----------
    table : DataFrame
        One of our sets.

    Returns
    -------
    DataFrame
        Without stars that lack a value, which the published tool drops when it reads a cone.
    """
    turned = table.assign(f_c=-table["f_c"], f_g=-table["f_g"], PMemb=table["PMemb"].fillna(0.0))
    return turned[list(COLUMNS)].dropna().reset_index(drop=True)


def published_cluster(sets: SourceSets) -> dict[str, Any]:
    """Parameters, selection limits and isochrone of a cluster under its names."""
    cluster, limits = sets.cluster, sets.limits
    astrometry = ("ra", "dec", "pmra", "pmdec", "parallax", "pmra_error", "pmdec_error", "parallax_error")
    return {
        **{name: getattr(cluster, name) for name in ("name", *astrometry, "age", "a0", "dist")},
        "delta_pm": limits.pm,
        "delta_plx_plus": limits.parallax_far,
        "delta_plx_min": limits.parallax_near,
        "delta_c": limits.colour,
        "delta_g": limits.g,
        "isochrone": list(published_points(sets.isochrone)),
        "isochrone_colour": sets.colour,
        "source_error_weight": SelectionOptions().source_error_weight,
        "train_members_label": "members",
        "comparison_members_label": "comparison",
    }


def published_points(
    isochrone: Isochrone, spacing: float = POINT_SPACING
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of an isochrone, with others between those that are far apart.

    Parameters
    ----------
    isochrone : Isochrone
        A curve of pieces, which NaN separates.
    spacing : float
        Largest step, in units of 8 mag of colour and 1 mag of G.

    Returns
    -------
    colour, g : ndarray, shape (n_points,)
        [mag], all finite.
    """
    points = np.column_stack([isochrone.colour, isochrone.g])
    step = np.nan_to_num(np.diff(points, axis=0))  # no step across a gap, whose own point is left out below
    length = np.linalg.norm(step * [_COLOUR_WEIGHT, 1.0], axis=1)
    n_parts = np.ceil(length / spacing).astype(int).clip(1)
    segment = np.repeat(np.arange(len(step)), n_parts)
    part = np.arange(len(segment)) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
    dense = points[segment] + (part / n_parts[segment])[:, None] * step[segment]
    dense = np.concatenate([dense, points[-1:]])
    dense = dense[np.isfinite(dense).all(axis=1)]
    return dense[:, 0], dense[:, 1]
