"""Which Cepheids can be used, in which galaxy they are, and their Wesenheit magnitudes."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from gaia_oc_amd.astrometry import angular_separation, parallax_zero_point
from gaia_oc_amd.cepheids.options import CepheidOptions, LmcOptions
from gaia_oc_amd.exceptions import ClusterError

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

LMC_CENTRE = (80.8942, -69.7561)
"""ICRS [deg], the centre of its bar, as SIMBAD has it."""
LMC_MOTION = (1.858, 0.385)
"""Proper motion of its centre [mas/yr], Gaia Collaboration, Luri et al. (2021, A&A 649, A7, Table 5)."""
LMC_PARALLAX = 0.0202
"""1 / 49.59 kpc [mas], Pietrzynski et al. (2019); only foreground stars differ from it."""
LMC_PARALLAX_FLOOR = 0.1
"""Uncertainty of the parallax zero point at one place [mas]: nobody shall be lost for it."""
_CLOUDS = ((*LMC_CENTRE, 12.0), (13.1867, -72.8286, 8.0))
"""Places of the LMC and the SMC and the radii within which no star is taken for the Milky Way's [deg]."""

_DR2_ERRORS = ((13.0, 1.08, 0.021), (np.inf, 1.08, 0.043))
"""External errors of DR2's parallaxes up to a G: factor, and a part that is added in quadrature [mas].

L. Lindegren's slides on the astrometry of DR2 (2018), https://www.cosmos.esa.int/web/gaia/dr2-known-issues."""


def select_cepheids(
    table: pd.DataFrame,
    period: str,
    options: CepheidOptions = CepheidOptions(),
    lmc: LmcOptions = LmcOptions(),
) -> pd.DataFrame:
    """Cepheids of one type and mode with good photometry; nobody is left out for luminosity or parallax.

    Parameters
    ----------
    table : DataFrame
        From `tables.read_cepheids`.
    period : str
        Column of the period [d].
    options : CepheidOptions
        The cuts. A cut whose column is absent is passed over, with a line in the log.
    lmc : LmcOptions
        How stars of the Large Magellanic Cloud are recognised.

    Returns
    -------
    DataFrame
        With more columns: log_period, wesenheit and wesenheit_error [mag], b [deg], galaxy ("Milky Way" for those that
        calibrate, "LMC", "other"); parallax corrected for DR3's zero point (Lindegren et al. 2021), parallax_error
        widened for DR2.

    Raises
    ------
    ClusterError
        If no star is left; the message says at which cut.
    """
    stars = table
    for what, passed in _cuts(table, period, options):
        left = stars[passed.loc[stars.index].to_numpy(bool)]
        logger.info("%s: %d of %d stars are left.", what, len(left), len(stars))
        if left.empty:
            raise ClusterError(
                f"None of {len(stars)} stars passes the cut {what}: {_found(stars)}; check the table, --cepheid_type "
                "and --mode."
            )
        stars = left
    stars = stars.reset_index(drop=True)
    stars = stars.assign(
        log_period=np.log10(stars[period]), **_wesenheit(stars, options.wesenheit), b=_latitude(stars)
    )
    stars = stars.assign(**_astrometry(stars, options.release))
    return stars.assign(galaxy=_galaxy(stars, options, lmc))


def _found(stars: pd.DataFrame) -> str:
    types = stars["type_best_classification"].astype(str).value_counts()
    return "they are " + ", ".join(f"{count} {name}" for name, count in types.head(4).items())


