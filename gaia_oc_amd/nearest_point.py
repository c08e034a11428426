"""The point of an isochrone that is nearest to a star."""

import numpy as np
from numpy.typing import NDArray

from gaia_oc_amd.isochrones import Isochrone
from gaia_oc_amd.parallel import compiled

Array = NDArray[np.float64]

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
        nearest, group, following = np.inf, np.argmin(least), 0
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
