"""Published catalogues of open clusters, as data: where their tables are on VizieR, and what their columns are called.

Each table says in ``known_from`` how its identifier and columns were found out. Nothing here has met live VizieR:
"ReadMe" means that a stored copy of the catalogue's ReadMe at the CDS was read, "public code" that programs which
query VizieR name the same table and columns, "memory" that neither was found. Columns have spellings to choose from
because VizieR's names differ from those of the ReadMe (RA_ICRS for RAdeg) and have changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gaia_oc_amd.column_names import DEC, MOTION, RA
from gaia_oc_amd.options import CLUSTER_PARAMETERS, Options, option

VIZIER = "vizier.cds.unistra.fr"
"""Host of VizieR, where the catalogues are."""

CMD_FORM = "http://stev.oapd.inaf.it/cgi-bin/cmd"
"""Web form that gives PARSEC isochrones."""


@dataclass(frozen=True)
class PublishedTable:
    """One table of a catalogue.

    Parameters
    ----------
    table : str
        Identifier on VizieR; that of a whole catalogue where the table's own is not known, then the first table that
        has the columns is taken.
    file_name : str
        Name in the data directory.
    kind : {'members', 'parameters'}
        What it lists.
    reference : str
        The paper.
    known_from : str
        How identifier and columns were found out.
    columns : mapping of str to tuple of str
        Our column name, and the names it may have on VizieR in order of preference. Case does not matter,
        and ``*`` equals ``_``, which some clients write in its place.
    optional_columns : mapping of str to tuple of str
        The same for columns that are left out where the table lacks them.
    constants : mapping of str to float
        Values of columns that the table does not have, the same in all rows.
    release : {'DR2', 'DR3'}
        Whose identifiers it has; those of EDR3 and DR3 are the same.
    """

    table: str
    file_name: str
    kind: Literal["members", "parameters"]
    reference: str
    known_from: str
    columns: Mapping[str, tuple[str, ...]]
    optional_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)
    release: Literal["DR2", "DR3"] = "DR3"


@dataclass(frozen=True)
class Catalogue:
    """A published catalogue: its member list, its cluster parameters, or both.

    Parameters
    ----------
    key : str
        Short name, as ``--catalogues`` and ``--catalogue`` take it.
    content : str
        What is in it and how much, for the help.
    members, parameters : PublishedTable, optional
        Its tables. ``build_sets.py --catalogue`` takes the one that a catalogue lacks from `CG18` or `CG20`.
    """

    key: str
    content: str
    members: PublishedTable | None = None
    parameters: PublishedTable | None = None

    @property
    def tables(self) -> tuple[PublishedTable, ...]:
        """Those of its tables that there are."""
        return tuple(table for table in (self.parameters, self.members) if table)


_CG18 = "Cantat-Gaudin et al. (2018), A&A 618, A93"
_CG20 = "Cantat-Gaudin et al. (2020), A&A 640, A1"
_T22 = "Tarricq et al. (2022), A&A 659, A59"
_HUNT23 = "Hunt & Reffert (2023), A&A 673, A114"
_HUNT24 = "Hunt & Reffert (2024), A&A 686, A42"
_DIAS21 = "Dias et al. (2021), MNRAS 504, 356"
_CASTRO22 = "Castro-Ginard et al. (2022), A&A 661, A118"
_GROENINGEN23 = "van Groeningen et al. (2023), A&A 675, A68"

_STAR = {"ra": RA, "dec": DEC, **MOTION, "phot_g_mean_mag": ("Gmag",)}
"""For matching by position, and for standard deviations that a parameter table lacks."""

_CENTRE = {"ra": RA, "dec": DEC, **MOTION}
# standard deviations of the members; in Hunt & Reffert's tables e_ stands for the error of the mean
_SCATTER = {
    "pmra_error": ("s_pmRA*", "s_pmRA"),
    "pmdec_error": ("s_pmDE",),
    "parallax_error": ("s_plx",),
}
_E_IS_SCATTER = {
    "pmra_error": ("s_pmRA*", "s_pmRA", "e_pmRA*", "e_pmRA"),
    "pmdec_error": ("s_pmDE", "e_pmDE"),
    "parallax_error": ("s_plx", "e_plx"),
}

# Hunt & Reffert: 50th, 16th and 84th percentiles of log age [yr], A_V [mag] and distance [pc];
# type is o open cluster, m moving group, g globular cluster, d too distant to classify, r rejected
_HUNT_PARAMETERS = {
    "name": ("Name",),
    **_CENTRE,
    **_SCATTER,
    "age": ("logAge50",),
    "a0": ("AV50",),
    "dist": ("dist50",),
}
_HUNT_OPTIONAL = {
    "type": ("Type",),
    "radial_velocity": ("RV",),
    "radial_velocity_error": ("e_RV",),
    **{f"age_{level}": (f"logAge{level}",) for level in (16, 84)},
    **{f"a0_{level}": (f"AV{level}",) for level in (16, 84)},
    **{f"dist_{level}": (f"dist{level}",) for level in (16, 84)},
}
# DR3 identifiers need no match by position: three columns keep 1.3 million rows small
_HUNT_MEMBERS = {"cluster": ("Name",), "source_id": ("GaiaDR3",), "PMemb": ("Prob",)}


CG20_PARAMETERS = PublishedTable(
    table="J/A+A/640/A1/table1",
    file_name=CLUSTER_PARAMETERS,
    kind="parameters",
    reference=_CG20,
    known_from="public code (table, AgeNN, AVNN, DistPc); memory (s_ or e_ before the standard deviations)",
    columns={
        "name": ("Cluster", "Name"),
        **_CENTRE,
        **_E_IS_SCATTER,
        "age": ("AgeNN", "logAgeNN"),
        "a0": ("AVNN",),
        "dist": ("DistPc", "Dist"),
    },
)
CG18_MEMBERS = PublishedTable(
    table="J/A+A/618/A93/members",
    file_name="cg18_members.csv",
    kind="members",
    reference=_CG18,
    known_from="public code; Gaia DR2 identifiers",
    release="DR2",
    columns={"cluster": ("Cluster",), "source_id": ("Source", "GaiaDR2"), "PMemb": ("PMemb", "Proba")},
    optional_columns=_STAR,
)
CG20_MEMBERS = PublishedTable(
    table="J/A+A/640/A1/nodup",
    file_name="cg20_members.csv",
    kind="members",
    reference=_CG20,
    known_from="public code; Gaia DR2 identifiers",
    release="DR2",
    columns={"cluster": ("Cluster",), "source_id": ("GaiaDR2", "Source"), "PMemb": ("Proba", "PMemb")},
    optional_columns=_STAR,
)
T22_MEMBERS = PublishedTable(
    table="J/A+A/659/A59/table2",
    file_name="t22_members.csv",
    kind="members",
    reference=_T22,
    known_from="public code; Gaia EDR3 identifiers",
    columns={"cluster": ("Cluster",), "source_id": ("GaiaEDR3", "Source"), "PMemb": ("Proba", "PMemb")},
    optional_columns=_STAR,
)
HUNT23_PARAMETERS = PublishedTable(
    table="J/A+A/673/A114/clusters",
    file_name="hunt23_parameters.csv",
    kind="parameters",
    reference=_HUNT23,
    known_from="public code (Name, Type, logAge50, AV50, dist50); memory (RV, e_RV); the rest as in the ReadMe of "
    "J/A+A/686/A42",
    columns=_HUNT_PARAMETERS,
    optional_columns=_HUNT_OPTIONAL,
)
HUNT23_MEMBERS = PublishedTable(
    table="J/A+A/673/A114/members",
    file_name="hunt23_members.csv",
    kind="members",
    reference=_HUNT23,
    known_from="public code; Gaia DR3 identifiers",
    columns=_HUNT_MEMBERS,
)
HUNT24_PARAMETERS = PublishedTable(
    table="J/A+A/686/A42/clusters",
    file_name="hunt24_parameters.csv",
    kind="parameters",
    reference=_HUNT24,
    known_from="ReadMe of 08-Mar-2024; memory (RV, e_RV)",
    columns=_HUNT_PARAMETERS,
    optional_columns=_HUNT_OPTIONAL,
)
HUNT24_MEMBERS = PublishedTable(
    table="J/A+A/686/A42/members",
    file_name="hunt24_members.csv",
    kind="members",
    reference=_HUNT24,
    known_from="ReadMe of 08-Mar-2024; Gaia DR3 identifiers",
    columns=_HUNT_MEMBERS,
)
DIAS21_PARAMETERS = PublishedTable(
    table="J/MNRAS/504/356/table12",
    file_name="dias21_parameters.csv",
    kind="parameters",
    reference=_DIAS21,
    # e_ is the size of the members' scatter there: 0.135 and 0.141 mas/yr, 0.055 mas for ASCC_107 (59 members)
    known_from="a printed copy of the table with its units (dist in pc, age in log10(yr), A_V in mag)",
    columns={
        "name": ("Cluster",),
        **_CENTRE,
        **_E_IS_SCATTER,
        "age": ("logage",),
        "a0": ("Av",),
        "dist": ("Dist",),
    },
)
CASTRO22_PARAMETERS = PublishedTable(
    table="J/A+A/661/A118/table1",
    file_name="castro22_parameters.csv",
    kind="parameters",
    reference=_CASTRO22,
    known_from="ReadMe of 11-Apr-2022 (dist in pc, age in log10(yr), AV without a unit)",
    columns={
        "name": ("Cluster",),
        **_CENTRE,
        **_SCATTER,
        "age": ("logAge",),
        "a0": ("AV",),
        "dist": ("Dist",),
    },
)
CASTRO22_MEMBERS = PublishedTable(
    table="J/A+A/661/A118/table2",
    file_name="castro22_members.csv",
    kind="members",
    reference=_CASTRO22,
    known_from="ReadMe of 11-Apr-2022; Gaia EDR3 identifiers, no probabilities",
    columns={"cluster": ("Cluster",), "source_id": ("GaiaEDR3",)},
    optional_columns=_STAR,
    constants={"PMemb": 1.0},
)
GROENINGEN23_MEMBERS = PublishedTable(
    table="J/A+A/675/A68",
    file_name="groeningen23_members.csv",
    kind="members",
    reference=_GROENINGEN23,
    known_from="the paper (identifier of the catalogue); memory of what such tables call their columns",
    columns={
        "cluster": ("Cluster", "Name", "OC"),
        "source_id": ("GaiaDR3", "Source", "GaiaEDR3"),
        "PMemb": ("PMemb", "Pmemb", "Prob", "Proba", "Memb"),
    },
    optional_columns=_STAR,
)

CATALOGUES = (
    Catalogue("parameters", f"parameters of 2,017 clusters, {_CG20}", parameters=CG20_PARAMETERS),
    Catalogue("cg18", f"0.4 million members of 1,229 clusters, {_CG18}", members=CG18_MEMBERS),
    Catalogue(
        "cg20",
        f"0.2 million members and the parameters of 2,017 clusters, {_CG20}",
        members=CG20_MEMBERS,
        parameters=CG20_PARAMETERS,
    ),
    Catalogue("t22", f"0.14 million members of 389 clusters, {_T22}", members=T22_MEMBERS),
    Catalogue(
        "hunt23",
        f"1.3 million members and parameters of 7,167 clusters of all types, {_HUNT23}",
        members=HUNT23_MEMBERS,
        parameters=HUNT23_PARAMETERS,
    ),
    Catalogue(
        "hunt24",
        f"the same with types revised by their masses, {_HUNT24}",
        members=HUNT24_MEMBERS,
        parameters=HUNT24_PARAMETERS,
    ),
    # its member lists are one file a cluster at the CDS, not a table
    Catalogue("dias21", f"parameters of 1,743 clusters, {_DIAS21}", parameters=DIAS21_PARAMETERS),
    Catalogue(
        "castro22",
        f"25,466 members, without probabilities, and parameters of 628 clusters, {_CASTRO22}",
        members=CASTRO22_MEMBERS,
        parameters=CASTRO22_PARAMETERS,
    ),
    Catalogue("groeningen23", f"members found by Deep Sets, {_GROENINGEN23}", members=GROENINGEN23_MEMBERS),
)
"""The catalogues, in the order in which the help lists them."""

KEYS = tuple(catalogue.key for catalogue in CATALOGUES)
DEFAULT_KEYS = ("parameters", "cg18", "cg20", "t22")
"""Those that are downloaded if none is named."""


def find_catalogue(key: str) -> Catalogue:
    """Catalogue of a short name.

    Parameters
    ----------
    key : str
        One of `KEYS`.

    Returns
    -------
    Catalogue

    Raises
    ------
    ValueError
        If there is none.
    """
    for catalogue in CATALOGUES:
        if catalogue.key == key:
            return catalogue
    raise ValueError(f"there is no catalogue {key!r}: choose among {', '.join(KEYS)}.")


@dataclass(frozen=True)
class CatalogueDownload(Options):
    """Of download_members_and_cluster_params.py."""

    catalogues: tuple[str, ...] = option(DEFAULT_KEYS, "which ones of the list above")
    overwrite: bool = option(False, "replace existing files")
    server: str = option(VIZIER, "host name of VizieR or of one of its mirrors")


@dataclass(frozen=True)
class IsochroneDownload(Options):
    """Of download_isochrones.py."""

    log_age_min: float = option(6.0, "first log10 of the age [yr]")
    log_age_max: float = option(9.99, "last log10 of the age [yr]")
    log_age_step: float = option(0.01, "step in log10 of the age; at most 400 isochrones are given at once")
    metal_frac: float = option(0.0152, "metal fraction Z")
    overwrite: bool = option(False, "replace an existing file")
    url: str = option(CMD_FORM, "address of the CMD web form")
