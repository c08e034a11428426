"""Isochrones: read, chosen by age and metallicity, placed at a cluster, and a star's offset from one."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.arguments import checked
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.files.tables import require_columns
from gaia_oc_amd.isochrone_files import read_isochrone_files
from gaia_oc_amd.parallel import compiled
from gaia_oc_amd.photometry import passband_extinction

Array = NDArray[np.float64]

FROM_FILE = "take isochrones from `read_isochrones`, and one of them from `nearest_age`"
OF_A_CURVE = ("Zini", "logAge", "label")
OF_A_POINT = ("logTe", "label", "Mini", "Gmag", "G_BPmag", "G_RPmag")
SOLAR_METAL_FRACTION = 0.0152
LAST_LABEL = 7
"""Last evolutionary stage kept (early asymptotic giant branch), as the published method does."""

FARTHEST_AGE = 0.5
"""Largest difference in log age between a cluster and the isochrone that stands for it."""

TIP_LABEL = 3
"""Evolutionary stage that ends at the tip of the red-giant branch."""


@dataclass(frozen=True)
class Isochrone:
    """An isochrone in the colour-magnitude diagram of one cluster, a curve of straight segments.

    Parameters
    ----------
    colour : ndarray, shape (n_points,)
        Reddened colour [mag], in the order of initial mass.
    g : ndarray, shape (n_points,)
        Apparent G magnitude [mag]. A NaN point separates pieces that no star connects: the tip of the
        red-giant branch and the start of helium burning.
    bp, rp : ndarray, shape (n_points,), optional
        Apparent BP and RP magnitudes [mag], which give the other colours.
    label : ndarray, shape (n_points,), optional
        Evolutionary stage as PARSEC counts it: 0 before the main sequence, 1 on it, 2 subgiants (Hertzsprung gap),
        3 red-giant branch, 4 to 6 helium burning in the core, 7 early asymptotic giant branch.
    mass : ndarray, shape (n_points,), optional
        Initial mass [Msun].
    """

    colour: Array
    g: Array
    bp: Array | None = None
    rp: Array | None = None
    label: Array | None = None
    mass: Array | None = None

    def in_colour(self, colour: str) -> "Isochrone":
        """The same isochrone in another colour.

        Parameters
        ----------
        colour : {'g_rp', 'bp_rp', 'bp_g'}
            Which colour.

        Returns
        -------
        Isochrone

        Raises
        ------
        ValueError
            If BP and RP of its points are not known.
        """
        if self.bp is None or self.rp is None:
            raise ValueError(
                "the sets keep their isochrone in one colour only, for an earlier version built them: build them again "
                "with --overwrite, or draw them without --colour."
            )
        magnitudes = {"bp": self.bp, "g": self.g, "rp": self.rp}
        bluer, redder = colour.split("_")
        return replace(self, colour=magnitudes[bluer] - magnitudes[redder])


@checked
def nearest_age(
    isochrones: pd.DataFrame, age: float, *, metal_fraction: float = SOLAR_METAL_FRACTION
) -> pd.DataFrame:
    """Points of the isochrone nearest in log age (at the metal fraction nearest to the wanted one).

    Parameters
    ----------
    isochrones : DataFrame
        From `isochrones.read_isochrones`.
    age : float
        log10 of the age [yr].
    metal_fraction : float
        Wanted Z; a file with one Z is used as it is.

    Returns
    -------
    DataFrame
        Points of one isochrone up to the early asymptotic giant branch, in the file's order.

    Raises
    ------
    ClusterError
        If the nearest one is more than `FARTHEST_AGE` away.
    TypeError, ValueError
        If the age is no number, or the isochrones are no table of them.
    """
    require_columns(isochrones, OF_A_CURVE, "isochrones", FROM_FILE)
    if isochrones.empty or not np.isfinite(age):
        raise ValueError(
            f"no isochrone of {len(isochrones)} points is nearest to log age {age}: {FROM_FILE}."
        )
    points = one_isochrone(isochrones, age, metal_fraction=metal_fraction)
    nearest = points["logAge"].iloc[0]
    if abs(nearest - age) > FARTHEST_AGE:
        cause = "is the isochrone file complete? Give another with --isochrone_path."
        if not 5 < age < 11:
            cause = "is the age not log10 of years? Give --age, or change it in the parameter table."
        raise ClusterError(
            f"the nearest isochrone to log age {age:.4g} is that of {nearest:.2f}, more than {FARTHEST_AGE:g} dex "
            f"away: {cause}"
        )
    if abs(nearest - age) > 0.2:
        warnings.warn(
            f"no isochrone within 0.2 dex of log age {age:.2f}: the one of {nearest:.2f} is used.",
            stacklevel=3,
        )
    return points


def one_isochrone(isochrones: pd.DataFrame, age: float, *, metal_fraction: float) -> pd.DataFrame:
    """Points of the isochrone that `nearest_age` chooses, however far its age is from the wanted one."""
    points = of_metallicity(isochrones, metal_fraction)
    points = points[points["label"] <= LAST_LABEL]
    ages = points["logAge"].unique()
    return points[points["logAge"] == ages[np.argmin(np.abs(ages - age))]]


def of_metallicity(isochrones: pd.DataFrame, metal_fraction: float) -> pd.DataFrame:
    """Rows of the metal fraction Z that is nearest to the wanted one."""
    available = isochrones["Zini"].unique()
    return isochrones[isochrones["Zini"] == available[np.argmin(np.abs(available - metal_fraction))]]


@checked
def place_isochrone(points: pd.DataFrame, dist: float, a0: float, *, colour: str = "g_rp") -> Isochrone:
    """Move an isochrone to a cluster's distance and extinction.

    Parameters
    ----------
    points : DataFrame
        Points of one isochrone, from `nearest_age`.
    dist : float
        Distance [pc].
    a0 : float
        Extinction at 550 nm [mag].
    colour : {'g_rp', 'bp_rp'}
        Which colour.

    Returns
    -------
    Isochrone
        Distance modulus added, extinction of each passband at each point's effective temperature.

    Raises
    ------
    TypeError, ValueError
        If the points are no isochrone, or distance, extinction or colour cannot be.
    """
    require_columns(points, OF_A_POINT, "points of an isochrone", FROM_FILE)
    if not (dist > 0 and np.isfinite([dist, a0]).all() and colour in ("g_rp", "bp_rp")):
        raise ValueError(
            f"dist is {dist}, a0 {a0}, colour {colour!r}, but a distance is above 0 pc, an extinction finite, and a "
            "colour g_rp or bp_rp."
        )
    modulus = 5 * np.log10(dist) - 5
    teff = 10 ** points["logTe"].to_numpy()
    names = {"G": "Gmag", "Gbp": "G_BPmag", "Grp": "G_RPmag"}
    magnitude = {
        band: points[names[band]].to_numpy() + modulus + passband_extinction(band, teff, a0)
        for band in ("G", "Gbp", "Grp")
    }
    bluer = "G" if colour == "g_rp" else "Gbp"
    label = points["label"].to_numpy(float)
    flash = np.flatnonzero(np.diff(label > TIP_LABEL)) + 1
    return Isochrone(
        colour=np.insert(magnitude[bluer] - magnitude["Grp"], flash, np.nan),
        g=np.insert(magnitude["G"], flash, np.nan),
        bp=np.insert(magnitude["Gbp"], flash, np.nan),
        rp=np.insert(magnitude["Grp"], flash, np.nan),
        label=np.insert(label, flash, np.nan),
        mass=np.insert(points["Mini"].to_numpy(float), flash, np.nan),
    )


@checked
def read_isochrones(path: Path | str, *, rotation: float | None = None) -> pd.DataFrame:
    """Read isochrones of PARSEC, MIST or BaSTI (see `isochrone_files.read_isochrone_files`).

    Parameters
    ----------
    path : path
        A file or a folder of files, by default ``isochrones.dat`` in the data directory.
    rotation : float, optional
        Initial rotation of the curves to take where there are several.

    Returns
    -------
    DataFrame
        Columns Zini, logAge, Mini, logTe, logg, label, Gmag, G_BPmag, G_RPmag of every point.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such table, or no star before the asymptotic giant branch in it.
    """
    points = read_isochrone_files(path, rotation=rotation)
    if not (points["label"] <= LAST_LABEL).any():
        raise ValueError(f"{path} has no star before the asymptotic giant branch: download it again.")
    return points


_GRID_STEPS = (60, 400)


def isochrone_boundary(
    isochrone: Isochrone,
    colours: tuple[float, float],
    magnitudes: tuple[float, float],
    limits: tuple[float, float],
) -> tuple[Array, Array, Array]:
    """Distance to an isochrone over a part of the diagram, for a plot of where it is 1: the selection's boundary.

    Parameters
    ----------
    isochrone : Isochrone
        The curve.
    colours, magnitudes : tuple of float
        Ends of the part, in any order [mag].
    limits : tuple of float
        Delta_C and Delta_G [mag], which the offsets are divided by: stars without uncertainties.

    Returns
    -------
    colour, g : ndarray, shape (n_colours,) and (n_magnitudes,)
        Steps of the grid, at most an eighth of a limit unless the part is very large [mag].
    distance : ndarray, shape (n_magnitudes, n_colours)
    """
    colour, g = (
        np.linspace(*ends, int(np.clip(8 * np.ptp(ends) / limit, *_GRID_STEPS)))
        for ends, limit in zip((colours, magnitudes), limits, strict=True)
    )
    at_colour, at_g = np.meshgrid(colour, g)
    f_c, f_g = isochrone_offsets(isochrone, at_colour.ravel(), at_g.ravel(), *limits)
    return colour, g, np.hypot(f_c / limits[0], f_g / limits[1]).reshape(at_colour.shape)


_GROUP = 8
"""Neighbouring segments that share a bounding box."""


def isochrone_offsets(
    isochrone: Isochrone, colour: Array, g: Array, colour_scale: float | Array, g_scale: float | Array
) -> tuple[Array, Array]:
    """Offsets of stars from the nearest point of an isochrone (Eqs. 5 and 17 of van Groeningen et al. 2023).

    Parameters
    ----------
    isochrone : Isochrone
        The curve; a departure from the published tool, which measures to its points.
    colour, g : ndarray, shape (n,)
        Colour and G magnitude of the stars [mag].
    colour_scale, g_scale : float or ndarray of shape (n,)
        Scales [mag] by which the offsets are divided in the distance: the same for all stars (Eq. 17), or
        each star's own (Eq. 5).

    Returns
    -------
    f_c, f_g : ndarray, shape (n,)
        Star minus isochrone [mag]; NaN where a value or scale is not finite.

    Raises
    ------
    ValueError
        If the isochrone has no two neighbouring points.
    """
    start, step = _segments(isochrone)
    stars = np.column_stack([np.asarray(colour, float), np.asarray(g, float)])
    scales = np.empty_like(stars)
    scales[:, 0], scales[:, 1] = colour_scale, g_scale
    offsets = np.empty_like(stars)
    _find_offsets(start, step, _boxes(start, step), stars, scales, offsets)
    return offsets[:, 0], offsets[:, 1]


def _segments(isochrone: Isochrone) -> tuple[Array, Array]:
    """Start points and steps of the curve's segments [mag], both of shape (n_segments, 2)."""
    points = np.column_stack([isochrone.colour, isochrone.g])
    step = np.diff(points, axis=0)
    whole = np.isfinite(step).all(axis=1)
    if not whole.any():
        raise ValueError(
            "the isochrone has fewer than two neighbouring points: no curve can be drawn through it."
        )
    return points[:-1][whole], step[whole]


