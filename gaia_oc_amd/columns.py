"""The columns of a source table: the Gaia archive's own names, and one unit for each."""

ASTROMETRY = ("ra", "dec", "parallax", "pmra", "pmdec")
ASTROMETRIC_ERRORS = ("parallax_error", "pmra_error", "pmdec_error")
ASTROMETRIC_CORRELATIONS = ("parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr")
MAGNITUDES = ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag")

REQUIRED_COLUMNS = (
    "source_id",
    *ASTROMETRY,
    *ASTROMETRIC_ERRORS,
    *ASTROMETRIC_CORRELATIONS,
    *MAGNITUDES,
)
"""Without these a source table is refused."""

OPTIONAL_COLUMNS = (
    "l",
    "b",
    "ecl_lat",
    "ruwe",
    "astrometric_params_solved",
    "nu_eff_used_in_astrometry",
    "pseudocolour",
    "phot_g_n_obs",
    "phot_g_mean_flux",
    "phot_g_mean_flux_error",
    "phot_bp_n_obs",
    "phot_bp_mean_flux",
    "phot_bp_mean_flux_error",
    "phot_rp_n_obs",
    "phot_rp_mean_flux",
    "phot_rp_mean_flux_error",
    "bp_rp",
    "g_rp",
    "phot_bp_rp_excess_factor",
)
"""Queried too; where a local table lacks one, what depends on it falls back and says so."""

ARCHIVE_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS

MAGNITUDE_ERRORS = ("phot_g_mean_mag_error", "bp_rp_error", "g_rp_error")
SOURCE_FEATURES = ("f_r", "f_pm", "f_plx", "f_c", "f_g")
SIGMA_OFFSETS = ("f_pm_sigma", "f_plx_sigma", "f_c_sigma", "f_g_sigma")
"""Offsets in units of what errors and the members' own scatter allow (see `gaia_oc_amd.offsets`)."""
REJECTED_BY = "rejected_by"
"""Selection conditions that a star failed: proper_motion, parallax, isochrone; empty for those that passed."""
SET_COLUMNS = (*ARCHIVE_COLUMNS, *MAGNITUDE_ERRORS, *SOURCE_FEATURES, *SIGMA_OFFSETS, REJECTED_BY, "PMemb")
"""Columns of members.csv, candidates.csv, non_members.csv and comparison.csv, in this order."""

UNITS = {
    "source_id": "",
    "ra": "deg",
    "dec": "deg",
    "l": "deg",
    "b": "deg",
    "ecl_lat": "deg",
    "parallax": "mas",
    "parallax_error": "mas",
    "pmra": "mas/yr",
    "pmra_error": "mas/yr",
    "pmdec": "mas/yr",
    "pmdec_error": "mas/yr",
    "parallax_pmra_corr": "",
    "parallax_pmdec_corr": "",
    "pmra_pmdec_corr": "",
    "ruwe": "",
    "astrometric_params_solved": "",
    "nu_eff_used_in_astrometry": "1/um",
    "pseudocolour": "1/um",
    "phot_g_n_obs": "",
    "phot_g_mean_flux": "electron/s",
    "phot_g_mean_flux_error": "electron/s",
    "phot_g_mean_mag": "mag",
    "phot_g_mean_mag_error": "mag",
    "phot_bp_n_obs": "",
    "phot_bp_mean_flux": "electron/s",
    "phot_bp_mean_flux_error": "electron/s",
    "phot_bp_mean_mag": "mag",
    "phot_rp_n_obs": "",
    "phot_rp_mean_flux": "electron/s",
    "phot_rp_mean_flux_error": "electron/s",
    "phot_rp_mean_mag": "mag",
    "bp_rp": "mag",
    "bp_rp_error": "mag",
    "g_rp": "mag",
    "g_rp_error": "mag",
    "phot_bp_rp_excess_factor": "",
    "f_r": "pc",
    "f_pm": "mas/yr",
    "f_plx": "mas",
    "f_c": "mag",
    "f_g": "mag",
    "f_pm_sigma": "",
    "f_plx_sigma": "",
    "f_c_sigma": "",
    "f_g_sigma": "",
    "rejected_by": "",
    "PMemb": "",
    # cluster parameters
    "age": "log10(yr)",
    "a0": "mag",
    "dist": "pc",
    "pmra_mean_error": "mas/yr",
    "pmdec_mean_error": "mas/yr",
    "parallax_mean_error": "mas",
    "pm_dispersion": "mas/yr",
    "parallax_dispersion": "mas",
}
"""Unit of every column of a source table and of every cluster parameter, stated once."""
