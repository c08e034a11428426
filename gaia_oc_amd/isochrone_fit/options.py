"""The options of the isochrone fit: where its defaults stand and their bounds are checked."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import require


@dataclass(frozen=True)
class IsochroneFitOptions:
    """How age, extinction and distance are fitted to a colour-magnitude diagram.

    Parameters
    ----------
    colour : {'bp_rp', 'g_rp'}
        Colour of the diagram.
    metal_fraction : float
        Z; the isochrones with the nearest one are fitted, and its uncertainty is not in the errors.
    colour_width, g_width : float
        Scatter of members about their place that neither errors nor companions explain [mag]: rotation, errors of
        the models.
    reddening_width : float
        Scatter of the extinction over the cluster's face, relative to A0.
    binary_fraction : float
        Fraction of stars with an unresolved companion, of mass ratios uniform in 0 to 1.
    outlier_fraction : float
        Share of the stars with weight 1 that lie anywhere in the diagram.
    n_independent : float
        However many stars there are, their likelihood counts like that of fewer than so many: the errors of the
        models (metallicity, colours, rotation) are common to all stars and no number of them averages them out.
    parallax_systematic : float
        Error that the mean parallax has however many stars it is of [mas].
    max_a0 : float
        Largest extinction [mag].
    a0_scale : float
        The prior of the extinction falls as exp(-A0 / a0_scale) [mag].
    g_limit : float
        Fainter stars are left out [mag].
    n_min_stars, n_max_stars : int
        Fewest stars that are fitted; of more than the most, so many are drawn at random.
    """

    colour: Literal["bp_rp", "g_rp"] = "bp_rp"
    metal_fraction: float = 0.0152
    colour_width: float = 0.03
    g_width: float = 0.05
    reddening_width: float = 0.05
    binary_fraction: float = 0.4
    outlier_fraction: float = 0.1
    n_independent: float = 25.0
    parallax_systematic: float = 0.015
    max_a0: float = 6.0
    a0_scale: float = 3.0
    g_limit: float = 18.0
    n_min_stars: int = 10
    n_max_stars: int = 1000

    def __post_init__(self) -> None:
        require(0 < self.metal_fraction < 0.1, self, "metal_fraction", "between 0 and 0.1")
        for name in ("colour_width", "g_width"):
            require(0.005 <= getattr(self, name) <= 1, self, name, "between 0.005 and 1 mag")
        require(0 <= self.reddening_width <= 1, self, "reddening_width", "between 0 and 1")
        require(0 <= self.binary_fraction <= 1, self, "binary_fraction", "between 0 and 1")
        require(0 < self.outlier_fraction < 1, self, "outlier_fraction", "between 0 and 1, without the ends")
        require(self.n_independent > 0, self, "n_independent", "greater than 0")
        require(0 <= self.parallax_systematic <= 1, self, "parallax_systematic", "between 0 and 1 mas")
        require(0.1 <= self.max_a0 <= 20, self, "max_a0", "between 0.1 and 20 mag")
        require(self.a0_scale > 0, self, "a0_scale", "greater than 0")
        require(self.g_limit == self.g_limit, self, "g_limit", "a number")
        require(self.n_min_stars >= 5, self, "n_min_stars", "at least 5")
        require(self.n_max_stars >= self.n_min_stars, self, "n_max_stars", "at least n_min_stars")


@dataclass(frozen=True)
class FittedMembersOptions:
    """Which stars of a cluster are fitted.

    Parameters
    ----------
    prob_threshold : float
        Smallest membership probability of a star that is fitted; its PMemb is its weight.
    from_list : bool
        Whether the stars of the member list are fitted even where sets were built.
    """

    prob_threshold: float = 0.7
    from_list: bool = False

    def __post_init__(self) -> None:
        require(0 < self.prob_threshold <= 1, self, "prob_threshold", "greater than 0 and at most 1")
