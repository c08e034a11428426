"""Integrated light curves of clusters, from TESS or a table, and the clusters' ages."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning

from gaia_oc_amd.astrometry import angular_separation
from gaia_oc_amd.exceptions import ClusterError, one_line
from gaia_oc_amd.files.bounds import refuse_cells
from gaia_oc_amd.files.containers import opened_fits
from gaia_oc_amd.files.tables import read_table
from gaia_oc_amd.light_curves.features import binned
from gaia_oc_amd.light_curves.options import LightCurveOptions

logger = logging.getLogger(__name__)

CURVE_COLUMNS = ("cluster", "galaxy", "sector", "time", "flux", "flux_err")
AGE_COLUMNS = ("cluster", "galaxy", "log_age")

_SPELLINGS = {
    "name": "cluster",
    "btjd": "time",
    "flux_error": "flux_err",
    "lit_clst_age": "log_age",
    "age": "log_age",
    "location": "galaxy",
}
"""Other names of the columns, in lower case."""
_CLOUDS = {"LMC": (80.8942, -69.7561, 10.0), "SMC": (13.1867, -72.8286, 6.0)}
"""Centres of the Magellanic Clouds and the radii within which a cluster is taken for theirs [deg]."""
_YOUNGEST, _OLDEST = 5.0, 10.3
"""Bounds of log10 of an age [yr]; the universe is 10.14."""
_SUFFIXES = (".fits", ".fit", ".fits.gz", ".csv", ".csv.gz", ".parquet", ".ecsv", ".vot", ".vot.gz")
_TABLE = "time, flux and flux_err, and cluster and sector where there are several"
_MOST_BINS = 1_000_000
"""Of one light curve: 57 years of half hours."""


@dataclass(frozen=True)
class LightCurves:
    """Light curves and what is known of the clusters.

    Parameters
    ----------
    curves : DataFrame
        cluster, galaxy, sector, time [d], flux, flux_err: sorted by time within each sector, binned, positive.
    clusters : DataFrame
        cluster, galaxy, log_age (NaN where unknown); one row for each cluster of the curves, in order.
    """

    curves: pd.DataFrame
    clusters: pd.DataFrame


def read_light_curves(
    path: Path | str, options: LightCurveOptions = LightCurveOptions(), *, ages: Path | str | None = None
) -> LightCurves:
    """Light curves of a table, of an ELK file (one table for each TESS sector), or of all such files in a folder.

    Parameters
    ----------
    path : path
        Of a table: the columns of `CURVE_COLUMNS`, and log_age where they are known; cluster, galaxy and sector may be
        absent of one cluster, whose name is then the file's. Of an ELK file (Wainer et al. 2023, AJ 166, 106): NAME,
        LOCATION and LOG_AGE of the header, time, flux and flux_err of each table.
    options : LightCurveOptions
        Cadence, fewest points, galaxy of clusters whose table says none.
    ages : path, optional
        Table of cluster, galaxy and log_age. It goes before what the light curves say.

    Returns
    -------
    LightCurves

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file or folder, it holds no light curve, lacks a column, or an age is none.
    ClusterError
        If no light curve is long enough.
    """
    path = Path(path)
    tables = [_read_file(each, options) for each in _files(path)]
    rows = pd.concat(tables, ignore_index=True)
    known = _ages_of(rows, str(path))
    if ages is not None:
        stated = _renamed(read_table(ages))
        _require(stated, ("cluster", "log_age"), str(ages), "cluster and log_age")
        stated = stated.assign(cluster=stated["cluster"].astype(str))
        known = _merged(known, _ages_of(stated, str(ages)), str(ages))
    curves = _usable(rows, options, str(path))
    galaxy = known.set_index("cluster")["galaxy"]
    curves = curves.assign(galaxy=curves["cluster"].map(galaxy))
    clusters = known[known["cluster"].isin(set(curves["cluster"]))].reset_index(drop=True)
    return LightCurves(curves[list(CURVE_COLUMNS)], clusters)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path} does not exist: give light curves with --curves or --predict.")
    found = sorted(each for each in path.iterdir() if each.name.lower().endswith(_SUFFIXES))
    if not found:
        raise FileNotFoundError(f"{path} holds no light curve: it needs FITS files or tables of {_TABLE}.")
    return found


def _read_file(path: Path, options: LightCurveOptions) -> pd.DataFrame:
    """Rows of one file with all columns of `CURVE_COLUMNS`, and log_age."""
    table = _read_elk(path)
    if table is None:
        table = _renamed(read_table(path))
    _require(table, ("time", "flux", "flux_err"), str(path), _TABLE)
    defaults: dict[str, str | float] = {"cluster": path.name.split(".")[0], "galaxy": options.galaxy}
    defaults |= {"sector": 0, "log_age": np.nan}
    table = table.assign(**{name: value for name, value in defaults.items() if name not in table})
    for name in ("time", "flux", "flux_err", "log_age"):
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ValueError(f"{path}: {name} is {table[name].iloc[0]!r}, not a number: correct the column.")
    texts = {name: table[name].astype(str).str.strip() for name in ("cluster", "galaxy", "sector")}
    return table.assign(**texts)[[*CURVE_COLUMNS, "log_age"]]


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    """Columns by our names; one that is there already is left alone, and of several spellings the first counts."""
    lower = {name: name.lower() for name in table.columns}
    names = {name: _SPELLINGS.get(low, low) for name, low in lower.items()}
    ours = [name for name, low in lower.items() if low in (*CURVE_COLUMNS, "log_age")]
    taken = {lower[name] for name in ours}
    renamed: dict[str, str] = {}
    for name, new in names.items():
        if name in ours or new not in taken | set(renamed.values()):
            renamed[name] = new
    return table.rename(columns=renamed)


def _require(table: pd.DataFrame, names: tuple[str, ...], origin: str, needed: str) -> None:
    if absent := [name for name in names if name not in table]:
        raise ValueError(f"{origin} has no column {', '.join(absent)}: it needs {needed}.")


def _read_elk(path: Path) -> pd.DataFrame | None:
    """Light curves of an ELK file; None of any other."""
    if not path.name.lower().endswith((".fits", ".fit", ".fits.gz")):
        return None
    try:
        with warnings.catch_warnings(), opened_fits(path) as content:
            warnings.simplefilter("error", AstropyUserWarning)  # that it may be truncated
            about = content[0].header
            tables = [unit for unit in content[1:] if isinstance(unit, fits.BinTableHDU)]
            if "NAME" not in about or "LOCATION" not in about or not tables:
                return None
            parts = [_sector(unit, number) for number, unit in enumerate(tables)]
            ra, dec = (float(part) for part in str(about["LOCATION"]).split(","))
            name, age = str(about["NAME"]), float(about.get("LOG_AGE", np.nan))
    except (OSError, ValueError, TypeError, KeyError, AstropyUserWarning) as error:
        raise ValueError(
            f"{path} cannot be read as light curves ({one_line(error, 200)}): it is truncated or no file of ELK."
        ) from error
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(cluster=name, galaxy=galaxy_at(ra, dec), log_age=age)


def _sector(unit: fits.BinTableHDU, number: int) -> pd.DataFrame:
    refuse_cells(unit.header["NAXIS2"], len(unit.columns))
    names = {name.lower(): name for name in unit.columns.names}
    absent = [name for name in ("time", "flux", "flux_err") if name not in names]
    if absent:
        raise ValueError(f"table {number + 1} has no column {', '.join(absent)}")
    values = {name: np.asarray(unit.data[names[name]], dtype=float) for name in ("time", "flux", "flux_err")}
    return pd.DataFrame(values).assign(sector=str(unit.header.get("SECTOR", number)))


def galaxy_at(ra: float, dec: float) -> str:
    """LMC, SMC or MW: the galaxy of a cluster at a place on the sky [deg]."""
    for name, (cloud_ra, cloud_dec, radius) in _CLOUDS.items():
        if angular_separation(np.array([ra]), np.array([dec]), cloud_ra, cloud_dec)[0] <= radius:
            return name
    return "MW"


def _ages_of(rows: pd.DataFrame, origin: str) -> pd.DataFrame:
    """cluster, galaxy, log_age of the clusters in the order in which they come; one age for each."""
    galaxy = rows["galaxy"] if "galaxy" in rows else pd.Series(pd.NA, rows.index, dtype=object)
    table = rows[["cluster", "log_age"]].assign(galaxy=galaxy)
    clusters = table.groupby("cluster", sort=False).agg(
        galaxy=("galaxy", "first"),
        log_age=("log_age", "median"),
        youngest=("log_age", "min"),
        oldest=("log_age", "max"),
    )
    ages = clusters["log_age"]
    outside = ages.notna() & ~ages.between(_YOUNGEST, _OLDEST)
    if outside.any():
        name, age = ages[outside].index[0], ages[outside].iloc[0]
        raise ValueError(
            f"{origin}: the log_age of {name} is {age:g}, but must be log10 of years between {_YOUNGEST:g} and "
            f"{_OLDEST:g}: correct the column."
        )
    if (differing := clusters["oldest"] - clusters["youngest"] > 1e-6).any():
        raise ValueError(
            f"{origin} gives {clusters[differing].index[0]} two ages: leave one row for each cluster."
        )
    return clusters.reset_index()[list(AGE_COLUMNS)]


def _merged(known: pd.DataFrame, stated: pd.DataFrame, origin: str) -> pd.DataFrame:
    """What a table of ages says goes before what the light curves say."""
    better = stated.set_index("cluster")
    if not known["cluster"].isin(better.index).any():
        raise ValueError(
            f"{origin} names none of the {len(known)} clusters of the light curves, as {known['cluster'].iloc[0]}: "
            "write the names as they stand there."
        )
    columns = {name: known["cluster"].map(better[name]).fillna(known[name]) for name in AGE_COLUMNS[1:]}
    return known.assign(**columns)


def _usable(rows: pd.DataFrame, options: LightCurveOptions, origin: str) -> pd.DataFrame:
    """Binned light curves that are long enough; what was left out is said."""
    finite = np.isfinite(rows[["time", "flux", "flux_err"]].to_numpy(float)).all(axis=1)
    good = (rows["flux"] > 0) & (rows["flux_err"] > 0) & finite
    if lost := int((~good).sum()):
        logger.info(
            "%s: %d of %d points have no positive flux with an error and are left out.",
            origin,
            lost,
            len(rows),
        )
    parts, short = [], 0
    for (cluster, sector), curve in rows[good].groupby(["cluster", "sector"], sort=False):
        span = float(np.ptp(curve["time"]))
        if span * 1440 > _MOST_BINS * options.cadence:
            raise ValueError(
                f"{origin}: the times of {cluster}, sector {sector}, span {span:.3g} d, more than {_MOST_BINS:,} "
                f"bins of {options.cadence:g} min: correct them (they are in days), or give a longer --cadence."
            )
        points = binned(curve.sort_values("time", kind="stable"), options.cadence)
        if len(points) < options.n_min_points:
            short += 1
            continue
        parts.append(points.assign(cluster=cluster, sector=sector))
    if short:
        logger.info(
            "%s: %d light curves have fewer than %d bins of %g min and are left out.",
            origin,
            short,
            options.n_min_points,
            options.cadence,
        )
    if not parts:
        raise ClusterError(
            f"{origin} has no light curve with at least {options.n_min_points} bins of {options.cadence:g} min and "
            "positive fluxes with errors: check the columns, or lower --n_min_points."
        )
    return pd.concat(parts, ignore_index=True)
