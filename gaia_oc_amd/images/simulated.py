"""Simulated planetary nebulae, H II regions and radio galaxies in three bands, for work without survey images.

They are drawn by rules of thumb and stand in for images like Spitzer's at 4.5, 5.8 and 8.0 micron (Churchwell et al.
2009, PASP 121, 213) of sources of the radio survey CORNISH (Hoare et al. 2012, PASP 124, 939). What is found with
them says nothing of real images.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gaia_oc_amd.images.options import ImageOptions
from gaia_oc_amd.images.tables import Images, prepare

Array = NDArray[np.float64]

CLASSES = ("HII_region", "planetary_nebula", "radio_galaxy")
N_BANDS = 3
_SIDE = 48
_BANDS = {
    "planetary_nebula": (0.5, 0.8, 1.0),
    "HII_region": (0.3, 0.8, 1.0),
    "radio_galaxy": (1.0, 0.7, 0.5),
}
"""Brightness in the bands: dust and its molecules shine at 8 micron, stars of galaxies at 4.5."""
_SHARPNESS = (0.7, 0.9, 1.2)
"""Standard deviations of the point spread in each band [pixel]."""
_STARS = (14.0, 9.0, 5.0)
"""Mean numbers of stars in the foreground that each band shows."""


def simulate_images(
    n_each: int = 100,
    options: ImageOptions = ImageOptions(),
    *,
    signal_to_noise: float = 10.0,
    rng: np.random.Generator,
) -> Images:
    """Images of three classes.

    Parameters
    ----------
    n_each : int
        Of each class.
    options : ImageOptions
        How they are made alike.
    signal_to_noise : float
        Median ratio of the brightest pixel to the noise; images have a half to twice of it.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Images
    """
    shapes = {"HII_region": _hii_region, "planetary_nebula": _planetary_nebula, "radio_galaxy": _radio_galaxy}
    pixels, names = [], []
    for kind in CLASSES:
        for number in range(n_each):
            bands = _observed(shapes[kind](rng), kind, signal_to_noise, rng)
            pixels.append(prepare(bands.astype(np.float32), options))
            names.append(f"{kind}/simulated_{number + 1}")
    return Images(np.stack(pixels), np.repeat(np.arange(len(CLASSES)), n_each), CLASSES, tuple(names))


def _coordinates(rng: np.random.Generator) -> tuple[Array, Array]:
    """Coordinates about a centre that is a little off, turned [sides of the image]."""
    y, x = (np.indices((_SIDE, _SIDE)) + 0.5) / _SIDE - 0.5
    x, y = x - rng.normal(0, 0.03), y - rng.normal(0, 0.03)
    angle = rng.uniform(0, np.pi)
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _planetary_nebula(rng: np.random.Generator) -> Array:
    """A shell, round or with two lobes; a third of them too small to show it."""
    x, y = _coordinates(rng)
    radius = rng.uniform(0.05, 0.28)
    lobes = rng.uniform(0, 0.5)
    distance = np.hypot(x, y / rng.uniform(0.7, 1.0)) / (1 + lobes * np.cos(2 * np.arctan2(y, x)))
    width = rng.uniform(0.15, 0.4) * radius
    return np.exp(-0.5 * ((distance - radius) / width) ** 2) + rng.uniform(0.1, 0.6) * (distance < radius)


def _hii_region(rng: np.random.Generator) -> Array:
    """A clumpy cloud without an edge, often open to one side, with a rim."""
    x, y = _coordinates(rng)
    radius = rng.uniform(0.08, 0.3)
    clumps = gaussian_filter(rng.normal(size=x.shape), rng.uniform(1.5, 4))
    clumps = np.exp(rng.uniform(0.6, 1.3) * clumps / clumps.std())
    distance = np.hypot(x, y)
    rim = np.exp(-0.5 * ((distance - radius) / (0.5 * radius)) ** 2) * (
        1 + rng.uniform(0, 0.9) * np.cos(np.arctan2(y, x))
    )
    return clumps * (np.exp(-((distance / (1.3 * radius)) ** 2)) + rng.uniform(0, 1) * rim)


def _radio_galaxy(rng: np.random.Generator) -> Array:
    """A compact galaxy, every second one with two lobes of its jets, some with little but the lobes."""
    x, y = _coordinates(rng)
    core = np.exp(-0.5 * ((x / 0.035) ** 2 + (y / rng.uniform(0.02, 0.035)) ** 2))
    if rng.uniform() < 0.5:
        return core
    reach, size = rng.uniform(0.12, 0.35), rng.uniform(0.03, 0.07)
    lobes = sum(
        rng.uniform(0.4, 1) * np.exp(-0.5 * (((x - side * reach) / size) ** 2 + (y / size) ** 2))
        for side in (-1, 1)
    )
    return rng.uniform(0.2, 1.0) * core + lobes


def _observed(shape: Array, kind: str, signal_to_noise: float, rng: np.random.Generator) -> Array:
    """Three bands with stars, a sloping background, blurred and noisy."""
    shape = shape / shape.max()
    slope = rng.normal(0, 0.15, 2)
    y, x = (np.indices(shape.shape) + 0.5) / _SIDE - 0.5
    noise = 1 / (signal_to_noise * 2 ** rng.uniform(-1, 1))
    bands = []
    for brightness, blur, n_stars in zip(_BANDS[kind], _SHARPNESS, _STARS, strict=True):
        stars = np.zeros(shape.shape)
        places = rng.integers(0, _SIDE, (rng.poisson(n_stars), 2))
        np.add.at(stars, tuple(places.T), rng.pareto(1.5, len(places)).clip(0, 8))
        seen = brightness * np.exp(rng.normal(0, 0.4)) * shape + stars
        bands.append(gaussian_filter(seen, blur) + slope[0] * x + slope[1] * y)
    return np.stack(bands) + rng.normal(0, noise, (N_BANDS, *shape.shape))
