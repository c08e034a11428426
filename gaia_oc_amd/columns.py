"""The columns of a source table: names, units, UCDs and meaning."""

from dataclasses import dataclass

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
"""Offsets in units of what errors and the members' own scatter allow (see `gaia_oc_amd.features`)."""
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


@dataclass(frozen=True)
class Description:
    """What a column or a parameter of a cluster means.

    Parameters
    ----------
    name : str
        Its name.
    unit : str
        As in `columns.UNITS`; empty for what has none.
    ucd : str
        UCD1+ words; empty where none fits.
    text : str
        A sentence, in ASCII, for that is all that FITS headers hold.
    """

    name: str
    unit: str = ""
    ucd: str = ""
    text: str = ""


# UCDs of the archive's columns as far as its own metadata are known; bands as the archive has them: em.opt for G,
# em.opt.B for BP, em.opt.R for RP
_MEANINGS = {
    "source_id": ("meta.id;meta.main", "Gaia DR3 source identifier, unique within the release"),
    "ra": ("pos.eq.ra;meta.main", "Right ascension, ICRS at epoch 2016.0"),
    "dec": ("pos.eq.dec;meta.main", "Declination, ICRS at epoch 2016.0"),
    "parallax": ("pos.parallax.trig", "Parallax, less the zero point of Lindegren et al. 2021"),
    "pmra": ("pos.pm;pos.eq.ra", "Proper motion in right ascension, times cos(dec)"),
    "pmdec": ("pos.pm;pos.eq.dec", "Proper motion in declination"),
    "parallax_error": ("stat.error;pos.parallax.trig", "Standard error of the parallax"),
    "pmra_error": ("stat.error;pos.pm;pos.eq.ra", "Standard error of pmra"),
    "pmdec_error": ("stat.error;pos.pm;pos.eq.dec", "Standard error of pmdec"),
    "parallax_pmra_corr": (
        "stat.correlation;pos.parallax.trig;pos.pm;pos.eq.ra",
        "Correlation of the errors of parallax and pmra",
    ),
    "parallax_pmdec_corr": (
        "stat.correlation;pos.parallax.trig;pos.pm;pos.eq.dec",
        "Correlation of the errors of parallax and pmdec",
    ),
    "pmra_pmdec_corr": (
        "stat.correlation;pos.pm;pos.eq.ra;pos.pm;pos.eq.dec",
        "Correlation of the errors of pmra and pmdec",
    ),
    "phot_g_mean_mag": ("phot.mag;em.opt", "Mean magnitude in G, Vega system"),
    "phot_bp_mean_mag": ("phot.mag;em.opt.B", "Mean magnitude in BP, Vega system"),
    "phot_rp_mean_mag": ("phot.mag;em.opt.R", "Mean magnitude in RP, Vega system"),
    "l": ("pos.galactic.lon", "Galactic longitude"),
    "b": ("pos.galactic.lat", "Galactic latitude"),
    "ecl_lat": ("pos.ecliptic.lat", "Ecliptic latitude"),
    "ruwe": (
        "stat.error",
        "Renormalised unit weight error of the astrometric solution, near 1 for a good one",
    ),
    "astrometric_params_solved": (
        "meta.number",
        "Which astrometric parameters were solved: 31 five, 95 six (with the pseudocolour)",
    ),
    "nu_eff_used_in_astrometry": (
        "em.wavenumber",
        "Effective wavenumber that the astrometric solution took as known",
    ),
    "pseudocolour": ("em.wavenumber", "Effective wavenumber found by the astrometric solution itself"),
    "phot_g_n_obs": ("meta.number", "Number of observations that the G photometry rests on"),
    "phot_g_mean_flux": ("phot.flux;em.opt", "Mean flux in G"),
    "phot_g_mean_flux_error": ("stat.error;phot.flux;em.opt", "Standard error of the mean flux in G"),
    "phot_bp_n_obs": ("meta.number", "Number of observations that the BP photometry rests on"),
    "phot_bp_mean_flux": ("phot.flux;em.opt.B", "Mean flux in BP"),
    "phot_bp_mean_flux_error": ("stat.error;phot.flux;em.opt.B", "Standard error of the mean flux in BP"),
    "phot_rp_n_obs": ("meta.number", "Number of observations that the RP photometry rests on"),
    "phot_rp_mean_flux": ("phot.flux;em.opt.R", "Mean flux in RP"),
    "phot_rp_mean_flux_error": ("stat.error;phot.flux;em.opt.R", "Standard error of the mean flux in RP"),
    "bp_rp": ("phot.color;em.opt.B;em.opt.R", "Colour BP - RP"),
    "g_rp": ("phot.color;em.opt;em.opt.R", "Colour G - RP"),
    "phot_bp_rp_excess_factor": (
        "phot.flux;arith.ratio",
        "Sum of the BP and RP fluxes in units of the G flux; large in crowded fields",
    ),
    "phot_g_mean_mag_error": (
        "stat.error;phot.mag;em.opt",
        "Standard error of G, as DPAC's fits give it for the magnitude and the number of observations",
    ),
    "bp_rp_error": ("stat.error;phot.color;em.opt.B;em.opt.R", "Standard error of BP - RP, found likewise"),
    "g_rp_error": ("stat.error;phot.color;em.opt;em.opt.R", "Standard error of G - RP, found likewise"),
    "f_r": ("pos.distance", "Projected distance from the cluster's centre, at the cluster's distance"),
    "f_pm": ("pos.pm;arith.diff", "Size of the proper motion's difference from the cluster's mean"),
    "f_plx": ("pos.parallax.trig;arith.diff", "Parallax minus the cluster's mean"),
    "f_c": ("phot.color;arith.diff", "Colour minus that of the isochrone's nearest point"),
    "f_g": ("phot.mag;em.opt;arith.diff", "G minus that of the isochrone's nearest point"),
    "f_pm_sigma": ("stat.fit.residual;pos.pm", "f_pm in units of the star's errors and the members' scatter"),
    "f_plx_sigma": (
        "stat.fit.residual;pos.parallax.trig",
        "f_plx in units of the star's errors and the members' scatter",
    ),
    "f_c_sigma": (
        "stat.fit.residual;phot.color",
        "Colour minus that of the isochrone point that is nearest in units of errors (star and isochrone), "
        "in these units",
    ),
    "f_g_sigma": ("stat.fit.residual;phot.mag;em.opt", "G minus that of the same point, in units of errors"),
    "rejected_by": (
        "meta.code",
        "Selection conditions that the star failed: proper_motion, parallax, both joined by +, or isochrone, which "
        "is looked at last; empty where it passed",
    ),
    "PMemb": (
        "stat.probability",
        "Membership probability: the list's for members and comparison, 0 for non-members, the network's for "
        "candidates; missing for a star that was not judged",
    ),
    "age": ("time.age", "log10 of the age in years"),
    "a0": ("phys.absorption", "Extinction at 550 nm"),
    "dist": ("pos.distance", "Distance"),
    "pmra_mean_error": ("stat.error;pos.pm;pos.eq.ra", "Standard error of the cluster's mean pmra"),
    "pmdec_mean_error": ("stat.error;pos.pm;pos.eq.dec", "Standard error of the cluster's mean pmdec"),
    "parallax_mean_error": ("stat.error;pos.parallax.trig", "Standard error of the cluster's mean parallax"),
    "pm_dispersion": (
        "stat.stdev;pos.pm",
        "Scatter of the members' proper motions in one direction that their errors do not explain",
    ),
    "parallax_dispersion": (
        "stat.stdev;pos.parallax.trig",
        "Scatter of the members' parallaxes that their errors do not explain",
    ),
}


def describe(name: str) -> Description:
    """Description of a column of the sets or of a cluster parameter; an unknown name has only itself.

    Parameters
    ----------
    name : str
        Column name, as in `columns.UNITS`.

    Returns
    -------
    Description
    """
    return Description(name, UNITS.get(name, ""), *_MEANINGS.get(name, ("", "")))
