"""Isochrones: reading PARSEC's files, placing them at a cluster, and the distance of stars to them."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.extinction import passband_extinction

Array = NDArray[np.float64]

SOLAR_METAL_FRACTION = 0.0152
LAST_LABEL = 7
"""Last evolutionary stage kept (early asymptotic giant branch), as the published method does."""

FARTHEST_AGE = 0.5
"""Largest difference in log age between a cluster and the isochrone that stands for it."""

_TIP_LABEL = 3
_CHUNK = 2000
_NEEDED = ("Zini", "logAge", "Mini", "logTe", "logg", "label", "Gmag", "G_BPmag", "G_RPmag")


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
    """

    colour: Array
    g: Array


def read_isochrones(path: Path | str) -> pd.DataFrame:
    """Read isochrones as PARSEC's CMD web form writes them.

    The column names are read from the last comment line before the first row of data: they differ between
    the form's versions.

    Parameters
    ----------
    path : path
        The file, by default ``isochrones.dat`` in the data directory.

    Returns
    -------
    DataFrame
        Columns Zini, logAge, Mini, logTe, logg, label, Gmag, G_BPmag, G_RPmag of every point.

    Raises
    ------
    ValueError
        If the file has no such table.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is no file: run `python download_isochrones.py`.")
    lines = Path(path).read_text(errors="replace").rstrip().splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if first is None or first == 0:
        raise ValueError(f"{path} has no isochrone table: run `python download_isochrones.py`.")
    names = lines[first - 1].lstrip("#").split()
    absent = [name for name in _NEEDED if name not in names]
    if absent:
        raise ValueError(
            f"{path} lacks the columns {', '.join(absent)}: ask the CMD form for the photometric system "
            "'Gaia EDR3' and isochrone tables, or run `python download_isochrones.py`."
        )
    rows = [line.split() for line in lines[first:] if line.strip() and not line.startswith("#")]
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"{path} has rows of unequal length, it looks truncated: download it again.")
    table = pd.DataFrame(rows, columns=names)[list(_NEEDED)]
    try:
        table = table.astype(float)
    except ValueError as error:
        raise ValueError(f"{path} has a value that is no number ({error}): download it again.") from error
    if not np.isfinite(table.to_numpy()).all() or not (table["label"] <= LAST_LABEL).any():
        raise ValueError(
            f"{path} has missing values or no star before the asymptotic giant branch: download it again."
        )
    if "terminated" not in lines[-1]:
        warnings.warn(f"{path} does not end as PARSEC's files do: is it complete?", stacklevel=2)
    return table


def nearest_age(
    isochrones: pd.DataFrame, age: float, *, metal_fraction: float = SOLAR_METAL_FRACTION
) -> pd.DataFrame:
    """Points of the isochrone nearest in log age (at the metal fraction nearest to the wanted one).

    Parameters
    ----------
    isochrones : DataFrame
        From `read_isochrones`.
    age : float
        log10 of the age [yr].
    metal_fraction : float
        Wanted Z; a file with one Z is used as it is.

    Returns
    -------
    DataFrame
        Points of one isochrone up to the early asymptotic giant branch, in the file's order.
    """
    available = isochrones["Zini"].unique()
    nearest_z = available[np.argmin(np.abs(available - metal_fraction))]
    points = isochrones[(isochrones["Zini"] == nearest_z) & (isochrones["label"] <= LAST_LABEL)]
    ages = points["logAge"].unique()
    nearest = ages[np.argmin(np.abs(ages - age))]
    if abs(nearest - age) > FARTHEST_AGE:
        raise ClusterError(
            f"the nearest isochrone to log age {age:.2f} is that of {nearest:.2f}, more than {FARTHEST_AGE:g} dex "
            "away: is the isochrone file complete? Give another with --isochrone_path."
        )
    if abs(nearest - age) > 0.2:
        warnings.warn(
            f"no isochrone within 0.2 dex of log age {age:.2f}: the one of {nearest:.2f} is used.",
            stacklevel=2,
        )
    return points[points["logAge"] == nearest]


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
    """
    modulus = 5 * np.log10(dist) - 5
    teff = 10 ** points["logTe"].to_numpy()
    names = {"G": "Gmag", "Gbp": "G_BPmag", "Grp": "G_RPmag"}
    magnitude = {
        band: points[names[band]].to_numpy() + modulus + passband_extinction(band, teff, a0)
        for band in ("G", "Gbp", "Grp")
    }
    bluer = "G" if colour == "g_rp" else "Gbp"
    flash = np.flatnonzero(np.diff(points["label"].to_numpy() > _TIP_LABEL)) + 1
    return Isochrone(
        colour=np.insert(magnitude[bluer] - magnitude["Grp"], flash, np.nan),
        g=np.insert(magnitude["G"], flash, np.nan),
    )


