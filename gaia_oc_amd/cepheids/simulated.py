"""Simulated Cepheids of the Milky Way and the Large Magellanic Cloud, whose law is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from pygaia.errors.astrometric import parallax_uncertainty

from gaia_oc_amd.astrometry import parallax_zero_point
from gaia_oc_amd.cepheids.selection import LMC_CENTRE, LMC_MOTION


@dataclass(frozen=True)
class SimulatedCepheids:
    """What is simulated.

    Parameters
    ----------
    n_milky_way, n_lmc : int
        Stars that are observed.
    zero_point, slope, scatter : float
        The law of the Milky Way: M_W = zero_point + slope (log P - pivot), with a normal scatter [mag].
    pivot : float
        log10 of the period [d].
    lmc_modulus, lmc_shift : float
        Distance modulus, and by how much its stars are fainter at the same period [mag].
    offset : float
        What the parallaxes' zero point has more than Lindegren et al. (2021) correct [mas].
    offset_slope, parallax_noise : float
        Its change with G around the mean of the stars between G = 6 and 13 [mas/mag], and what the parallaxes'
        errors lack in quadrature [mas].
    outlier_fraction, outlier_shift, outlier_scatter : float
        Stars that follow no law: their share, by how much they are fainter, and their scatter [mag].
    shuffled : bool
        Whether periods are exchanged at random among the stars, which leaves no law.
    """

    n_milky_way: int = 2000
    n_lmc: int = 1500
    zero_point: float = -4.95
    slope: float = -3.3
    scatter: float = 0.12
    pivot: float = 0.7
    lmc_modulus: float = 18.477
    lmc_shift: float = 0.135
    offset: float = 0.0
    offset_slope: float = 0.0
    parallax_noise: float = 0.0
    outlier_fraction: float = 0.05
    outlier_shift: float = 1.5
    outlier_scatter: float = 0.7
    shuffled: bool = False


_SUN = 8.2
"""Distance of the galactic centre [kpc]."""
_SCALE_LENGTH, _SCALE_HEIGHT = 2.6, 0.07
"""Of the disc of young stars [kpc]; rough values, they are no part of the law."""
_EXTINCTION = 0.35
"""Mean extinction in the plane [mag/kpc of E(BP-RP)]."""


def simulate_cepheids(
    settings: SimulatedCepheids = SimulatedCepheids(),
    *,
    wesenheit: float = 1.90,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw Cepheids with the columns of the archive.

    Stars of the Milky Way lie in an exponential disc with extinction, down to G = 19; the reddening law is that of the
    Wesenheit magnitude. Errors of the parallaxes are those that PyGaia predicts for DR3.

    Parameters
    ----------
    settings : SimulatedCepheids
        The law, the numbers, the outliers.
    wesenheit : float
        Coefficient R.
    rng : Generator
        Draws everything.

    Returns
    -------
    DataFrame
        Stars of the Milky Way, then those of the LMC.
    """
    near = _milky_way(settings, wesenheit, rng)
    far = _lmc(settings, wesenheit, rng)
    stars = pd.concat([near, far], ignore_index=True)
    if settings.shuffled:
        stars["pf"] = rng.permutation(stars["pf"].to_numpy())
    error = parallax_uncertainty(stars["int_average_g"].to_numpy(), release="dr3") / 1000  # mas
    true = 1000 / stars.pop("distance")
    n = len(stars)
    place = SkyCoord(stars["ra"], stars["dec"], unit="deg")
    stars = stars.assign(
        source_id=np.arange(1, n + 1, dtype=np.int64) << 35,
        l=place.galactic.l.deg,
        b=place.galactic.b.deg,
        ecl_lat=place.barycentricmeanecliptic.lat.deg,
        parallax_error=error,
        type_best_classification="DCEP",
        mode_best_classification="FUNDAMENTAL",
        num_clean_epochs_g=rng.integers(20, 60, n),
        phot_g_mean_mag=stars["int_average_g"],
        nu_eff_used_in_astrometry=1.45,
        pseudocolour=np.nan,
        astrometric_params_solved=31,
    )
    g = stars["int_average_g"]
    tilt = settings.offset_slope * (g - g[g.between(6, 13)].mean())
    noise = np.hypot(error, settings.parallax_noise) * rng.standard_normal(n)
    return stars.assign(parallax=true + parallax_zero_point(stars) + settings.offset + tilt + noise)


