"""Light curves of clusters whose age, and how far it tells, is known."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.light_curves.tables import LightCurves

Array = NDArray[np.float64]

_CADENCE = 30 / 1440
_LENGTH = 26.0
_GAP = (12.0, 13.5)
"""Days: cadence and length of a sector, and the pause in its middle."""
_MEDIAN_AGE, _AGE_SCATTER = 8.3, 0.7
_AMPLITUDE, _AMPLITUDE_SCATTER = -3.2, 0.25
"""log10 of the relative amplitude at the median age, and its scatter between clusters."""
_MEMORY = 1.5
"""Days over which the light at the median age remembers."""
_FLUX, _FLUX_SCATTER = 4.0, 0.6


def simulate_light_curves(
    n_clusters: int = 60,
    *,
    strength: float = 1.0,
    n_sectors: int = 2,
    galaxies: tuple[str, ...] = ("MW",),
    rng: np.random.Generator,
) -> LightCurves:
    """Clusters whose light varies like a first-order autoregressive process, with photon noise.

    The amplitude falls with age, as in clusters whose brightest stars leave the instability strip, and the memory
    grows. It is a stand-in to try things on, no model of stars.

    Parameters
    ----------
    n_clusters : int
        In all, spread over the galaxies.
    strength : float
        Change of the logarithm of the amplitude per dex of age; 0 makes light curves that say nothing of age.
    n_sectors : int
        Light curves of each cluster.
    galaxies : tuple of str
        In turn.
    rng : Generator
        Source of randomness.

    Returns
    -------
    LightCurves
    """
    ages = np.clip(rng.normal(_MEDIAN_AGE, _AGE_SCATTER, n_clusters), 6.5, 10.0)
    names = [f"Simulated_{number:03d}" for number in range(1, n_clusters + 1)]
    galaxy = [galaxies[number % len(galaxies)] for number in range(n_clusters)]
    parts = []
    for name, place, age in zip(names, galaxy, ages, strict=True):
        amplitude = _AMPLITUDE - strength * (age - _MEDIAN_AGE) + rng.normal(0, _AMPLITUDE_SCATTER)
        memory = _MEMORY * 10 ** (0.3 * strength * (age - _MEDIAN_AGE))
        flux = 10 ** rng.normal(_FLUX, _FLUX_SCATTER)
        for sector in range(n_sectors):
            curve = _sector(flux, 10**amplitude, memory, rng)
            parts.append(curve.assign(cluster=name, galaxy=place, sector=str(sector)))
    curves = pd.concat(parts, ignore_index=True)
    clusters = pd.DataFrame({"cluster": names, "galaxy": galaxy, "log_age": ages})
    return LightCurves(curves[["cluster", "galaxy", "sector", "time", "flux", "flux_err"]], clusters)


def _sector(flux: float, amplitude: float, memory: float, rng: np.random.Generator) -> pd.DataFrame:
    """One sector of a flux [e/s] with a relative amplitude and a memory [d]."""
    time = np.arange(0, _LENGTH, _CADENCE)
    keep = np.exp(-_CADENCE / memory)
    steps = rng.normal(0, amplitude * np.sqrt(1 - keep**2), len(time))
    signal = np.empty(len(time))
    signal[0] = rng.normal(0, amplitude)
    for number in range(1, len(time)):
        signal[number] = keep * signal[number - 1] + steps[number]
    error = np.sqrt(flux / (1440 * 60 * _CADENCE))
    measured = flux * (1 + signal) + rng.normal(0, error, len(time))
    seen = (time < _GAP[0]) | (time > _GAP[1])
    return pd.DataFrame({"time": time[seen], "flux": measured[seen], "flux_err": error})
