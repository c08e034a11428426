"""The options of the isochrone fit."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import (
    ACCEPT_CHANGES,
    WHOLE_FIGURES,
    ConeOptions,
    FigureOptions,
    Options,
    TablePaths,
    option,
    part,
    require,
)


@dataclass(frozen=True)
class IsochroneFitOptions(Options):
    """How age, extinction and distance are fitted to a colour-magnitude diagram.

    The widths are scatter that neither errors nor companions explain: rotation, errors of the models. Companions
    have mass ratios uniform in 0 to 1. The errors of the models (metallicity, colours, rotation) are common to all
    stars and no number of stars averages them out: hence `n_independent`. The uncertainty of the metallicity is not
    in the errors.
    """

    title = "Fit"

    colour: Literal["bp_rp", "g_rp"] = option("bp_rp", "colour of the diagram")
    metal_fraction: float = option(
        0.0152, "metallicity Z; the isochrones of the nearest Z are fitted", above=0, below=0.1
    )
    colour_width: float = option(
        0.03,
        "scatter in colour that errors and companions do not explain [mag]",
        at_least=0.005,
        at_most=1,
    )
    g_width: float = option(0.05, "the same in G [mag]", at_least=0.005, at_most=1)
    reddening_width: float = option(
        0.05, "scatter of the extinction over the cluster, relative to A0", at_least=0, at_most=1
    )
    binary_fraction: float = option(
        0.4, "fraction of stars with an unresolved companion", at_least=0, at_most=1
    )
    outlier_fraction: float = option(
        0.1, "share of stars that may lie anywhere in the diagram", above=0, below=1
    )
    n_independent: float = option(
        25.0,
        "upper bound of the effective number of stars, because models err for all stars alike; inf trusts the models",
        above=0,
        finite=False,
    )
    parallax_systematic: float = option(
        0.015, "systematic error of the mean parallax [mas]", at_least=0, at_most=1
    )
    max_a0: float = option(6.0, "largest extinction [mag]", at_least=0.1, at_most=20)
    a0_scale: float = option(
        3.0, "the prior of the extinction falls as exp(-A0 / a0_scale) [mag]", above=0, finite=False
    )
    age_prior: float | None = option(
        None, "log10 of the age [yr] that is known from elsewhere", at_least=5, at_most=10.3
    )
    age_prior_error: float = option(0.3, "its standard error [dex]", above=0, at_most=5)
    g_limit: float = option(18.0, "fainter stars are left out [mag]", finite=False)
    n_min_stars: int = option(10, "smallest number of stars that are fitted", at_least=5)
    n_max_stars: int = option(
        1000, "largest number of stars that are fitted; of more stars this many are drawn at random"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.n_max_stars >= self.n_min_stars, self, "n_max_stars", "at least n_min_stars")


@dataclass(frozen=True)
class FittedMembersOptions(Options):
    """Which stars of a cluster are fitted; the PMemb of each is its weight."""

    title = "Selection: stars that are fitted"

    prob_threshold: float = option(
        0.7, "smallest membership probability of a star that is fitted", above=0, at_most=1
    )
    from_list: bool = option(False, "fit the stars of the member list even where sets were built")


@dataclass(frozen=True)
class FitOptions(Options):
    """Of fit_isochrone.py."""

    member: FittedMembersOptions = part(FittedMembersOptions())
    fit: IsochroneFitOptions = part(IsochroneFitOptions())
    paths: TablePaths = part(
        TablePaths(),
        "catalogue",
        "cluster_path",
        "members_path",
        "isochrone_path",
        "isochrone_rotation",
        "credentials_path",
        "columns",
    )
    cone: ConeOptions = part(ConeOptions(), "cone_source", "cone_radius")
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
    light_curve_age: bool = option(
        False,
        "take the age from estimate_light_curve_age.py as the prior, if light curves tell ages there",
    )
    overwrite: bool = option(False, "fit again, even if the same stars were fitted with the same options")
    accept_changes: bool = option(False, ACCEPT_CHANGES)

    def __post_init__(self) -> None:
        super().__post_init__()
        fit, usual = self.fit, IsochroneFitOptions
        given = (fit.age_prior, fit.age_prior_error) != (usual.age_prior, usual.age_prior_error)
        if self.light_curve_age and given:
            raise ValueError(
                "--light_curve_age gives the prior of the age and its error: leave it out, or --age_prior and "
                "--age_prior_error."
            )
