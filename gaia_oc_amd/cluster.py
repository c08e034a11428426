"""An open cluster: its mean position, motion, parallax and what its isochrone needs."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import (
    PARALLAX_SYSTEMATIC_ERROR,
    PM_SYSTEMATIC_ERROR,
    fit_normal,
    mean_direction,
)
from gaia_oc_amd.exceptions import ClusterError

Array = NDArray[np.float64]

PARAMETERS = (
    "ra",
    "dec",
    "pmra",
    "pmdec",
    "parallax",
    "pmra_error",
    "pmdec_error",
    "parallax_error",
    "age",
    "a0",
    "dist",
)
"""The parameters that a table row must give, apart from those that can be computed."""


@dataclass(frozen=True)
class Cluster:
    """Parameters of an open cluster.

    Parameters
    ----------
    name : str
        Name, as its folder is called.
    ra, dec : float
        Mean direction of the members [deg].
    pmra, pmdec : float
        Mean proper motion [mas/yr]; pmra includes cos(dec).
    parallax : float
        Mean parallax [mas].
    pmra_error, pmdec_error, parallax_error : float
        Standard deviations of the members [mas/yr, mas/yr, mas].
    age : float
        log10 of the age [yr].
    a0 : float
        Extinction at 550 nm [mag].
    dist : float
        Distance [pc].
    pmra_mean_error, pmdec_mean_error, parallax_mean_error : float
        Standard errors of the means, the members' own scatter included; NaN before the means were computed from
        members. Without the systematic errors below.
    pm_dispersion : float
        Scatter of the members' proper motions in one direction [mas/yr] that their errors do not explain; NaN
        before it was computed from members, as the next.
    parallax_dispersion : float
        The same of their parallaxes [mas].
    pm_systematic_error, parallax_systematic_error : float
        Errors of the means that more members do not make smaller: Gaia's own, which nearby stars share [mas/yr in
        each direction, mas].
    """

    name: str
    ra: float
    dec: float
    pmra: float
    pmdec: float
    parallax: float
    pmra_error: float
    pmdec_error: float
    parallax_error: float
    age: float
    a0: float
    dist: float
    pmra_mean_error: float = np.nan
    pmdec_mean_error: float = np.nan
    parallax_mean_error: float = np.nan
    pm_dispersion: float = np.nan
    parallax_dispersion: float = np.nan
    pm_systematic_error: float = PM_SYSTEMATIC_ERROR
    parallax_systematic_error: float = PARALLAX_SYSTEMATIC_ERROR

    def as_dict(self) -> dict[str, Any]:
        """Parameters by name, for cluster.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, parameters: dict[str, Any]) -> "Cluster":
        """Cluster from the parameters that `as_dict` gave; null stands for NaN, other keys are ignored."""
        known = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        return cls(**{key: np.nan if value is None else value for key, value in known.items()})


def check_complete(cluster: Cluster) -> Cluster:
    """Return the cluster if every parameter that the method needs is a number in its range.

    Parameters
    ----------
    cluster : Cluster
        With the parameter table's values.

    Returns
    -------
    Cluster
        The same.

    Raises
    ------
    ClusterError
        If something is missing, or if a coordinate cannot be one.
    """
    missing = [name for name in PARAMETERS if not np.isfinite(getattr(cluster, name))]
    if missing:
        raise ClusterError(
            f"{cluster.name} has no {', '.join(missing)} in the parameter table: "
            f"give {' '.join(f'--{name}' for name in missing)}, or another table with --cluster_path."
        )
    for name, (lower, upper, question) in _BOUNDS.items():
        value = getattr(cluster, name)
        if not lower <= value <= upper:
            raise ClusterError(
                f"{cluster.name} has {name} {value:g} in the parameter table, outside {lower:g}..{upper:g}: {question}"
            )
    ratio = cluster.dist * cluster.parallax / 1000
    if cluster.parallax > 0.2 and not 0.2 < ratio < 5:
        raise ClusterError(
            f"{cluster.name} has dist {cluster.dist:g} and parallax {cluster.parallax:g}, which do not belong "
            "together: is dist in pc and parallax in mas?"
        )
    return cluster


_BOUNDS = {
    "ra": (0, 360, "is it in degrees?"),
    "dec": (-90, 90, "are ra and dec swapped?"),
    "age": (5, 10.3, "it must be log10 of the age in years."),
    "a0": (-0.5, 30, "is it in magnitudes?"),
    "dist": (1, 200_000, "it must be in parsecs."),
    "pmra_error": (1e-6, 100, "it must be the members' standard deviation in mas/yr."),
    "pmdec_error": (1e-6, 100, "it must be the members' standard deviation in mas/yr."),
    "parallax_error": (1e-6, 100, "it must be the members' standard deviation in mas."),
}


def update_from_members(cluster: Cluster, members: pd.DataFrame) -> Cluster:
    """Cluster with means and standard deviations of its members in place of the table's.

    Parameters
    ----------
    cluster : Cluster
        Gives name, age, extinction and distance.
    members : DataFrame
        At least two members with finite astrometry; parallaxes corrected for the zero point.

    Returns
    -------
    Cluster
        Mean direction of the unit vectors; means of proper motion and parallax that weigh each member by its errors
        and the members' own scatter, contaminants apart (see `astrometry.fit_normal`), with their standard errors;
        standard deviations of all; dispersions, at least those of 0.2 km/s and of 1 pc in depth.
    """
    ra, dec = mean_direction(members["ra"].to_numpy(), members["dec"].to_numpy())
    values = members[list(_MEANS)].to_numpy(float)
    fit = fit_normal(
        values, members[[f"{name}_error" for name in _MEANS]].to_numpy(float), dispersion_of=(0, 0, 1)
    )
    return replace(
        cluster,
        **{"ra": ra, "dec": dec},
        **_by_name("{}", fit.parameters),
        **_by_name("{}_mean_error", fit.errors),
        **_by_name("{}_error", np.std(values, axis=0, ddof=1)),
        pm_dispersion=max(float(fit.dispersions[0]), 0.2 / (4.74 * cluster.dist / 1000)),
        parallax_dispersion=max(float(fit.dispersions[1]), 1000 / cluster.dist**2),
    )


_MEANS = ("pmra", "pmdec", "parallax")


def _by_name(pattern: str, values: Array) -> dict[str, float]:
    """Values of the three means under their names."""
    return {pattern.format(name): float(value) for name, value in zip(_MEANS, values, strict=True)}
