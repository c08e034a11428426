"""Quality cuts: which stars are measured well enough to look for groups among them."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd.first_members_options import QualityOptions

Mask = NDArray[np.bool_]

_NEEDED = ("ra", "dec", "pmra", "pmdec", "parallax", "phot_g_mean_mag", "bp_rp")
_NEEDED_ERRORS = ("pmra_error", "pmdec_error", "parallax_error")
_CHI2, _N_GOOD = "astrometric_chi2_al", "astrometric_n_good_obs_al"

logger = logging.getLogger(__name__)


def quality_cuts(
    sources: pd.DataFrame, options: QualityOptions | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Stars that pass all cuts, and how many are left after each.

    A cut whose columns the table lacks is left out, with a word in the log; a star whose own value is missing fails.

    Parameters
    ----------
    sources : DataFrame
        Stars with the archive's columns.
    options : QualityOptions, optional
        Which cuts, and their limits.

    Returns
    -------
    stars : DataFrame
        The rows that passed, with a new index.
    counts : dict of str to int
        Stars left, by the name of the cut, in their order.
    """
    options = options or QualityOptions()
    kept, counts = np.ones(len(sources), bool), {"all": len(sources)}
    for name, cut in _CUTS.items():
        passed = cut(sources, options)
        if passed is None:
            logger.info("the cut %s is left out: its columns are not in the table.", name)
            continue
        kept &= passed
        counts[name] = int(kept.sum())
    return sources[kept].reset_index(drop=True), counts


def _complete(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    return np.isfinite(sources[[*_NEEDED, *_NEEDED_ERRORS]].to_numpy(float)).all(axis=1)


def _bright(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    return sources["phot_g_mean_mag"].to_numpy(float) <= options.search_g_max


def _astrometric_quality(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    """Unit weight error against its limit (Lindegren et al. 2018, Eq. C.1), or RUWE."""
    if not options.astrometric_quality:
        return np.ones(len(sources), bool)
    if _CHI2 in sources and _N_GOOD in sources:
        freedom = np.maximum(sources[_N_GOOD].to_numpy(float) - 5, 1)
        unit_weight_error = np.sqrt(sources[_CHI2].to_numpy(float) / freedom)
        g = sources["phot_g_mean_mag"].to_numpy(float)
        return unit_weight_error < 1.2 * np.maximum(1, np.exp(-0.2 * (g - 19.5)))
    if "ruwe" in sources:
        return sources["ruwe"].to_numpy(float) < options.max_ruwe
    return None


def _flux_excess(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    """Flux excess factor between the limits of Lindegren et al. (2018), Eq. C.2, which crowding and galaxies exceed."""
    if not options.flux_excess:
        return np.ones(len(sources), bool)
    if "phot_bp_rp_excess_factor" not in sources:
        return None
    square = sources["bp_rp"].to_numpy(float) ** 2
    excess = sources["phot_bp_rp_excess_factor"].to_numpy(float)
    return (excess > 1 + 0.015 * square) & (excess < 1.3 + 0.06 * square)


def _parallax_snr(sources: pd.DataFrame, options: QualityOptions) -> Mask:
    ratio = sources["parallax"].to_numpy(float) / sources["parallax_error"].to_numpy(float)
    return ratio >= options.min_parallax_snr


def _flux_snr(sources: pd.DataFrame, options: QualityOptions) -> Mask | None:
    fluxes = [f"phot_{band}_mean_flux" for band in ("g", "bp", "rp")]
    if not {*fluxes, *(f"{flux}_error" for flux in fluxes)} <= set(sources):
        return None
    passed = np.ones(len(sources), bool)
    for flux in fluxes:
        limit = options.min_flux_snr * sources[f"{flux}_error"].to_numpy(float)
        passed &= sources[flux].to_numpy(float) >= limit
    return passed


_CUTS = {
    "complete": _complete,
    "search_g_max": _bright,
    "astrometric_quality": _astrometric_quality,
    "flux_excess": _flux_excess,
    "parallax_snr": _parallax_snr,
    "flux_snr": _flux_snr,
}
