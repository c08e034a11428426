"""An open cluster: its mean position, motion, parallax and what its isochrone needs."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from gaia_oc_amd.astrometry import intrinsic_dispersion, mean_direction, weighted_mean
from gaia_oc_amd.exceptions import ClusterError

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
        Uncertainties of the weighted means (Eq. 7 of van Groeningen et al. 2023); NaN before the
        means were computed from members.
    pm_dispersion : float
        Scatter of the members' proper motions in one direction [mas/yr] that their errors do not explain; NaN
        before it was computed from members, as the next.
    parallax_dispersion : float
        The same of their parallaxes [mas].
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
    if not distance_fits(cluster.dist, cluster.parallax):
        raise ClusterError(
            f"{cluster.name} has dist {cluster.dist:g} pc, which is a parallax of {1000 / cluster.dist:.3g} mas, and "
            f"parallax {cluster.parallax:g} mas, which do not belong together: {_likely_unit(cluster)}"
        )
    return cluster


_FAR, _RATIO = 0.2, 5.0
"""Parallax below which its errors may be larger than itself [mas], and the largest ratio to the distance's."""


def distance_fits(dist: float, parallax: float) -> bool:
    """Whether a distance [pc] and a parallax [mas] can be those of one cluster, within a factor of 5.

    Parallaxes below 0.2 mas, negative ones among them, say that the cluster is far, but not how far.
    """
    return 1000 / dist < _RATIO * max(parallax, _FAR) and (parallax < _FAR or 1000 / dist > parallax / _RATIO)


def _likely_unit(cluster: Cluster) -> str:
    """What the distance may be instead of parsecs."""
    if distance_fits(cluster.dist * 1000, cluster.parallax):
        return f"is dist in kpc? Give {cluster.dist * 1000:g} pc in the table, or with --dist."
    if 0 < cluster.dist < 25 and distance_fits(10 ** (cluster.dist / 5 + 1), cluster.parallax):
        return f"is dist a distance modulus? Give {10 ** (cluster.dist / 5 + 1):.0f} pc in the table, or with --dist."
    return "is dist in pc and parallax in mas?"


_BOUNDS = {
    "ra": (0, 360, "is it in degrees?"),
    "dec": (-90, 90, "are ra and dec swapped?"),
    "age": (5, 10.3, "it must be log10 of the age in years."),
    "a0": (-0.5, 30, "is it in magnitudes?"),
    "dist": (1, 200_000, "it must be in parsecs, not in kpc."),
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
        Mean direction of the unit vectors; inverse-variance means of proper motion and parallax with
        their uncertainties (Eq. 7, with the square that its print lacks); standard deviations.
    """
    ra, dec = mean_direction(members["ra"].to_numpy(), members["dec"].to_numpy())
    changes: dict[str, float] = {"ra": ra, "dec": dec}
    for quantity in ("pmra", "pmdec", "parallax"):
        values = members[quantity].to_numpy()
        mean, mean_error = weighted_mean(values, members[f"{quantity}_error"].to_numpy())
        changes |= {
            quantity: mean,
            f"{quantity}_mean_error": mean_error,
            f"{quantity}_error": float(np.std(values, ddof=1)),
        }
    cluster = replace(cluster, **changes)
    return replace(cluster, **_dispersions(cluster, members))


def _dispersions(cluster: Cluster, members: pd.DataFrame) -> dict[str, float]:
    """Scatter of the members that their errors do not explain, at least that of 0.2 km/s and of 1 pc in depth."""
    offset = {
        name: members[name].to_numpy(float) - getattr(cluster, name) for name in ("pmra", "pmdec", "parallax")
    }
    error = {name: members[f"{name}_error"].to_numpy(float) for name in offset}
    in_pm = intrinsic_dispersion(
        np.concatenate([offset["pmra"], offset["pmdec"]]), np.concatenate([error["pmra"], error["pmdec"]])
    )
    in_parallax = intrinsic_dispersion(offset["parallax"], error["parallax"])
    return {
        "pm_dispersion": max(in_pm, 0.2 / (4.74 * cluster.dist / 1000)),
        "parallax_dispersion": max(in_parallax, 1000 / cluster.dist**2),
    }
