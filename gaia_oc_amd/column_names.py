"""What other tables call the columns: one dictionary for local files, downloads and services."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gaia_oc_amd.columns import ARCHIVE_COLUMNS, REQUIRED_COLUMNS

VIZIER_GAIA = {
    "source_id": "Source",
    "ra": "RA_ICRS",
    "dec": "DE_ICRS",
    "parallax": "Plx",
    "pmra": "pmRA",
    "pmdec": "pmDE",
    "parallax_error": "e_Plx",
    "pmra_error": "e_pmRA",
    "pmdec_error": "e_pmDE",
    "parallax_pmra_corr": "PlxpmRAcor",
    "parallax_pmdec_corr": "PlxpmDEcor",
    "pmra_pmdec_corr": "pmRApmDEcor",
    "phot_g_mean_mag": "Gmag",
    "phot_bp_mean_mag": "BPmag",
    "phot_rp_mean_mag": "RPmag",
    "l": "GLON",
    "b": "GLAT",
    "ecl_lat": "ELAT",
    "ruwe": "RUWE",
    "astrometric_params_solved": "Solved",
    "nu_eff_used_in_astrometry": "nueff",
    "pseudocolour": "pscol",
    "phot_g_n_obs": "o_Gmag",
    "phot_g_mean_flux": "FG",
    "phot_g_mean_flux_error": "e_FG",
    "phot_bp_n_obs": "o_BPmag",
    "phot_bp_mean_flux": "FBP",
    "phot_bp_mean_flux_error": "e_FBP",
    "phot_rp_n_obs": "o_RPmag",
    "phot_rp_mean_flux": "FRP",
    "phot_rp_mean_flux_error": "e_FRP",
    "bp_rp": "BP-RP",
    "g_rp": "G-RP",
    "phot_bp_rp_excess_factor": "E(BP/RP)",  # "E(BP-RP)" is the reddening of GSP-Phot
}
"""Columns of VizieR's I/355/gaiadr3, as cdsarc.cds.unistra.fr/viz-bin/ReadMe/I/355 lists them.

VizieR publishes some of them with fewer digits than the archive, so stars at the very edge of the cone and last
digits can differ.
"""

RA, DEC = ("RA_ICRS", "RAdeg", "RAJ2000"), ("DE_ICRS", "DEdeg", "DEJ2000")
MOTION = {"pmra": ("pmRA*", "pmRA"), "pmdec": ("pmDE",), "parallax": ("plx",)}
"""Names that VizieR's catalogues of clusters have."""

_RA = (*RA, "_RAJ2000", "_RA", "_RA.icrs", "_RA_icrs", "ra_deg", "right_ascension", "ra_epoch2000")
_DEC = (*DEC, "_DEJ2000", "_DE", "_DE.icrs", "_DE_icrs", "dec_deg", "declination", "dec_epoch2000")
_PARALLAX, _PMRA, _PMDEC = (
    (*MOTION["parallax"], "parallax_mas", "Plx_m"),
    (*MOTION["pmra"], "pm_ra", "pmRAcosDE", "pmra_cosdec", "pmRA_m"),
    (*MOTION["pmdec"], "pm_dec", "pmDE_m"),
)
G_MAGNITUDE = ("Gmag", "Gmagnitude", "phot_g_mean_mag_1", "mag_g")
IDENTIFIER = (
    *("Source", "GaiaDR3", "GaiaEDR3", "Gaia_DR3", "DR3Name", "EDR3Name", "source_id_dr3", "dr3_source_id"),
    *("gaia_source_id", "gaia_id", "GaiaID", "SourceID", "GaiaDR2", "DR2Name", "dr2_source_id", "Gaia"),
    *("gaia_dr3_source_id", "gaia_dr3_source", "gaia_dr3_id", "designation", "identifier", "main_id"),
)
CLUSTER = ("Cluster", "Name", "OC", "cluster_name", "ClusterName", "OCName", "Cl", "oc_name")
PROBABILITY = (
    *("PMemb", "Proba", "Prob", "p_memb", "pmem", "MembProb", "memb_prob", "prob_memb", "probability"),
    *("membership_probability", "membership_prob", "membership", "Memb", "probs", "p_mem", "member_prob"),
)
AGE = ("logAge", "log_age", "logAge50", "AgeNN", "logAgeNN", "logt", "log(Age)", "logAge(yr)")
A0 = ("AV", "AVNN", "AV50", "A_V", "A_0")
DISTANCE = ("DistPc", "dist50", "Distance", "distance_pc", "dist_pc", "d_pc")

