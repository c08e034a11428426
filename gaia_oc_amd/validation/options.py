"""The options of the validation: where its defaults stand and their bounds are checked."""

from dataclasses import dataclass
from itertools import pairwise

from gaia_oc_amd.options import require


@dataclass(frozen=True)
class ValidationOptions:
    """How completeness and contamination of a cluster's member list are measured.

    Parameters
    ----------
    n_artificial : int
        Artificial members that are injected, divided equally among the bins of G.
    n_controls : int
        Control clusters; 0 leaves the mean of 1 - p alone.
    prob_threshold : float
        Smallest PMemb of an accepted star.
    removal_threshold : float
        Candidates of at least this PMemb are taken away from the real cluster before a control is looked at.
    binary_fraction : float
        Fraction of artificial stars of 0.7 Msun with an unresolved companion.
    magnitude_edges : tuple of float
        Edges of the bins of G [mag].
    radius_edges : tuple of float
        Edges of the bins of projected radius [pc].
    """

    n_artificial: int = 3000
    n_controls: int = 4
    prob_threshold: float = 0.5
    removal_threshold: float = 0.1
    binary_fraction: float = 0.3
    magnitude_edges: tuple[float, ...] = (0.0, 14.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0)
    radius_edges: tuple[float, ...] = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0)

    def __post_init__(self) -> None:
        require(10 <= self.n_artificial <= 1_000_000, self, "n_artificial", "between 10 and 1,000,000")
        require(0 <= self.n_controls <= 100, self, "n_controls", "between 0 and 100")
        for name in ("prob_threshold", "removal_threshold"):
            require(0 < getattr(self, name) <= 1, self, name, "greater than 0 and at most 1")
        require(0 <= self.binary_fraction <= 1, self, "binary_fraction", "between 0 and 1")
        for name in ("magnitude_edges", "radius_edges"):
            edges = getattr(self, name)
            rising = len(edges) > 1 and all(low < high for low, high in pairwise(edges))
            require(rising and max(map(abs, edges)) < float("inf"), self, name, "two or more rising numbers")
