"""The options of the search for a cluster's first members: its field, which stars count, how groups are found."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import (
    WHOLE_FIGURES,
    ConeOptions,
    FigureOptions,
    Method,
    Options,
    TablePaths,
    option,
    part,
    require,
)


@dataclass(frozen=True)
class FieldOptions(Options):
    """Where a search looks."""

    title = "Input: where a search looks"

    ra: float | None = option(
        None,
        "right ascension of the one cluster named [deg] (default: of the parameter table, else of Sesame)",
        at_least=0,
        at_most=360,
    )
    dec: float | None = option(None, "its declination [deg]", at_least=-90, at_most=90)
    radius: float | None = option(
        None,
        "radius of the field [deg] (default: that of search_pc where the distance is known, within 0.1 to 2, else 0.3)",
        above=0,
        at_most=20,
    )
    search_pc: float = option(
        15.0, "radius of the field at the distance of a cluster that the table knows [pc]", above=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require((self.ra is None) == (self.dec is None), self, "ra", "given together with dec")


@dataclass(frozen=True)
class QualityOptions(Options):
    """Which stars of the field take part in the search; faint stars dilute it, build_sets finds them later.

    A good astrometric solution has u = sqrt(chi2 / (n - 5)) below 1.2 max(1, exp(-0.2 (G - 19.5))), or a RUWE below
    `max_ruwe` where the table lacks chi2. The flux excess factor must lie between 1 + 0.015 c^2 and 1.3 + 0.06 c^2,
    c = BP - RP.
    """

    title = "Selection: stars that take part"

    search_g_max: float = option(
        18.0, "faint limit of the stars among which groups are looked for [mag]", above=5, finite=False
    )
    astrometric_quality: bool = option(
        True, "leave out bad astrometric solutions, by unit weight error or RUWE"
    )
    max_ruwe: float = option(1.4, "largest RUWE", above=0, finite=False)
    flux_excess: bool = option(True, "leave out stars whose BP and RP fluxes do not fit their G flux")
    min_parallax_snr: float = option(
        float("-inf"),
        "smallest parallax over error; distant clusters need -inf, the default",
        finite=False,
    )
    min_flux_snr: float = option(10.0, "smallest flux over error in G, BP and RP", at_least=0, finite=False)


Features = Literal["motions", "divided"]
"""What K-Means and Deep Embedded Clustering look at."""
Start = Literal["kmeans", "dbscan", "hdbscan"]
"""What gives Deep Embedded Clustering its first groups."""


@dataclass(frozen=True)
class SearchOptions(Options):
    """How groups are found and judged.

    Runs differ in errors, samples or seeds. A control is the same field without any clustering.
    """

    title = "Selection: groups"

    method: Method = option("hdbscan", "how groups are found")
    n_runs: int = option(20, "repeated runs whose agreement is PMemb", at_least=1, at_most=1000)
    n_controls: int = option(
        20,
        "copies of the field with shuffled places, which measure the significance",
        at_least=5,
        at_most=1000,
    )
    min_significance: float = option(
        5.0, "a group less significant than this [sigma] is not called a cluster", at_least=0, finite=False
    )
    population_significance: float = option(
        3.0,
        "the same for a group whose colours and magnitudes are those of one population, where no other is found",
        at_least=0,
        finite=False,
    )
    use_catalogue_motion: bool = option(
        True, "let the mean motion and parallax of the parameter table help to choose the group"
    )
    min_group_size: int = option(10, "stars in the smallest group", at_least=5)
    position_weight: float = option(
        0.0,
        "weight of positions beside motion and parallax in the search of hdbscan and gmm",
        at_least=0,
        below=100,
    )
    features: Features = option(
        "motions",
        "kmeans and dec: motions takes proper motions and parallax; divided also takes proper motion over parallax, "
        "its modulus and its angle, of stars with a parallax of 5 sigma",
    )
    dec_start: Start = option("kmeans", "how dec finds its first groups in its latent space")
    tails: float = option(
        0.0,
        "share of the group's distribution in motion and parallax that is left out at each end; DECOCC takes 0.1",
        at_least=0,
        below=0.5,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        is_divider = self.method in ("kmeans", "dec")
        require(
            is_divider or self.features == "motions",
            self,
            "features",
            "motions unless --method is kmeans or dec",
        )
        require(
            self.method == "dec" or self.dec_start == "kmeans",
            self,
            "dec_start",
            "kmeans unless --method is dec",
        )


@dataclass(frozen=True)
class FindOptions(Options):
    """Of find_first_members.py."""

    field: FieldOptions = part(FieldOptions())
    quality: QualityOptions = part(QualityOptions())
    search: SearchOptions = part(SearchOptions())
    cone: ConeOptions = part(ConeOptions(), "cone_source", "cone_format", "overwrite_cone")
    paths: TablePaths = part(
        TablePaths(),
        "catalogue",
        "cluster_path",
        "isochrone_path",
        "isochrone_rotation",
        "credentials_path",
        "columns",
    )
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
    fit_isochrone: bool = option(
        False, "fit age, extinction and distance to the colours and magnitudes of the members"
    )
    overwrite: bool = option(False, "search again, even if it was done with the same options")