_STAR = {
    **{ours: (theirs,) for ours, theirs in VIZIER_GAIA.items()},
    "source_id": IDENTIFIER,
    "ra": _RA,
    "dec": _DEC,
    "parallax": _PARALLAX,
    "pmra": _PMRA,
    "pmdec": _PMDEC,
    "phot_g_mean_mag": G_MAGNITUDE,
    "phot_bp_mean_mag": ("BPmag", "BP_mag", "mag_bp"),
    "phot_rp_mean_mag": ("RPmag", "RP_mag", "mag_rp"),
    "bp_rp": ("BP-RP", "BPRP", "bp_rp_colour"),
}
_EPOCH = ("Epoch",)
_LISTED = (
    *("ra", "dec", "parallax", "pmra", "pmdec", "parallax_error", "pmra_error", "pmdec_error"),
    "phot_g_mean_mag",
)
# VizieR's s_ is the members' standard deviation; e_ is it too in Cantat-Gaudin's and Dias' tables, while in Hunt &
# Reffert's, which have both, it is the error of the mean
_SCATTER = {
    "pmra_error": ("s_pmRA", "sigma_pmRA", "pmRA_std", "e_pmRA"),
    "pmdec_error": ("s_pmDE", "sigma_pmDE", "pmDE_std", "e_pmDE"),
    "parallax_error": ("s_plx", "sigma_plx", "plx_std", "e_plx"),
}


@dataclass(frozen=True)
class TableNames:
    """What the columns of one kind of table may be called.

    Parameters
    ----------
    spellings : mapping of str to tuple of str
        Other names by ours, in order of preference; ours goes first. Case does not matter, nor a ``*`` or ``_`` at
        the end, which VizieR and its clients write after pmRA, nor a blank in place of ``_``.
    needed : tuple of str
        Ours that a table of this kind must have; of several tables in a file the one that has most is meant.
    given : mapping of str to str
        What the user says that a column is called, by ours.

    Where neither a name nor a spelling of it is there, the same with ``_1`` is taken, which TOPCAT's joins append to
    the columns of their first table.
    """

    spellings: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)

    def find(self, names: Iterable[str]) -> dict[str, str]:
        """Name in a table of each of our columns that it has.

        Parameters
        ----------
        names : iterable of str
            The table's names.

        Returns
        -------
        dict of str
            The table's name by ours; no name stands for two columns.
        """
        theirs = list(dict.fromkeys(str(name) for name in names))
        by_key: dict[str, str] = {}
        for name in theirs:
            by_key.setdefault(_key(name), name)
        found: dict[str, str] = {}
        for ours, spellings in self.spellings.items():
            asked = (self.given[ours],) if ours in self.given else ()
            exact = (name for name in (*asked, ours) if name in theirs)
            keys = [_key(name) for name in (*asked, ours, *spellings)]
            alike = (by_key[key] for key in (*keys, *(f"{key}_1" for key in keys)) if key in by_key)
            known: str | None = next(iter((*exact, *alike)), None)
            if known is not None and known not in found.values():
                found[ours] = known
        return found

    def with_given(self, pairs: Sequence[str]) -> "TableNames":
        """The same with what the user says, ``ra=RAJ2000``.

        Raises
        ------
        ValueError
            If a pair is none, or its column is one that no table has.
        """
        return replace(self, given={ours: name for ours, name in _pairs(pairs) if ours in self.spellings})


def _pairs(pairs: Sequence[str]) -> list[tuple[str, str]]:
    known = {_key(name): name for kind in (SOURCES, MEMBERS, PARAMETERS) for name in kind.spellings}
    result = []
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not theirs.strip():
            raise ValueError(f"columns is {pair!r}, but must be OURS=THEIRS, as in ra=RAJ2000.")
        if _key(ours) not in known:
            raise ValueError(
                f"columns names {ours.strip()!r}, which is none of our columns: {', '.join(sorted(known.values()))}."
            )
        result.append((known[_key(ours)], theirs.strip()))
    return result


def _key(name: str) -> str:
    """Name without what spellings differ in; of single letters (l, B) the case matters."""
    name = re.sub(r"\s+", "_", name.strip().strip('"').rstrip("*_"))
    return name.casefold() if len(name) > 1 else name


SOURCES = TableNames(
    {**{ours: _STAR.get(ours, ()) for ours in ARCHIVE_COLUMNS}, "ref_epoch": _EPOCH}, REQUIRED_COLUMNS
)
"""Tables of Gaia sources, from which cones are cut."""

MEMBERS = TableNames(
    {
        "source_id": IDENTIFIER,
        "PMemb": PROBABILITY,
        "cluster": CLUSTER,
        **{ours: _STAR[ours] for ours in _LISTED},
        "ref_epoch": _EPOCH,
    },
    ("source_id", "PMemb", "cluster"),
)
"""Member lists."""

PARAMETERS = TableNames(
    {
        "name": ("Name", "Cluster", *CLUSTER),
        "ra": _RA,
        "dec": _DEC,
        "pmra": _PMRA,
        "pmdec": _PMDEC,
        "parallax": _PARALLAX,
        **_SCATTER,
        "age": AGE,
        "a0": A0,
        "dist": DISTANCE,
    },
    ("name", "ra", "dec", "pmra", "pmdec", "parallax"),
)
"""Tables of cluster parameters."""
