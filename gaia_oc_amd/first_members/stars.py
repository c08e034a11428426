"""The stars of a field as the search sees them, and the features in which it looks for groups."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import mean_direction, tangent_plane
from gaia_oc_amd.options import require

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MOTIONS = ("pmra", "pmdec", "parallax")
_SIMILAR = 51
"""Stars of similar brightness among which a colour is ranked."""

NEEDED = (
    *("ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag", "bp_rp"),
    *("pmra_error", "pmdec_error", "parallax_error"),
)
"""What every star of a field must have."""


@dataclass(frozen=True)
class FieldStars:
    """What the search knows of the stars of a field.

    Parameters
    ----------
    motions : ndarray, shape (n_stars, 3)
        pmra, pmdec [mas/yr] and parallax [mas].
    errors : ndarray, shape (n_stars, 3)
        Their standard errors.
    sky : ndarray, shape (n_stars, 2)
        Offsets from the middle of the field in units of the radius of a disc as wide as the field.
    g : ndarray, shape (n_stars,)
        G [mag].
    colour_rank : ndarray, shape (n_stars,)
        Rank of BP - RP among stars of similar G, from 0 to 1: uniform for stars drawn from the field.
    centre : (float, float)
        ra and dec of the middle [deg].
    radius : float
        Radius of that disc [deg].
    """

    motions: Array
    errors: Array
    sky: Array
    g: Array
    colour_rank: Array
    centre: tuple[float, float]
    radius: float

    def __len__(self) -> int:
        return len(self.g)

    def part(self, kept: Indices) -> "FieldStars":
        """Some of the stars; units and ranks stay those of the whole field."""
        names = ("motions", "errors", "sky", "g", "colour_rank")
        return replace(self, **{name: getattr(self, name)[kept] for name in names})


def clustering_stars(stars: pd.DataFrame) -> FieldStars:
    """Arrays of a table of stars.

    Parameters
    ----------
    stars : DataFrame
        At least two with finite ra, dec, pmra, pmdec, parallax, their errors, phot_g_mean_mag and bp_rp.

    Returns
    -------
    FieldStars
    """
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    centre = mean_direction(ra, dec)
    sky = np.stack(tangent_plane(ra, dec, *centre), axis=1)
    radius = float(
        np.sqrt(2 * (sky**2).sum(axis=1).mean())
    )  # a uniform disc has a mean square of half of R^2
    g = stars["phot_g_mean_mag"].to_numpy(float)
    return FieldStars(
        motions=stars[list(MOTIONS)].to_numpy(float),
        errors=stars[[f"{name}_error" for name in MOTIONS]].to_numpy(float),
        sky=sky / max(radius, 1e-9),
        g=g,
        colour_rank=colour_ranks(g, stars["bp_rp"].to_numpy(float)),
        centre=centre,
        radius=radius,
    )


def colour_ranks(g: Array, colour: Array) -> Array:
    """Rank of each star's colour among the stars that are nearest to it in brightness.

    Parameters
    ----------
    g, colour : ndarray, shape (n_stars,)
        Magnitude and colour [mag].

    Returns
    -------
    ndarray, shape (n_stars,)
        Between 0 and 1.
    """
    order = np.argsort(g, kind="stable")
    sorted_colour = colour[order]
    n_near = min(_SIMILAR, len(g))
    first = np.clip(np.arange(len(g)) - n_near // 2, 0, len(g) - n_near)
    windows = np.lib.stride_tricks.sliding_window_view(sorted_colour, n_near)[first]
    below = (windows < sorted_colour[:, None]).sum(axis=1)
    level = (windows == sorted_colour[:, None]).sum(axis=1)
    ranks = np.empty(len(g))
    ranks[order] = (below + level / 2) / n_near
    return ranks


Mask = NDArray[np.bool_]

_STD_PER_QUARTILE_RANGE = 1.349
"""Range between the quartiles of a normal distribution over its standard deviation."""


@dataclass(frozen=True)
class FeatureOptions:
    """Which features, and which stars.

    Parameters
    ----------
    divided : bool
        Whether motion over parallax, its modulus and its angle are features beside parallax and motion. Only stars
        whose parallax allows the division are then used.
    min_parallax_snr : float
        Least parallax over its error at which something may be divided by it.
    clip : float
        Bound of every feature, in robust standard deviations from the median.
    """

    divided: bool = False
    min_parallax_snr: float = 5.0
    clip: float = 2.0

    def __post_init__(self) -> None:
        require(0 < self.min_parallax_snr < np.inf, self, "min_parallax_snr", "greater than 0 and finite")
        require(self.clip > 0, self, "clip", "greater than 0")


def clustering_features(stars: pd.DataFrame, options: FeatureOptions | None = None) -> tuple[Array, Mask]:
    """Robustly scaled features of the stars that have them.

    Parameters
    ----------
    stars : DataFrame
        With parallax, parallax_error [mas], pmra, pmdec [mas/yr].
    options : FeatureOptions, optional
        Which features, and which stars.

    Returns
    -------
    values : ndarray, shape (n_used, n_features)
        Parallax, pmra, pmdec; if divided, pmra and pmdec over parallax, their modulus and their angle. Less the
        median, in robust standard deviations (range between the quartiles / 1.349), bounded by `clip`.
    used : ndarray of bool, shape (n_stars,)
        Stars that `values` holds, in their order.

    Notes
    -----
    Source: C. D. Alvaro Yunta, "Machine Learning Tools for Open Cluster Characterization" (slides). Departure: the
    angle is counted from the mean direction of the stars, so that it jumps where the fewest are.
    """
    options = options or FeatureOptions()
    motions = stars[["parallax", "pmra", "pmdec"]].to_numpy(float)
    used = np.isfinite(motions).all(axis=1)
    columns = [motions]
    if options.divided:
        errors = stars["parallax_error"].to_numpy(float)
        used &= motions[:, 0] >= options.min_parallax_snr * errors
        columns.append(_divided(motions, used))
    return _scaled(np.column_stack(columns)[used], options.clip), used


def _divided(motions: Array, divisible: Mask) -> Array:
    """Motion over parallax, its modulus, and its angle from the mean direction; 0 where it cannot be divided."""
    parallax = np.where(divisible, motions[:, 0], 1.0)
    velocity = (motions[:, 1] + 1j * motions[:, 2]) / parallax
    direction = velocity / np.maximum(np.abs(velocity), 1e-12)
    mean = direction[divisible].mean() if divisible.any() else 1.0
    angle = np.angle(velocity * np.conj(mean))
    columns = np.column_stack([velocity.real, velocity.imag, np.abs(velocity), angle])
    return np.where(divisible[:, None], columns, 0.0)


def _scaled(values: Array, clip: float) -> Array:
    if not len(values):
        return values
    from sklearn.preprocessing import RobustScaler

    return np.clip(RobustScaler().fit_transform(values) * _STD_PER_QUARTILE_RANGE, -clip, clip)
