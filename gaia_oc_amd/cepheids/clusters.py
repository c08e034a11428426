"""Cepheids that are members of clusters, and the law by the clusters' parallaxes."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from gaia_oc_amd.astrometry import weighted_mean
from gaia_oc_amd.cepheids.law import LeavittLaw
from gaia_oc_amd.cepheids.model import predicted_parallax
from gaia_oc_amd.cepheids.options import ClusterCepheidOptions
from gaia_oc_amd.files.data_directory import CLUSTER_FILE
from gaia_oc_amd.member_list import our_members
from gaia_oc_amd.source_sets import load_sets

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

N_MIN_MEMBERS = 5
"""Of fewer members no mean parallax is made."""
COLUMNS = (
    "source_id",
    "cluster",
    "PMemb",
    "is_member",
    "rejected_by",
    "cluster_parallax",
    "cluster_parallax_error",
    "n_members",
)


def find_cluster_cepheids(
    stars: pd.DataFrame, data_dir: Path | str, options: ClusterCepheidOptions = ClusterCepheidOptions()
) -> pd.DataFrame:
    """Cepheids that stand in the sets of a cluster, by source_id, with our probabilities.

    A Cepheid has left the main sequence and may lie off the isochrone: then it is no candidate, was not judged, and
    its row says so in rejected_by.

    Parameters
    ----------
    stars : DataFrame
        From `selection.select_cepheids`.
    data_dir : path
        The data directory; the clusters' sets must have been built and evaluated.
    options : ClusterCepheidOptions
        Least PMemb of a member, and what the mean parallax errs by.

    Returns
    -------
    DataFrame
        One row for each Cepheid and cluster: source_id, cluster, PMemb, is_member, rejected_by, cluster_parallax and
        its error [mas], the mean of the members without the Cepheid, and their number.
    """
    rows = []
    for folder in sorted(path.parent for path in (Path(data_dir) / "clusters").glob(f"*/{CLUSTER_FILE}")):
        rows += _of_cluster(folder.name, stars, data_dir, options)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_cluster(
    name: str, stars: pd.DataFrame, data_dir: Path | str, options: ClusterCepheidOptions
) -> list[dict[str, object]]:
    """Rows of one cluster."""
    sets = load_sets(
        name,
        data_dir,
        parts=("members", "candidates", "non_members"),
        columns=("source_id", "parallax", "parallax_error", "PMemb", "rejected_by"),
    )
    members = our_members(sets, options.prob_threshold).drop_duplicates("source_id")
    judged = pd.concat([sets.candidates, sets.judged_members, sets.members]).drop_duplicates(
        "source_id"
    )  # our own PMemb first
    rejected = sets.non_members[~sets.non_members["source_id"].isin(judged["source_id"])]
    everyone = pd.concat([judged.assign(rejected_by=""), rejected.assign(PMemb=np.nan)])
    found = everyone[everyone["source_id"].isin(stars["source_id"])]
    rows = []
    for star in found.to_dict("records"):
        others = members[members["source_id"] != star["source_id"]]
        if len(others) < N_MIN_MEMBERS:
            continue
        mean, error = weighted_mean(
            others["parallax"].to_numpy(float), others["parallax_error"].to_numpy(float)
        )
        rows.append(
            {
                "source_id": star["source_id"],
                "cluster": name,
                "PMemb": star["PMemb"],
                "is_member": bool(star["source_id"] in set(members["source_id"])),
                "rejected_by": star["rejected_by"],
                "cluster_parallax": mean,
                "cluster_parallax_error": float(np.hypot(error, options.cluster_systematic)),
                "n_members": len(others),
            }
        )
    return rows


def calibrate_with_clusters(
    stars: pd.DataFrame, found: pd.DataFrame, law: LeavittLaw, rng: np.random.Generator
) -> dict[str, LeavittLaw]:
    """Zero point from Cepheids in clusters: with the clusters' parallaxes, and with their own.

    Slope and scatter are those of a law of many stars, the slope with its error. Cepheids of one cluster share the
    error of its parallax. Parallaxes of sets have the zero point of Lindegren et al. (2021) taken off.

    Parameters
    ----------
    stars : DataFrame
        The Cepheids.
    found : DataFrame
        From `find_cluster_cepheids`; rows that are no members do not count.
    law : LeavittLaw
        "posterior".
    rng : Generator
        For draws.

    Returns
    -------
    dict of str to LeavittLaw
        "cluster parallaxes" and "their own parallaxes"; empty if no Cepheid is a member of a cluster.
    """
    members = found[found["is_member"].astype(bool)].sort_values("PMemb", ascending=False)
    table = members.drop_duplicates("source_id").merge(stars, on="source_id", suffixes=("_list", ""))
    if table.empty:
        return {}
    shared = (table["cluster"].to_numpy()[:, None] == table["cluster"].to_numpy()).astype(float)
    error = table["cluster_parallax_error"].to_numpy(float)
    own = np.diag(table["parallax_error"].to_numpy(float) ** 2)
    offset = law.values.get("offset", 0.0)
    inputs = {
        "cluster parallaxes": (table["cluster_parallax"].to_numpy(float), shared * np.outer(error, error)),
        "their own parallaxes": (table["parallax"].to_numpy(float) - offset, own),
    }
    return {
        method: _zero_point(method, table, parallax, covariance, law, rng)
        for method, (parallax, covariance) in inputs.items()
    }


def _zero_point(
    method: str,
    table: pd.DataFrame,
    parallax: Array,
    covariance: Array,
    law: LeavittLaw,
    rng: np.random.Generator,
) -> LeavittLaw:
    """Generalised least squares of the parallaxes, with the slope's prior."""
    x = table["log_period"].to_numpy(float) - law.pivot
    wesenheit = table["wesenheit"].to_numpy(float)
    total = np.hypot(law.values["scatter"], table["wesenheit_error"].to_numpy(float))
    slope, slope_error = law.values["slope"], law.errors["slope"]
    values = np.array([law.values["zero_point"], slope])

    def predicted(theta: Array) -> tuple[Array, Array]:
        return predicted_parallax(theta[0] + theta[1] * x, wesenheit, total, 0.0)

    for _ in range(5):  # the scatter in parallax goes with the parallax
        factor = np.linalg.cholesky(covariance + np.diag(predicted(values)[1]))

        def residuals(theta: Array, factor: NDArray[np.floating] = factor) -> Array:
            whitened = np.linalg.solve(factor, parallax - predicted(theta)[0])
            return np.append(whitened, (theta[1] - slope) / slope_error)

        fit = least_squares(residuals, values)
        values = fit.x
    errors = np.linalg.inv(fit.jac.T @ fit.jac)
    draws = rng.multivariate_normal(values, errors, len(law.draws))
    names = ("zero_point", "slope")
    return LeavittLaw(
        method,
        law.pivot,
        dict(zip(names, map(float, values), strict=True)),
        dict(zip(names, map(float, np.sqrt(np.diag(errors))), strict=True)),
        draws,
        len(table),
    )
