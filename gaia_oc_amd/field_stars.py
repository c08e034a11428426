"""The stars of a field as a search for groups sees them: motions, errors, places and ranks in colour."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import mean_direction, tangent_plane

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MOTIONS = ("pmra", "pmdec", "parallax")
_SIMILAR = 51
"""Stars of similar brightness among which a colour is ranked."""


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


def field_stars(stars: pd.DataFrame) -> FieldStars:
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
