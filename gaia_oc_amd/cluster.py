"""An open cluster: its mean position, motion, parallax and what its isochrone needs."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import settle
from gaia_oc_amd.astrometry import (
    PARALLAX_SYSTEMATIC_ERROR,
    PM_SYSTEMATIC_ERROR,
    fit_normal,
    mean_direction,
)
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.perspective import VELOCITY_SCALE, projection

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
OPTIONAL_PARAMETERS = ("radial_velocity", "radial_velocity_error")
"""The parameters that a table row may give."""


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
    radial_velocity, radial_velocity_error : float
        Radial velocity and its error in the parameter table [km/s]; NaN where it has none.
    perspective_velocity, perspective_velocity_error : float
        Radial velocity that proper motions are projected with, and its error [km/s]: the table's, else that of the
        gradient of the members' motions if it is significant, else 0 with an error that says so; NaN before it was
        computed from members.
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
    radial_velocity: float = np.nan
    radial_velocity_error: float = np.nan
    perspective_velocity: float = np.nan
    perspective_velocity_error: float = np.nan

    def __post_init__(self) -> None:
        settle(self)

    @property
    def known_velocity(self) -> tuple[float, float] | None:
        """Radial velocity of the parameter table and its error [km/s], None where it has none."""
        if not np.isfinite(self.radial_velocity):
            return None
        has_error = self.radial_velocity_error > 0
        return self.radial_velocity, self.radial_velocity_error if has_error else _USUAL_VELOCITY_ERROR

    def motion_at(self, ra: Array, dec: Array) -> Array:
        """Proper motion of a star that moves through space as the cluster does, at its distance.

        Parameters
        ----------
        ra, dec : ndarray, shape (n,)
            Where the star is [deg].

        Returns
        -------
        ndarray, shape (n, 2)
            pmra (with cos(dec)) and pmdec [mas/yr]; at the centre the cluster's.
        """
        of_motion, of_velocity = projection(ra, dec, (self.ra, self.dec), self.dist)
        return of_motion @ [self.pmra, self.pmdec] + np.nan_to_num(self.perspective_velocity) * of_velocity

    def motion_error_at(self, ra: Array, dec: Array) -> Array:
        """What one error of the radial velocity adds to `motion_at`, shape (n, 2) [mas/yr]."""
        of_velocity = projection(ra, dec, (self.ra, self.dec), self.dist)[1]
        return np.nan_to_num(self.perspective_velocity_error) * of_velocity

    def as_dict(self) -> dict[str, Any]:
        """Parameters by name, for cluster.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, parameters: dict[str, Any]) -> "Cluster":
        """Cluster from the parameters that `as_dict` gave; null stands for NaN, other keys are ignored."""
        known = {field.name: parameters[field.name] for field in fields(cls) if field.name in parameters}
        given: dict[str, Any] = {key: np.nan if value is None else value for key, value in known.items()}
        return cls(**given)


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
    if abs(cluster.radial_velocity) > _LARGEST_VELOCITY:
        raise ClusterError(
            f"{cluster.name} has radial_velocity {cluster.radial_velocity:g} in the parameter table, outside "
            f"{-_LARGEST_VELOCITY:g}..{_LARGEST_VELOCITY:g}: is it in km/s?"
        )
    if not distance_fits(cluster.dist, cluster.parallax):
        raise ClusterError(
            f"{cluster.name} has dist {cluster.dist:g} pc, which is a parallax of {1000 / cluster.dist:.3g} mas, and "
            f"parallax {cluster.parallax:g} mas, which do not belong together: {_likely_unit(cluster)}"
        )
    return cluster


_LARGEST_VELOCITY = 1000.0
_USUAL_VELOCITY_ERROR = 3.0  # km/s, of one star's or a few stars' velocity that comes without an error
_SIGNIFICANT = 3.0

_FAR, _RATIO = 0.2, 5.0
"""Parallax below which its errors may be larger than itself [mas], and the largest ratio to the distance's."""


def distance_fits(dist: float, parallax: float) -> bool:
    """Whether a distance [pc] and a parallax [mas] can be those of one cluster, within a factor of 5.

    Parallaxes below 0.2 mas, negative ones among them, say that the cluster is far, but not how far.
    """
    return 1000 / dist < _RATIO * max(parallax, _FAR) and (parallax < _FAR or 1000 / dist > parallax / _RATIO)


