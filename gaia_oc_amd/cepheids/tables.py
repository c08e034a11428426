"""Cepheids from the Gaia archive, as it publishes them, or from a table."""

from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.archive import GAIA_ARCHIVE, query_archive
from gaia_oc_amd.cepheids.options import CepheidOptions
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids
from gaia_oc_amd.files.tables import canonical, read_table

DR2_QUERY = """\
SELECT source_id, src.ra, src.dec, src.l, src.b, src.parallax, src.parallax_error, src.pmra, src.pmdec,
  dist.r_est, dist.r_lo, dist.r_hi, dist.r_len, dist.result_flag, dist.modality_flag,
  cep.type_best_classification, cep.mode_best_classification, cep.pf, cep.pf_error, cep.p1_o, cep.p1_o_error,
  cep.int_average_g, cep.int_average_g_error, cep.int_average_bp, cep.int_average_bp_error,
  cep.int_average_rp, cep.int_average_rp_error, cep.g_absorption, cep.g_absorption_error, cep.num_clean_epochs_g
FROM gaiadr2.vari_cepheid AS cep
JOIN gaiadr2.gaia_source AS src USING (source_id)
JOIN external.gaiadr2_geometric_distance AS dist USING (source_id)"""
"""All Cepheids of Gaia DR2 with the distances of Bailer-Jones et al. (2018, AJ 156, 58)."""

DR3_QUERY = """\
SELECT source_id, src.ra, src.dec, src.l, src.b, src.ecl_lat, src.parallax, src.parallax_error, src.pmra, src.pmdec,
  src.phot_g_mean_mag, src.nu_eff_used_in_astrometry, src.pseudocolour, src.astrometric_params_solved, src.ruwe,
  dist.r_med_geo AS r_est, dist.r_lo_geo AS r_lo, dist.r_hi_geo AS r_hi,
  cep.type_best_classification, cep.mode_best_classification, cep.pf, cep.pf_error, cep.p1_o, cep.p1_o_error,
  cep.int_average_g, cep.int_average_g_error, cep.int_average_bp, cep.int_average_bp_error,
  cep.int_average_rp, cep.int_average_rp_error, cep.num_clean_epochs_g, cep.metallicity
FROM gaiadr3.vari_cepheid AS cep
JOIN gaiadr3.gaia_source AS src USING (source_id)
LEFT OUTER JOIN external.gaiaedr3_distance AS dist USING (source_id)"""
"""All Cepheids of Gaia DR3 (Ripepi et al. 2023, A&A 674, A17) with the distances of Bailer-Jones et al. (2021)."""

QUERIES = {"dr2": DR2_QUERY, "dr3": DR3_QUERY}

PERIODS = {"FUNDAMENTAL": "pf", "FIRST_OVERTONE": "p1_o"}
"""Column of the period by mode; that of type II Cepheids is pf."""

WORDS = ("type_best_classification", "mode_best_classification")
MAGNITUDES = ("int_average_g", "int_average_bp", "int_average_rp")
ZERO_POINT_COLUMNS = (
    "phot_g_mean_mag",
    "nu_eff_used_in_astrometry",
    "pseudocolour",
    "ecl_lat",
    "astrometric_params_solved",
)
"""What the correction of DR3's parallaxes needs."""
_NEEDED = ("source_id", "ra", "dec", "parallax", "parallax_error", *WORDS, *MAGNITUDES)
_NUMBERS = (
    *("ra", "dec", "parallax", "parallax_error", "pmra", "pmdec", "ruwe", "num_clean_epochs_g", "pf", "p1_o"),
    *MAGNITUDES,
    *(f"{name}_error" for name in MAGNITUDES),
    *("r_est", "r_lo", "r_hi", *ZERO_POINT_COLUMNS),
)


def read_cepheids(
    options: CepheidOptions = CepheidOptions(),
    *,
    credentials_path: Path | None = None,
    job_file: Path | None = None,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Cepheids with the archive's column names, neither selected nor corrected.

    Parameters
    ----------
    options : CepheidOptions
        Where they are, the release, and the mode, whose period must be there.
    credentials_path : path, optional
        Credentials, sent to the Gaia archive alone.
    job_file : path, optional
        Where the archive's job is remembered while it runs.
    rng : Generator, optional
        Draws simulated Cepheids.

    Returns
    -------
    DataFrame
        One row for each Cepheid; numbers are numbers.

    Raises
    ------
    ArchiveUnavailableError
        If a service gives no result.
    FileNotFoundError, ValueError
        If there is no such table, it is damaged, or it lacks a column.
    """
    word = options.source.strip()
    if word.lower() == "simulated":
        return simulate_cepheids(
            SimulatedCepheids(), wesenheit=options.wesenheit, rng=rng or np.random.default_rng(0)
        )
    is_service = word.lower().startswith(("http://", "https://"))
    if word.lower() == "gaia" or is_service:
        url = word if is_service else GAIA_ARCHIVE
        login = None if is_service else credentials_path
        rows = query_archive(QUERIES[options.release], url=url, credentials_path=login, job_file=job_file)
        return checked(canonical(rows, url), url, options)
    return checked(read_table(word), word, options)


def checked(table: pd.DataFrame, origin: str, options: CepheidOptions) -> pd.DataFrame:
    """Table with all columns that are needed, and numbers in them; see `read_cepheids`."""
    period = period_column(options)
    absent = [name for name in (*_NEEDED, period) if name not in table]
    if absent:
        raise ValueError(
            f"{origin} has no column {', '.join(absent)}: it needs the names of Gaia's vari_cepheid, joined with "
            "gaia_source."
        )
    if options.release == "dr3" and (lost := [name for name in ZERO_POINT_COLUMNS if name not in table]):
        raise ValueError(
            f"{origin} has no column {', '.join(lost)}, which the parallaxes of DR3 are corrected with: add them, or "
            "give --release dr2 if it is of DR2."
        )
    if table.empty:
        raise ValueError(f"{origin} holds no row: give a table of Cepheids.")
    for name in (name for name in _NUMBERS if name in table):
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ValueError(
                f"{origin}: {name} is {table[name].iloc[0]!r}, not a number: correct the column."
            )
    if twice := int(table["source_id"].duplicated().sum()):
        raise ValueError(f"{origin} holds {twice} source_id more than once: leave one row for each star.")
    return table


def period_column(options: CepheidOptions) -> str:
    """Column of the period."""
    return "pf" if options.cepheid_type == "T2CEP" else PERIODS[options.mode]
