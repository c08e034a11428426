"""Ages from light curves judged on known clusters and given to others, saved and drawn."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaia_oc_amd.figures import save_and_show
from gaia_oc_amd.files.data_directory import locked, write_json
from gaia_oc_amd.files.provenance import made_by
from gaia_oc_amd.files.tables import write_csv
from gaia_oc_amd.light_curves.ages import CHOSEN, MODELS, Judgement, judge_ages, predict_ages
from gaia_oc_amd.light_curves.options import LightCurveAgeOptions
from gaia_oc_amd.light_curves.plots import WORDS, ages_figure, curves_figure, skill_figure
from gaia_oc_amd.light_curves.prior import AGES_FILE, FOLDER
from gaia_oc_amd.light_curves.simulated import simulate_light_curves
from gaia_oc_amd.light_curves.tables import LightCurves, read_light_curves
from gaia_oc_amd.options import RunOptions

logger = logging.getLogger(__name__)

SKILL_FILE = "light_curve_skill.json"
KNOWN_FILE = "known_ages.csv"
FEATURES_FILE = "light_curve_features.csv"
_NAMED = 5
"""Most clusters that a message names."""


def estimate_ages(
    data_dir: Path | str = "data",
    options: LightCurveAgeOptions = LightCurveAgeOptions(),
    *,
    seed: int = RunOptions.seed,
    command: str = "",
) -> str:
    """Judge, predict, save and draw ages from light curves; results go to ``light_curves`` in the data directory.

    Parameters
    ----------
    data_dir : path
        The data directory.
    options : LightCurveAgeOptions
        What estimate_light_curve_age.py takes.
    seed : int
        Of everything random.
    command : str
        Shell command that does it.

    Returns
    -------
    str
        Text for the screen: the verdict first.

    Raises
    ------
    ClusterError, OSError, ValueError
        If there are too few light curves with ages, or a file is damaged.
    """
    known, wanted = _read(options, seed)
    folder = Path(data_dir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        judgement = judge_ages(known, options.learning, seed=seed)
        ages = None if wanted is None else predict_ages(judgement, wanted, seed=seed)
        write_csv(folder / KNOWN_FILE, judgement.predictions)
        whole = judgement.examples[judgement.examples["is_sector"]]
        write_csv(folder / FEATURES_FILE, whole.drop(columns=["is_sector", "weight"]))
        if ages is None:
            (folder / AGES_FILE).unlink(missing_ok=True)  # those of an earlier judgement
        else:
            write_csv(folder / AGES_FILE, ages)
            _warn_of_learned(ages)
        write_json(folder / SKILL_FILE, _record(judgement, options, command))
        if options.figures.wanted():
            figures = {
                "light_curves": curves_figure(known),
                "light_curve_ages": ages_figure(judgement),
                "light_curve_skill": skill_figure(judgement),
            }
            save_and_show(figures, folder, options.figures)
    return summary(judgement, ages)


def _read(options: LightCurveAgeOptions, seed: int) -> tuple[LightCurves, LightCurves | None]:
    given = options.light_curves
    if given.curves.strip().lower() == "simulated":
        known = simulate_light_curves(rng=np.random.default_rng(seed))
    else:
        known = read_light_curves(given.curves, given, ages=given.ages)
    wanted = None if given.predict is None else read_light_curves(given.predict, given)
    return known, wanted


def _warn_of_learned(ages: pd.DataFrame) -> None:
    learned = ages.loc[ages["learned_from"], "cluster"].tolist()
    if learned:
        more = f" and {len(learned) - _NAMED} more" if len(learned) > _NAMED else ""
        logger.warning(
            "%s%s: their ages are known with --curves, and the models learn from them. The ages here are those of "
            "%s, by models that learned from the other clusters alone.",
            ", ".join(learned[:_NAMED]),
            more,
            KNOWN_FILE,
        )


def _record(judgement: Judgement, options: LightCurveAgeOptions, command: str) -> dict[str, object]:
    searched = {
        name: {"parameters": parameters, "error": error}
        for name, (parameters, error) in judgement.parameters.items()
    }
    return {
        "skills": judgement.skills.to_dict(orient="records"),
        "within_network_width": judgement.within_width,
        "models": searched,
        "simulated": options.light_curves.curves.strip().lower() == "simulated",
    } | made_by(command, options, "light_curves", "learning")


def verdict(judgement: Judgement, galaxy: str) -> str:
    """Whether light curves tell the ages of a galaxy's clusters, in one sentence with the figures behind it."""
    over_median = judgement.skill(galaxy)
    figures = (
        f"mean error {over_median['error']:.2f} dex, of the median age {over_median['baseline_error']:.2f} dex; skill "
        f"{_interval(over_median)}"
    )
    clusters = f"{int(over_median['n_clusters'])} {galaxy} clusters"
    if over_median["lower"] <= 0:
        return f"No skill: light curves of {clusters} do not tell their ages better than the median does ({figures})."
    over_brightness = judgement.skill(galaxy, over="brightness")
    if over_brightness["lower"] <= 0:
        return (
            f"Skill, but no more than brightness alone has: {clusters} ({figures}; over brightness "
            f"{_interval(over_brightness)})."
        )
    return f"Skill: {clusters} ({figures}; over brightness alone {_interval(over_brightness)})."


def _interval(skill: pd.Series) -> str:
    return f"{100 * skill['skill']:.0f} % (95 %: {100 * skill['lower']:.0f} to {100 * skill['upper']:.0f} %)"


def summary(judgement: Judgement, ages: pd.DataFrame | None) -> str:
    """Verdicts, the table of all models, and the ages that were asked for, as text."""
    galaxies = sorted(set(judgement.predictions["galaxy"]))
    if ages is not None:  # those that are asked for come first
        asked = set(ages["galaxy"])
        galaxies = sorted(galaxies, key=lambda galaxy: (galaxy not in asked, galaxy))
    lines = [verdict(judgement, galaxy) for galaxy in galaxies]
    lines.append("")
    lines.append(f"{'galaxy':<8}{'model':<22}{'error [dex]':>12}{'width [dex]':>13}{'skill':>30}")
    for galaxy in galaxies:
        for name in ("brightness", *MODELS, CHOSEN):
            row = judgement.skill(galaxy, model=name)
            lines.append(
                f"{galaxy:<8}{WORDS[name]:<22}{row['error']:>12.2f}{row['width']:>13.2f}{_interval(row):>30}"
            )
    lines.append(
        f"Ages within the Gaussian network's own width: {100 * judgement.within_width:.0f} % of the clusters (68 % "
        "where it is right)."
    )
    for _, row in (ages if ages is not None else pd.DataFrame()).iterrows():
        worth = "" if row["has_skill"] else "; no better than the median age"
        lines.append(
            f"{row['cluster']}: log age {row['light_curve_age']:.2f} +- {row['light_curve_age_error']:.2f} "
            f"(median of {row['galaxy']} {row['median_age']:.2f}{worth})"
        )
    return "\n".join(lines)