class OffsetFinder:
    """Offsets of stars from an isochrone for one pair of scales (Eq. 17 of van Groeningen et al. 2023).

    The curve is filled with points 0.005 scaled units apart in a k-d tree; the nearest of them gives the
    place on the curve, and the segments beside it the exact foot point. The distance found exceeds the
    true one by less than 0.0025 scaled units, where two branches are equally near, and by nothing elsewhere.

    Parameters
    ----------
    isochrone : Isochrone
        The curve.
    colour_scale, g_scale : float
        Delta_C and Delta_G [mag], by which the offsets are divided in the distance.
    """

    SPACING = 0.005

    def __init__(self, isochrone: Isochrone, colour_scale: float, g_scale: float) -> None:
        self._scales = np.array([colour_scale, g_scale])
        start, step = _segments(isochrone, self._scales)
        n_points = np.ceil(np.linalg.norm(step, axis=1) / self.SPACING).astype(int).clip(1) + 1
        segment = np.repeat(np.arange(len(start)), n_points)
        first = np.repeat(np.cumsum(n_points) - n_points, n_points)
        fraction = (np.arange(len(segment)) - first) / np.repeat(n_points - 1, n_points)
        self._start, self._step, self._segment = start, step, segment
        self._tree = cKDTree(start[segment] + fraction[:, None] * step[segment])

    def __call__(self, colour: Array, g: Array) -> tuple[Array, Array]:
        """Star minus nearest point of the curve.

        Parameters
        ----------
        colour, g : ndarray, shape (n,)
            Colour and G magnitude [mag]; rows that are not finite give NaN.

        Returns
        -------
        f_c, f_g : ndarray, shape (n,)
            Offsets [mag].
        """
        stars = np.column_stack([colour, g]) / self._scales
        finite = np.isfinite(stars).all(axis=1)
        offsets = np.full(stars.shape, np.nan)
        offsets[finite] = self._nearest_offsets(stars[finite]) * self._scales
        return offsets[:, 0], offsets[:, 1]

    def _nearest_offsets(self, stars: Array) -> Array:
        segment = self._segment[self._tree.query(stars)[1]]
        best = _offsets_from_segments(stars, self._start[segment], self._step[segment])
        for beside in (segment - 1, segment + 1):
            beside = np.clip(beside, 0, len(self._start) - 1)
            other = _offsets_from_segments(stars, self._start[beside], self._step[beside])
            nearer = np.square(other).sum(axis=1) < np.square(best).sum(axis=1)
            best[nearer] = other[nearer]
        return best


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
        Star minus isochrone [mag].
    """
    if np.ndim(colour_scale) == 0 and np.ndim(g_scale) == 0:
        return OffsetFinder(isochrone, float(colour_scale), float(g_scale))(colour, g)
    stars = np.column_stack([colour, g])
    scales = np.column_stack(np.broadcast_arrays(colour_scale, g_scale))
    offsets = np.full(stars.shape, np.nan)
    for rows in range(0, len(stars), _CHUNK):
        chunk = slice(rows, rows + _CHUNK)
        offsets[chunk] = _offsets_by_search(isochrone, stars[chunk], scales[chunk])
    return offsets[:, 0], offsets[:, 1]


def _segments(isochrone: Isochrone, scales: Array) -> tuple[Array, Array]:
    """Start points and steps of the curve's segments in scaled units, both of shape (n_segments, 2)."""
    points = np.column_stack([isochrone.colour, isochrone.g]) / scales
    step = np.diff(points, axis=0)
    whole = np.isfinite(step).all(axis=1)
    if not whole.any():
        raise ValueError(
            "the isochrone has fewer than two neighbouring points: no curve can be drawn through it."
        )
    return points[:-1][whole], step[whole]


def _offsets_from_segments(stars: Array, start: Array, step: Array) -> Array:
    """Offsets of each star from its own segment, all arrays (n, 2) or broadcast to it."""
    length = np.maximum(np.square(step).sum(axis=-1), np.finfo(float).tiny)
    fraction = np.clip(((stars - start) * step).sum(axis=-1) / length, 0, 1)
    return stars - start - fraction[..., None] * step


def _offsets_by_search(isochrone: Isochrone, stars: Array, scales: Array) -> Array:
    """Offsets [mag] of stars with scales of their own, from all segments: arrays (stars, segments, 2)."""
    start, step = _segments(isochrone, np.ones(2))
    offsets = _offsets_from_segments(
        (stars / scales)[:, None], start / scales[:, None], step / scales[:, None]
    )
    nearest = np.argmin(np.square(offsets).sum(axis=-1), axis=1)
    return np.take_along_axis(offsets, nearest[:, None, None], axis=1)[:, 0] * scales