def _cuts(table: pd.DataFrame, period: str, options: CepheidOptions) -> Iterator[tuple[str, pd.Series]]:
    """Name of each cut, and who passes it."""
    words = {
        name: table[name].astype(str).str.strip().str.upper()
        for name in ("type_best_classification", "mode_best_classification")
    }
    yield f"type {options.cepheid_type}", words["type_best_classification"] == options.cepheid_type
    if options.cepheid_type != "T2CEP":
        yield f"mode {options.mode}", words["mode_best_classification"] == options.mode
    yield f"a period ({period})", table[period].between(0, np.inf, inclusive="neither")
    bands = ("int_average_g", "int_average_bp", "int_average_rp")
    has_light = np.isfinite(table[list(bands)].to_numpy(float)).all(axis=1)
    yield "magnitudes in G, BP and RP", pd.Series(has_light, table.index)
    yield "a parallax", np.isfinite(table["parallax"]) & (table["parallax_error"] > 0)
    yield f"G >= {options.bright_limit:g}", table["int_average_g"] >= options.bright_limit
    limits = {f"{band}_error": options.max_magnitude_error for band in bands} | {"ruwe": options.max_ruwe}
    for name, limit in limits.items():
        if name in table and table[name].notna().any():
            yield f"{name} <= {limit:g}", table[name] <= limit
        else:
            logger.info("The table has no %s: it is not cut.", name)
    if "num_clean_epochs_g" in table:
        yield f"{options.n_min_epochs} epochs", table["num_clean_epochs_g"] >= options.n_min_epochs


def _wesenheit(stars: pd.DataFrame, coefficient: float) -> dict[str, Array]:
    """Wesenheit magnitude W = G - R (BP - RP) and its error [mag]."""
    g, bp, rp = (stars[f"int_average_{band}"].to_numpy(float) for band in ("g", "bp", "rp"))
    errors = [
        stars[name].to_numpy(float)
        if (name := f"int_average_{band}_error") in stars
        else np.zeros(len(stars))
        for band in ("g", "bp", "rp")
    ]
    errors = [np.nan_to_num(error) for error in errors]
    error = np.sqrt(errors[0] ** 2 + coefficient**2 * (errors[1] ** 2 + errors[2] ** 2))
    return {"wesenheit": g - coefficient * (bp - rp), "wesenheit_error": error}


def _latitude(stars: pd.DataFrame) -> Array:
    """Galactic latitude [deg]; made from the position, for a table's own may be of anything."""
    return SkyCoord(stars["ra"].to_numpy(), stars["dec"].to_numpy(), unit="deg").galactic.b.deg


def _astrometry(stars: pd.DataFrame, release: str) -> dict[str, Array]:
    """Parallax and its error as they are fitted [mas]."""
    parallax, error = (stars[name].to_numpy(float) for name in ("parallax", "parallax_error"))
    if release == "dr3":
        return {"parallax": parallax - parallax_zero_point(stars), "parallax_error": error}
    g = stars["int_average_g"].to_numpy(float)
    (limit, factor, floor), (_, far_factor, far_floor) = _DR2_ERRORS
    bright = g < limit
    factors, floors = np.where(bright, factor, far_factor), np.where(bright, floor, far_floor)
    return {"parallax": parallax, "parallax_error": np.hypot(factors * error, floors)}


def _galaxy(stars: pd.DataFrame, options: CepheidOptions, lmc: LmcOptions) -> NDArray[np.object_]:
    """Galaxy of each star: by sky, motion and parallax the LMC; by sky and magnitude those that calibrate."""
    ra, dec = stars["ra"].to_numpy(float), stars["dec"].to_numpy(float)
    near_cloud = np.any(
        [angular_separation(ra, dec, *centre) < radius for *centre, radius in _CLOUDS], axis=0
    )
    ours = ~near_cloud & (np.abs(stars["b"]) <= options.max_latitude)
    ours &= stars["int_average_g"] <= options.faint_limit
    theirs = angular_separation(ra, dec, *LMC_CENTRE) <= lmc.lmc_radius
    error = np.hypot(stars["parallax_error"], LMC_PARALLAX_FLOOR)
    theirs &= np.abs(stars["parallax"] - LMC_PARALLAX) <= lmc.lmc_parallax_sigmas * error
    if {"pmra", "pmdec"} <= set(stars):
        apart = np.hypot(stars["pmra"] - LMC_MOTION[0], stars["pmdec"] - LMC_MOTION[1])
        theirs &= apart <= lmc.lmc_motion
    else:
        logger.info("The table has no proper motions: the LMC is told by sky and parallax alone.")
    return np.where(theirs, "LMC", np.where(ours, "Milky Way", "other"))