def _milky_way(settings: SimulatedCepheids, wesenheit: float, rng: np.random.Generator) -> pd.DataFrame:
    """Stars of the disc that are brighter than G = 19."""
    n = 12 * settings.n_milky_way
    radius, angle = rng.gamma(2, _SCALE_LENGTH, n), rng.uniform(0, 2 * np.pi, n)  # around the galactic centre
    x, y = _SUN - radius * np.cos(angle), radius * np.sin(angle)
    z = rng.laplace(0, _SCALE_HEIGHT, n)
    distance = 1000 * np.sqrt(x**2 + y**2 + z**2)
    longitude, latitude = np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(1000 * z / distance))
    sky = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    period, absolute = _luminosities(settings, n, rng)
    reddening = _EXTINCTION * distance / 1000 * np.exp(-np.abs(z) / 0.1) * rng.uniform(0.5, 1.5, n)
    magnitudes = _magnitudes(period, absolute + 5 * np.log10(distance) - 5, reddening, wesenheit, rng)
    stars = pd.DataFrame(
        {"ra": sky.ra.deg, "dec": sky.dec.deg, "distance": distance, "pf": 10**period, **magnitudes}
    )
    # motions of the disc are not modelled: only the LMC is recognised by its own
    stars["pmra"], stars["pmdec"] = rng.normal(0, 3, (2, len(stars)))
    observed = stars[stars["int_average_g"].between(6, 19)]
    return observed.head(settings.n_milky_way)


def _lmc(settings: SimulatedCepheids, wesenheit: float, rng: np.random.Generator) -> pd.DataFrame:
    n = settings.n_lmc
    distance = np.full(n, 10 ** (0.2 * settings.lmc_modulus + 1))
    period, absolute = _luminosities(settings, n, rng)
    apparent = absolute + settings.lmc_shift + settings.lmc_modulus
    magnitudes = _magnitudes(period, apparent, rng.uniform(0.05, 0.25, n), wesenheit, rng)
    dec = LMC_CENTRE[1] + rng.normal(0, 1.5, n)
    ra = LMC_CENTRE[0] + rng.normal(0, 1.5, n) / np.cos(np.radians(LMC_CENTRE[1]))
    motion = np.array(LMC_MOTION)[:, None] + rng.normal(0, 0.15, (2, n))
    columns = {"ra": ra, "dec": dec, "distance": distance, "pf": 10**period, **magnitudes}
    return pd.DataFrame({**columns, "pmra": motion[0], "pmdec": motion[1]})


def _luminosities(
    settings: SimulatedCepheids, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Log periods, and absolute Wesenheit magnitudes with scatter and outliers."""
    period = np.clip(rng.gamma(3.0, 0.17, n) + 0.3, 0.3, 1.9)
    absolute = settings.zero_point + settings.slope * (period - settings.pivot)
    absolute = absolute + settings.scatter * rng.standard_normal(n)
    wrong = rng.uniform(size=n) < settings.outlier_fraction
    return period, absolute + wrong * rng.normal(settings.outlier_shift, settings.outlier_scatter, n)


def _magnitudes(
    period: np.ndarray,
    apparent: np.ndarray,
    reddening: np.ndarray,
    wesenheit: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Mean magnitudes in the three bands whose Wesenheit magnitude is the one given."""
    colour = 0.75 + 0.35 * (period - 0.7) + rng.normal(0, 0.05, len(period)) + reddening
    g = apparent + wesenheit * colour
    rp = g - 0.55 * colour
    error = {
        f"int_average_{band}_error": np.full(len(g), size)
        for band, size in zip(("g", "bp", "rp"), (5e-4, 3e-3, 3e-3), strict=True)
    }
    return {"int_average_g": g, "int_average_bp": rp + colour, "int_average_rp": rp} | error