def _boxes(start: Array, step: Array) -> Array:
    """Smallest colour, largest colour, smallest G, largest G of each group of segments, (n_groups, 4)."""
    first = np.arange(0, len(start), _GROUP)
    lower = np.minimum.reduceat(np.minimum(start, start + step), first)
    upper = np.maximum.reduceat(np.maximum(start, start + step), first)
    return np.column_stack([lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1]])


@compiled
def _find_offsets(
    start: Array, step: Array, boxes: Array, stars: Array, scales: Array, offsets: Array
) -> None:
    """Fill `offsets` (n, 2): look at the group with the nearest box, then at those that may hold a nearer point."""
    least = np.empty(len(boxes))  # squared distance to each box, infinite once its segments were looked at
    for i in range(len(stars)):
        in_colour, in_g = 1 / scales[i, 0], 1 / scales[i, 1]
        offsets[i] = np.nan
        if not np.isfinite(stars[i, 0] * in_colour + stars[i, 1] * in_g):
            continue
        for k in range(len(boxes)):
            beside = max(boxes[k, 0] - stars[i, 0], stars[i, 0] - boxes[k, 1], 0.0) * in_colour
            above = max(boxes[k, 2] - stars[i, 1], stars[i, 1] - boxes[k, 3], 0.0) * in_g
            least[k] = beside**2 + above**2
        nearest, group, following = np.inf, int(np.argmin(least)), 0
        while group < len(boxes):
            for s in range(group * _GROUP, min((group + 1) * _GROUP, len(start))):
                colour, g = (stars[i, 0] - start[s, 0]) * in_colour, (stars[i, 1] - start[s, 1]) * in_g
                step_colour, step_g = step[s, 0] * in_colour, step[s, 1] * in_g
                along = (colour * step_colour + g * step_g) / max(step_colour**2 + step_g**2, 1e-300)
                along = min(max(along, 0.0), 1.0)
                colour -= along * step_colour
                g -= along * step_g
                if colour**2 + g**2 < nearest:
                    nearest = colour**2 + g**2
                    offsets[i, 0], offsets[i, 1] = colour / in_colour, g / in_g
            least[group] = np.inf
            while following < len(boxes) and least[following] >= nearest:
                following += 1
            group = following