def _likely_unit(cluster: Cluster) -> str:
    """What the distance may be instead of parsecs."""
    modulus = 10 ** (cluster.dist / 5 + 1) if 0 < cluster.dist < 25 else np.nan
    meant = {"in kpc": cluster.dist * 1000, "a distance modulus": modulus}
    fitting = {unit: dist for unit, dist in meant.items() if distance_fits(dist, cluster.parallax)}
    if fitting:
        parallax = max(cluster.parallax, 1e-9)
        nearest = min(fitting, key=lambda unit: abs(np.log(fitting[unit] * parallax / 1000)))
        unit = nearest if parallax > _FAR else next(iter(fitting))
        dist = fitting[unit]
        return f"is dist {unit}? Give {dist:.6g} pc in the table, or with --dist."
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
        Mean direction of the unit vectors; means of proper motion (at that direction) and parallax that weigh each
        member by its errors and the members' own scatter, contaminants apart (see `astrometry.fit_normal`), with their
        standard errors; the radial velocity of the perspective; standard deviations of all members about the motion
        that the cluster has at their places; dispersions, at least those of 0.2 km/s and of 1 pc in depth.
    """
    ra, dec = mean_direction(members["ra"].to_numpy(), members["dec"].to_numpy())
    values = members[list(_MEANS)].to_numpy(float)
    errors = members[[f"{name}_error" for name in _MEANS]].to_numpy(float)
    of_motion, of_velocity = projection(members["ra"], members["dec"], (ra, dec), cluster.dist)
    design = np.zeros((len(members), 3, 3))
    design[:, :2, :2], design[:, 2, 2] = of_motion, 1.0
    velocity, velocity_error = cluster.known_velocity or _velocity_of_members(
        values, errors, design, of_velocity
    )
    values = values - velocity * np.column_stack([of_velocity, np.zeros(len(members))])
    fit = fit_normal(values, errors, design=design, dispersion_of=_DISPERSIONS)
    return replace(
        cluster,
        ra=ra,
        dec=dec,
        **_by_name("{}", fit.parameters),
        **_by_name("{}_mean_error", fit.errors),
        **_by_name("{}_error", np.std(values - design @ fit.parameters, axis=0, ddof=1)),
        pm_dispersion=max(float(fit.dispersions[0]), 0.2 / (4.74 * cluster.dist / 1000)),
        parallax_dispersion=max(float(fit.dispersions[1]), 1000 / cluster.dist**2),
        perspective_velocity=velocity,
        perspective_velocity_error=velocity_error,
    )


def _velocity_of_members(
    values: Array, errors: Array, design: Array, of_velocity: Array
) -> tuple[float, float]:
    """Radial velocity [km/s] that the gradient of the members' motions shows, and its error.

    The gradient counts where it tells more than that open clusters have velocities of `VELOCITY_SCALE`, and is
    significant. Where it does not, the velocity is 0, with the error that gradient and scale together leave.
    """
    largest = float(np.abs(of_velocity).max())
    if not largest > 0:
        return 0.0, VELOCITY_SCALE
    slope = np.zeros((*design.shape[:2], 1))
    slope[:, :2, 0] = of_velocity / largest
    fit = fit_normal(
        values, errors, design=np.concatenate([design, slope], axis=2), dispersion_of=_DISPERSIONS
    )
    variance = (fit.errors[3] / largest) ** 2
    share = VELOCITY_SCALE**2 / (VELOCITY_SCALE**2 + variance)
    velocity, error = share * fit.parameters[3] / largest, np.sqrt(share * variance)
    if variance < VELOCITY_SCALE**2 and abs(fit.parameters[3]) > _SIGNIFICANT * fit.errors[3]:
        return float(velocity), float(error)
    return 0.0, float(min(np.hypot(velocity, error), VELOCITY_SCALE))


_MEANS, _DISPERSIONS = ("pmra", "pmdec", "parallax"), (0, 0, 1)


def _by_name(pattern: str, values: Array) -> dict[str, Any]:
    """Values of the three means under their names."""
    return {pattern.format(name): float(value) for name, value in zip(_MEANS, values, strict=True)}
