"""The options of ages from light curves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gaia_oc_amd.options import WHOLE_FIGURES, FigureOptions, Options, option, part


@dataclass(frozen=True)
class LightCurveOptions(Options):
    """Which light curves are learned from, and which clusters' ages are asked for.

    TESS took its full frames every 30 minutes at first, every 10 and every 200 seconds later. A shorter exposure is
    noisier, and its light curve more correlated from point to point: all are binned to one cadence first.
    """

    title = "Input"

    curves: str = option(
        "simulated",
        "light curves of clusters whose ages are known: a table, an ELK file, a folder of them, or simulated",
    )
    ages: Path | None = option(
        None, "table of cluster, galaxy and log_age, where the light curves do not say them"
    )
    predict: Path | None = option(
        None, "light curves of clusters whose ages are wanted: a table, an ELK file or a folder"
    )
    galaxy: str = option("MW", "galaxy of the clusters to predict, where their table does not say it")
    cadence: float = option(30.0, "light curves are binned to this [min]", at_least=1, at_most=1440)
    n_min_points: int = option(200, "fewest bins of a light curve that is used", at_least=50)


@dataclass(frozen=True)
class LearningOptions(Options):
    """How ages are learned from features.

    Folds are of clusters: all sectors of a cluster stand on the same side. The search for hyper-parameters sees the
    training folds only.
    """

    title = "Learning"

    pieces: Literal["sectors", "half_sectors"] = option(
        "sectors", "what is learned from: sectors, or also both halves of each; sectors are judged"
    )
    n_noisy: int = option(0, "copies of each piece with noise added", at_least=0, at_most=20)
    n_folds: int = option(5, "folds that judge the ages", at_least=2, at_most=20)
    n_inner_folds: int = option(3, "folds of the search for hyper-parameters", at_least=2, at_most=10)
    n_search: int = option(4, "sets of hyper-parameters that are tried", at_least=1, at_most=200)
    n_bootstrap: int = option(2000, "samples of clusters behind the intervals", at_least=100)


@dataclass(frozen=True)
class LightCurveAgeOptions(Options):
    """Of estimate_light_curve_age.py."""

    light_curves: LightCurveOptions = part(LightCurveOptions())
    learning: LearningOptions = part(LearningOptions())
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
