"""The columns of a source table: names, units, UCDs and meaning, one row for each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """What a column or a parameter of a cluster means.

    Parameters
    ----------
    name : str
        Its name.
    unit : str
        Empty for what has none.
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
_GROUPS = {
    "identifier": (
        Description(
            "source_id", "", "meta.id;meta.main", "Gaia DR3 source identifier, unique within the release"
        ),
    ),
    "astrometry": (
        Description("ra", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS at epoch 2016.0"),
        Description("dec", "deg", "pos.eq.dec;meta.main", "Declination, ICRS at epoch 2016.0"),
        Description(
            "parallax", "mas", "pos.parallax.trig", "Parallax, less the zero point of Lindegren et al. 2021"
        ),
        Description("pmra", "mas/yr", "pos.pm;pos.eq.ra", "Proper motion in right ascension, times cos(dec)"),
        Description("pmdec", "mas/yr", "pos.pm;pos.eq.dec", "Proper motion in declination"),
    ),
    "astrometric error": (
        Description(
            "parallax_error", "mas", "stat.error;pos.parallax.trig", "Standard error of the parallax"
        ),
        Description("pmra_error", "mas/yr", "stat.error;pos.pm;pos.eq.ra", "Standard error of pmra"),
        Description("pmdec_error", "mas/yr", "stat.error;pos.pm;pos.eq.dec", "Standard error of pmdec"),
    ),
    "astrometric correlation": (
        Description(
            "parallax_pmra_corr",
            "",
            "stat.correlation;pos.parallax.trig;pos.pm;pos.eq.ra",
            "Correlation of the errors of parallax and pmra",
        ),
        Description(
            "parallax_pmdec_corr",
            "",
            "stat.correlation;pos.parallax.trig;pos.pm;pos.eq.dec",
            "Correlation of the errors of parallax and pmdec",
        ),
        Description(
            "pmra_pmdec_corr",
            "",
            "stat.correlation;pos.pm;pos.eq.ra;pos.pm;pos.eq.dec",
            "Correlation of the errors of pmra and pmdec",
        ),
    ),
    "magnitude": (
        Description("phot_g_mean_mag", "mag", "phot.mag;em.opt", "Mean magnitude in G, Vega system"),
        Description("phot_bp_mean_mag", "mag", "phot.mag;em.opt.B", "Mean magnitude in BP, Vega system"),
        Description("phot_rp_mean_mag", "mag", "phot.mag;em.opt.R", "Mean magnitude in RP, Vega system"),
    ),
    "optional": (
        Description("l", "deg", "pos.galactic.lon", "Galactic longitude"),
        Description("b", "deg", "pos.galactic.lat", "Galactic latitude"),
        Description("ecl_lat", "deg", "pos.ecliptic.lat", "Ecliptic latitude"),
        Description(
            "ruwe",
            "",
            "stat.error",
            "Renormalised unit weight error of the astrometric solution, near 1 for a good one",
        ),
        Description(
            "astrometric_params_solved",
            "",
            "meta.number",
            "Which astrometric parameters were solved: 31 five, 95 six (with the pseudocolour)",
        ),
        Description(
            "nu_eff_used_in_astrometry",
            "1/um",
            "em.wavenumber",
            "Effective wavenumber that the astrometric solution took as known",
        ),
        Description(
            "pseudocolour",
            "1/um",
            "em.wavenumber",
            "Effective wavenumber found by the astrometric solution itself",
        ),
        Description(
            "phot_g_n_obs", "", "meta.number", "Number of observations that the G photometry rests on"
        ),
        Description("phot_g_mean_flux", "electron/s", "phot.flux;em.opt", "Mean flux in G"),
        Description(
            "phot_g_mean_flux_error",
            "electron/s",
            "stat.error;phot.flux;em.opt",
            "Standard error of the mean flux in G",
        ),
        Description(
            "phot_bp_n_obs", "", "meta.number", "Number of observations that the BP photometry rests on"
        ),
        Description("phot_bp_mean_flux", "electron/s", "phot.flux;em.opt.B", "Mean flux in BP"),
        Description(
            "phot_bp_mean_flux_error",
            "electron/s",
            "stat.error;phot.flux;em.opt.B",
            "Standard error of the mean flux in BP",
        ),
        Description(
            "phot_rp_n_obs", "", "meta.number", "Number of observations that the RP photometry rests on"
        ),
        Description("phot_rp_mean_flux", "electron/s", "phot.flux;em.opt.R", "Mean flux in RP"),
        Description(
            "phot_rp_mean_flux_error",
            "electron/s",
            "stat.error;phot.flux;em.opt.R",
            "Standard error of the mean flux in RP",
        ),
        Description("bp_rp", "mag", "phot.color;em.opt.B;em.opt.R", "Colour BP - RP"),
        Description("g_rp", "mag", "phot.color;em.opt;em.opt.R", "Colour G - RP"),
        Description(
            "phot_bp_rp_excess_factor",
            "",
            "phot.flux;arith.ratio",
            "Sum of the BP and RP fluxes in units of the G flux; large in crowded fields",
        ),
    ),
    "magnitude error": (
        Description(
            "phot_g_mean_mag_error",
            "mag",
            "stat.error;phot.mag;em.opt",
            "Standard error of G, as DPAC's fits give it for the magnitude and the number of observations",
        ),
        Description(
            "bp_rp_error",
            "mag",
            "stat.error;phot.color;em.opt.B;em.opt.R",
            "Standard error of BP - RP, found likewise",
        ),
        Description(
            "g_rp_error",
            "mag",
            "stat.error;phot.color;em.opt;em.opt.R",
            "Standard error of G - RP, found likewise",
        ),
    ),
    "source feature": (
        Description(
            "f_r",
            "pc",
            "pos.distance",
            "Projected distance from the cluster's centre, at the cluster's distance",
        ),
        Description(
            "f_pm",
            "mas/yr",
            "pos.pm;arith.diff",
            "Size of the proper motion's difference from the cluster's mean",
        ),
        Description("f_plx", "mas", "pos.parallax.trig;arith.diff", "Parallax minus the cluster's mean"),
        Description(
            "f_c", "mag", "phot.color;arith.diff", "Colour minus that of the isochrone's nearest point"
        ),
        Description(
            "f_g", "mag", "phot.mag;em.opt;arith.diff", "G minus that of the isochrone's nearest point"
        ),
    ),
    "sigma offset": (
        Description(
            "f_pm_sigma",
            "",
            "stat.fit.residual;pos.pm",
            "Size of the proper motion's difference from the cluster's at the star's place, in units of errors "
            "and scatter",
        ),
        Description(
            "f_plx_sigma",
            "",
            "stat.fit.residual;pos.parallax.trig",
            "f_plx in units of the star's errors and the members' scatter",
        ),
        Description(
            "f_c_sigma",
            "",
            "stat.fit.residual;phot.color",
            "Colour minus that of the isochrone point that is nearest in units of errors (star and "
            "isochrone), in these units",
        ),
        Description(
            "f_g_sigma",
            "",
            "stat.fit.residual;phot.mag;em.opt",
            "G minus that of the same point, in units of errors",
        ),
    ),
    "verdict": (
        Description(
            "rejected_by",
            "",
            "meta.code",
            "Selection conditions that the star failed: proper_motion, parallax, both joined by +, "
            "or isochrone, which is looked at last; empty where it passed",
        ),
        Description(
            "PMemb",
            "",
            "stat.probability",
            "Membership probability: the network's in the member list and for candidates, the list's for members and "
            "comparison, zero for non-members; missing for a star that was not judged",
        ),
        Description(
            "PMemb_list",
            "",
            "stat.probability",
            "Membership probability of the member list that was learnt from; missing for stars that it does not have",
        ),
    ),
    "of the member list": (
        Description(
            "phot_bp_mean_mag_error",
            "mag",
            "stat.error;phot.mag;em.opt.B",
            "Standard error of the mean BP magnitude, found likewise",
        ),
        Description(
            "phot_rp_mean_mag_error",
            "mag",
            "stat.error;phot.mag;em.opt.R",
            "Standard error of the mean RP magnitude, found likewise",
        ),
        Description(
            "training_member",
            "",
            "meta.code",
            "Whether the network learnt the cluster from this star, which was judged without itself",
        ),
        Description(
            "origin",
            "",
            "meta.code",
            "Whether the star is in the list that was learnt from: listed; listed, failed the cut (a listed star that "
            "fails the candidate selection); new",
        ),
        Description(
            "flags",
            "",
            "meta.code.qual",
            "What is doubtful about the star, joined by +: ruwe (RUWE above 1.4), six_parameters (astrometric "
            "solution with the pseudocolour); empty where nothing is",
        ),
    ),
    "of the missed members": (
        Description(
            "PMemb_comparison", "", "stat.probability", "Membership probability of the comparison list"
        ),
        Description(
            "reason", "", "meta.code", "Why the star of the comparison list is not in the member list"
        ),
    ),
    "cluster parameter": (
        Description("age", "log10(yr)", "time.age", "log10 of the age in years"),
        Description("a0", "mag", "phys.absorption", "Extinction at 550 nm"),
        Description("dist", "pc", "pos.distance", "Distance"),
        Description(
            "pmra_mean_error",
            "mas/yr",
            "stat.error;pos.pm;pos.eq.ra",
            "Standard error of the cluster's mean pmra",
        ),
        Description(
            "pmdec_mean_error",
            "mas/yr",
            "stat.error;pos.pm;pos.eq.dec",
            "Standard error of the cluster's mean pmdec",
        ),
        Description(
            "parallax_mean_error",
            "mas",
            "stat.error;pos.parallax.trig",
            "Standard error of the cluster's mean parallax",
        ),
        Description(
            "pm_dispersion",
            "mas/yr",
            "stat.stdev;pos.pm",
            "Scatter of the members' proper motions in one direction that their errors do not explain",
        ),
        Description(
            "parallax_dispersion",
            "mas",
            "stat.stdev;pos.parallax.trig",
            "Scatter of the members' parallaxes that their errors do not explain",
        ),
        Description(
            "pm_systematic_error",
            "mas/yr",
            "stat.error.sys;pos.pm",
            "Gaia's systematic error of a mean proper motion in one direction, which more members do not make smaller",
        ),
        Description(
            "parallax_systematic_error",
            "mas",
            "stat.error.sys;pos.parallax.trig",
            "Gaia's systematic error of a mean parallax, besides that of the zero point",
        ),
        Description(
            "radial_velocity",
            "km/s",
            "spect.dopplerVeloc",
            "Radial velocity of the cluster in the parameter table",
        ),
        Description(
            "radial_velocity_error",
            "km/s",
            "stat.error;spect.dopplerVeloc",
            "Standard error of radial_velocity",
        ),
        Description(
            "perspective_velocity",
            "km/s",
            "spect.dopplerVeloc",
            "Radial velocity that the cluster's motion is projected with: the table's, else that of the gradient of "
            "the members' motions where it is significant, else 0",
        ),
        Description(
            "perspective_velocity_error",
            "km/s",
            "stat.error;spect.dopplerVeloc",
            "Standard error of perspective_velocity, or how large it may be where it is not known",
        ),
    ),
}


def _names(*groups: str) -> tuple[str, ...]:
    return tuple(about.name for group in groups for about in _GROUPS[group])


ASTROMETRY = _names("astrometry")
ASTROMETRIC_ERRORS = _names("astrometric error")
ASTROMETRIC_CORRELATIONS = _names("astrometric correlation")
MAGNITUDES = _names("magnitude")
REQUIRED_COLUMNS = _names(
    "identifier", "astrometry", "astrometric error", "astrometric correlation", "magnitude"
)
"""Without these a source table is refused."""
DR3_EPOCH = 2016.0
"""Epoch of DR3's positions [yr]."""
FROM_ARCHIVE = "take the columns of the Gaia archive, as read_table gives them of a file"
CALIBRATED = "take sources that `calibrate` made of the Gaia archive's columns"
"""Where tables of sources come from, in messages to those who work in Python."""
OPTIONAL_COLUMNS = _names("optional")
"""Queried too; where a local table lacks one, what depends on it falls back and says so."""
ARCHIVE_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS

MAGNITUDE_ERRORS = _names("magnitude error")
MEASUREMENTS = (
    *("ra", "dec", "parallax", "pmra", "pmdec"),
    *ASTROMETRIC_ERRORS,
    *("phot_g_mean_mag", "phot_g_mean_mag_error"),
)
"""What a star is compared with its cluster by, besides a colour and its error."""
SOURCE_FEATURES = _names("source feature")
SIGMA_OFFSETS = _names("sigma offset")
"""Offsets in units of what errors and the members' own scatter allow (see `gaia_oc_amd.features`)."""
REJECTED_BY = "rejected_by"
"""Selection conditions that a star failed: proper_motion, parallax, isochrone; empty for those that passed."""
LISTED_PROBABILITY = "PMemb_list"
"""Probability that the member list gives a star; missing for stars that it does not have."""
TRAINING_MEMBER = "training_member"
"""Whether a row of candidates.csv is a training member, scored without itself."""
SET_COLUMNS = (*ARCHIVE_COLUMNS, *MAGNITUDE_ERRORS, *SOURCE_FEATURES, *SIGMA_OFFSETS, *_names("verdict"))
"""Columns of members.csv, candidates.csv, non_members.csv and comparison.csv, in this order."""

_BY_NAME = {about.name: about for rows in _GROUPS.values() for about in rows}
UNITS = {name: about.unit for name, about in _BY_NAME.items()}
"""Unit of every column of a source table and of every cluster parameter."""


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
    return _BY_NAME.get(name, Description(name))
