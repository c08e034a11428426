"""The options of the validation."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gaia_oc_amd.options import (
    ACCEPT_CHANGES,
    SHIPPED_MODEL,
    WHOLE_FIGURES,
    FigureOptions,
    Options,
    SamplingOptions,
    TablePaths,
    option,
    part,
    require,
)


@dataclass(frozen=True)
class ValidationOptions(Options):
    """How completeness and contamination of a cluster's member list are measured."""

    title = "Validation"

    n_artificial: int = option(
        3000,
        "artificial members to inject, divided equally among the bins of G",
        at_least=10,
        at_most=1_000_000,
    )
    n_controls: int = option(
        4, "controls; with 0 only the mean of 1 - p is measured", at_least=0, at_most=100
    )
    prob_threshold: float | None = option(
        None, "smallest probability of a member (default: that of the evaluation)", above=0, at_most=1
    )
    removal_threshold: float = option(
        0.1, "stars of at least this probability are removed before a control is judged", above=0, at_most=1
    )
    binary_fraction: float = option(
        0.3,
        "fraction of artificial members of 0.7 Msun with an unresolved companion",
        at_least=0,
        at_most=1,
    )
    magnitude_edges: tuple[float, ...] = option(
        (0.0, 14.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0), "edges of the bins of G [mag]"
    )
    radius_edges: tuple[float, ...] = option(
        (0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0), "edges of the bins of projected radius [pc]"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("magnitude_edges", "radius_edges"):
            edges = getattr(self, name)
            rising = len(edges) > 1 and all(low < high for low, high in pairwise(edges))
            require(rising and max(map(abs, edges)) < float("inf"), self, name, "two or more rising numbers")


@dataclass(frozen=True)
class ValidateOptions(Options):
    """Of validate_clusters.py."""

    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    validation: ValidationOptions = part(ValidationOptions())
    sampling: SamplingOptions = part(SamplingOptions(), "probability", "n_samples", "size_support_set")
    paths: TablePaths = part(TablePaths(), "isochrone_path", "isochrone_rotation")
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
    overwrite: bool = option(False, "validate again, even if it was done with the same model and options")
    accept_changes: bool = option(False, ACCEPT_CHANGES)
