"""The options of the search for a cluster's first members: its field, which stars count, how groups are found."""

from dataclasses import dataclass
from typing import Literal

from gaia_oc_amd.options import require


@dataclass(frozen=True)
class FieldOptions:
    """Where a search looks.

    Parameters
    ----------
    ra, dec : float, optional
        Centre [deg]; without them the name is looked up in the parameter table, then asked of Sesame.
    radius : float, optional
        Radius on the sky [deg]; without it that of `search_pc` at the cluster's distance where the table has one,
        within 0.1 to 2 deg, else 0.3 deg.
    search_pc : float
        Radius at the cluster's distance [pc].
    """

    ra: float | None = None
    dec: float | None = None
    radius: float | None = None
    search_pc: float = 15.0

    def __post_init__(self) -> None:
        require((self.ra is None) == (self.dec is None), self, "ra", "given together with dec")
        require(self.ra is None or 0 <= self.ra <= 360, self, "ra", "between 0 and 360")
        require(self.dec is None or -90 <= self.dec <= 90, self, "dec", "between -90 and 90")
        require(self.radius is None or 0 < self.radius <= 20, self, "radius", "in (0, 20] deg")
        require(0 < self.search_pc < float("inf"), self, "search_pc", "greater than 0 and finite")


@dataclass(frozen=True)
class QualityOptions:
    """Which stars of the field take part in the search; faint stars dilute it, build_sets finds them later.

    Parameters
    ----------
    search_g_max : float
        Faint limit [mag].
    astrometric_quality : bool
        Whether bad astrometric solutions are left out: u = sqrt(chi2 / (n - 5)) must be less than
        1.2 max(1, exp(-0.2 (G - 19.5))), or RUWE less than `max_ruwe` where the table lacks chi2.
    max_ruwe : float
        Largest RUWE.
    flux_excess : bool
        Whether the flux excess factor must lie between 1 + 0.015 c^2 and 1.3 + 0.06 c^2, c = BP - RP.
    min_parallax_snr : float
        Least parallax over error; -inf keeps all, as distant clusters need.
    min_flux_snr : float
        Least flux over error in G, BP and RP.
    """

    search_g_max: float = 18.0
    astrometric_quality: bool = True
    max_ruwe: float = 1.4
    flux_excess: bool = True
    min_parallax_snr: float = float("-inf")
    min_flux_snr: float = 10.0

    def __post_init__(self) -> None:
        require(self.max_ruwe > 0, self, "max_ruwe", "greater than 0")
        require(self.min_flux_snr >= 0, self, "min_flux_snr", "at least 0")
        require(self.search_g_max > 5, self, "search_g_max", "greater than 5")


Method = Literal["hdbscan", "gmm", "kmeans", "dec"]
"""Ways to find groups, see docs/first_members.md."""


@dataclass(frozen=True)
class SearchOptions:
    """How groups are found and judged.

    Parameters
    ----------
    method : str
        How groups are found.
    n_runs : int
        Runs with other errors, samples or seeds, whose agreement is PMemb.
    n_controls : int
        Controls that the significance is measured with: the same field without any clustering.
    min_significance : float
        A group less significant than this is not called a cluster.
    use_catalogue_motion : bool
        Whether the mean motion and parallax that the parameter table has help to choose the group.
    min_group_size : int
        Stars in the smallest group.
    position_weight : float
        Weight of the position on the sky beside motion and parallax in the search of HDBSCAN and of the mixture.
    """

    method: Method = "hdbscan"
    n_runs: int = 20
    n_controls: int = 20
    min_significance: float = 5.0
    use_catalogue_motion: bool = True
    min_group_size: int = 10
    position_weight: float = 0.0

    def __post_init__(self) -> None:
        require(1 <= self.n_runs <= 1000, self, "n_runs", "between 1 and 1000")
        require(5 <= self.n_controls <= 1000, self, "n_controls", "between 5 and 1000")
        require(self.min_group_size >= 5, self, "min_group_size", "at least 5")
        require(self.min_significance >= 0, self, "min_significance", "at least 0")
        require(0 <= self.position_weight < 100, self, "position_weight", "in [0, 100)")


@dataclass(frozen=True)
class FirstMembersOptions:
    """How build_sets finds the members that it learns from, where no list has them.

    Parameters
    ----------
    find_first_members : bool
        Whether members and parameters are found in the cluster's field instead of read from lists.
    method : str
        How groups are found.
    search_radius : float, optional
        Radius of the field [deg]; see `FieldOptions`.
    first_prob_threshold : float
        Smallest PMemb of a found star that is a training member: a share of runs, which seldom is 1.
    """

    find_first_members: bool = False
    method: Method = "hdbscan"
    search_radius: float | None = None
    first_prob_threshold: float = 0.8

    def __post_init__(self) -> None:
        require(0 <= self.first_prob_threshold <= 1, self, "first_prob_threshold", "between 0 and 1")
        require(
            self.search_radius is None or 0 < self.search_radius <= 20,
            self,
            "search_radius",
            "in (0, 20] deg",
        )
