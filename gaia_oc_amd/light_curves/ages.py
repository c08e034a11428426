"""Ages learned from light curves, judged on clusters that were not learned from."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, ParameterSampler, StratifiedGroupKFold

from gaia_oc_amd.catalogues.names import canonical_name
from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.light_curves.features import FEATURES, features_of, half_sectors, with_noise
from gaia_oc_amd.light_curves.models import SPACES, build_model
from gaia_oc_amd.light_curves.options import LearningOptions
from gaia_oc_amd.light_curves.tables import LightCurves

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

BASELINES = ("median", "brightness")
"""What a model has to beat: the median age of its galaxy's clusters, and a forest that knows only their brightness.

Clusters of one galaxy stand at about one distance, and the young ones are bright."""
MODELS = tuple(SPACES)
CHOSEN = "chosen"
"""In each fold the model that did best within the training folds."""

_LEVELS = (2.5, 97.5)
_LEAST_CLUSTERS = 20
_SEEDS = 2**31


@dataclass(frozen=True)
class Judgement:
    """How far ages from light curves can be believed.

    Parameters
    ----------
    predictions : DataFrame
        cluster, galaxy, log_age, and the age that each model and baseline gives to the cluster when it is not learned
        from [log10 yr]; network_width, the width that the Gaussian network states.
    skills : DataFrame
        A row for each galaxy, model and baseline: n_clusters, error and baseline_error (mean absolute errors [dex]),
        skill (1 - error / baseline_error), lower and upper (its 95 % interval over samples of clusters), width (root
        mean square of the residuals [dex]).
    within_width : float
        Share of the clusters whose age lies within the Gaussian network's width; 0.68 where it is right.
    parameters : dict
        Hyper-parameters of each model that the search over all clusters finds, and its error there.
    examples : DataFrame
        What was learned from.
    """

    predictions: pd.DataFrame
    skills: pd.DataFrame
    within_width: float
    parameters: dict[str, tuple[dict[str, Any], float]]
    examples: pd.DataFrame = field(repr=False)

    def skill(self, galaxy: str, *, over: str = "median", model: str = CHOSEN) -> pd.Series:
        """The row of `skills` of one model over one baseline.

        Raises
        ------
        ClusterError
            If no cluster of the galaxy was learned from.
        """
        table = self.skills
        rows = table[(table["galaxy"] == galaxy) & (table["baseline"] == over) & (table["model"] == model)]
        if rows.empty:
            known = ", ".join(sorted(set(table["galaxy"])))
            raise ClusterError(f"no cluster of {galaxy} has a known age, only of {known}: give --galaxy.")
        return rows.iloc[0]


def judge_ages(known: LightCurves, options: LearningOptions = LearningOptions(), *, seed: int) -> Judgement:
    """Learn ages from some clusters' light curves and compare them with the others', fold by fold.

    Parameters
    ----------
    known : LightCurves
        Clusters without an age are left out.
    options : LearningOptions
        Pieces, folds, search.
    seed : int
        Of noise, folds, search and models.

    Returns
    -------
    Judgement

    Raises
    ------
    ClusterError
        If fewer than 20 clusters have an age, or all have the same.
    """
    rng = np.random.default_rng(seed)
    examples = _examples(known, options, rng)
    sectors = examples[examples["is_sector"]].reset_index(drop=True)
    columns = [*BASELINES, *MODELS, CHOSEN, "network_width"]
    found = pd.DataFrame(np.nan, index=sectors.index, columns=columns)
    folds = _folds(sectors, options, seed)
    for number, (train_names, test) in enumerate(folds, start=1):
        logger.info("Fold %d of %d.", number, options.n_folds)
        train = examples[examples["cluster"].isin(train_names)]
        found.loc[test.index, columns] = _judged(train, test, options, rng)
    predictions = _by_cluster(sectors, found)
    parameters = {name: _searched(name, examples, options, int(rng.integers(_SEEDS))) for name in MODELS}
    residual = np.abs(predictions["gaussian_network"] - predictions["log_age"])
    within = float((residual < predictions["network_width"]).mean())
    return Judgement(predictions, _skills(predictions, options, rng), within, parameters, examples)


def predict_ages(judgement: Judgement, curves: LightCurves, *, seed: int) -> pd.DataFrame:
    """Ages of clusters whose ages are unknown, by the model that did best in the search, with what they are worth.

    A cluster that was learned from gets the age that the models of its fold gave, which had not seen it: a model knows
    the answers that it learned, so its own age would look better than it is.

    Parameters
    ----------
    judgement : Judgement
        From `judge_ages`.
    curves : LightCurves
        Of the clusters.
    seed : int
        Of the model.

    Returns
    -------
    DataFrame
        cluster, galaxy, light_curve_age and light_curve_age_error (log10 yr, dex: the root mean square of the residuals
        of clusters that were not learned from), median_age (of the known clusters of the galaxy), skill, skill_lower,
        skill_upper, has_skill (whether the interval of the skill over the median lies above 0), learned_from, model
        ("chosen" for clusters that were learned from).

    Raises
    ------
    ClusterError
        If no cluster of its galaxy was learned from.
    """
    name = min(judgement.parameters, key=lambda each: judgement.parameters[each][1])
    examples = judgement.examples
    model = _fitted(name, judgement.parameters[name][0], examples, seed % _SEEDS)
    rows = features_of(curves.curves)
    galaxies = sorted(set(examples["galaxy"]))
    ages = pd.Series(model.predict(_inputs(rows, galaxies)), rows.index)
    ages = ages.groupby(rows["cluster"], sort=False).mean()
    galaxy = rows.drop_duplicates("cluster").set_index("cluster")["galaxy"]
    known = judgement.predictions.groupby("galaxy")["log_age"].median()
    columns = judgement.predictions[["cluster", "galaxy", CHOSEN]].itertuples(index=False)
    unseen = {(canonical_name(cluster), its_galaxy): float(age) for cluster, its_galaxy, age in columns}
    results = []
    for cluster, age, its_galaxy in zip(ages.index, ages, galaxy.loc[ages.index], strict=True):
        skill, own = judgement.skill(its_galaxy), unseen.get((canonical_name(cluster), its_galaxy))
        results.append(
            {
                "cluster": cluster,
                "galaxy": its_galaxy,
                "light_curve_age": age if own is None else own,
                "light_curve_age_error": skill["width"],
                "median_age": known[its_galaxy],
                "skill": skill["skill"],
                "skill_lower": skill["lower"],
                "skill_upper": skill["upper"],
                "has_skill": bool(skill["lower"] > 0),
                "learned_from": own is not None,
                "model": name if own is None else CHOSEN,
            }
        )
    return pd.DataFrame(results)


def _examples(known: LightCurves, options: LearningOptions, rng: np.random.Generator) -> pd.DataFrame:
    """Features of all pieces of the clusters with an age, with log_age, weight and whether each is a whole sector."""
    ages = known.clusters.dropna(subset="log_age").set_index("cluster")["log_age"]
    if len(ages) < _LEAST_CLUSTERS or ages.nunique() < 2:
        raise ClusterError(
            f"{len(ages)} clusters with {ages.nunique()} different ages have light curves, but at least "
            f"{_LEAST_CLUSTERS} and 2 are needed to judge ages: give more with --curves, or their ages with --ages."
        )
    whole = known.curves[known.curves["cluster"].isin(set(ages.index))]
    pieces = [whole]
    if options.pieces == "half_sectors":
        pieces += half_sectors(whole)
    pieces += [with_noise(piece, rng) for piece in list(pieces) for _ in range(options.n_noisy)]
    tables = [features_of(piece).assign(is_sector=number == 0) for number, piece in enumerate(pieces)]
    examples = pd.concat(tables, ignore_index=True)
    log_age = examples["cluster"].map(ages)
    weight = 1 / examples.groupby("cluster")["cluster"].transform("size")
    return examples.assign(log_age=log_age, weight=weight)


def _folds(
    sectors: pd.DataFrame, options: LearningOptions, seed: int
) -> Iterator[tuple[set[str], pd.DataFrame]]:
    """Names of the clusters to learn from, and sectors of the others; the galaxies are spread evenly."""
    splitter = StratifiedGroupKFold(options.n_folds, shuffle=True, random_state=seed % _SEEDS)
    for train, test in splitter.split(sectors, sectors["galaxy"], sectors["cluster"]):
        yield set(sectors["cluster"].iloc[train]), sectors.iloc[test]


def _judged(
    train: pd.DataFrame, test: pd.DataFrame, options: LearningOptions, rng: np.random.Generator
) -> pd.DataFrame:
    """Ages by each model and baseline of sectors whose clusters were not learned from."""
    seed = int(rng.integers(_SEEDS))
    galaxies = sorted(set(train["galaxy"]))
    medians = train.drop_duplicates("cluster").groupby("galaxy")["log_age"].median()
    overall = float(train.drop_duplicates("cluster")["log_age"].median())
    columns = {"median": test["galaxy"].map(medians).fillna(overall).to_numpy(float)}
    leaf = {"min_samples_leaf": 10, "max_features": 1.0}
    bright = _fitted("random_forest", leaf, train, seed, names=("log_flux",))
    columns["brightness"] = bright.predict(_inputs(test, galaxies, ("log_flux",)))
    errors = {}
    for name in MODELS:
        parameters, errors[name] = _searched(name, train, options, seed)
        model = _fitted(name, parameters, train, seed)
        columns[name] = model.predict(_inputs(test, galaxies))
        if name == "gaussian_network":
            scaled = model[:-1].transform(_inputs(test, galaxies))
            columns["network_width"] = model[-1].predict_width(scaled)
    columns[CHOSEN] = columns[min(errors, key=lambda name: errors[name])]
    return pd.DataFrame(columns, index=test.index)


def _inputs(rows: pd.DataFrame, galaxies: list[str], names: tuple[str, ...] = FEATURES) -> Array:
    """Features and the galaxy, one column for each galaxy, shape (n, n_features)."""
    places = np.column_stack([rows["galaxy"] == galaxy for galaxy in galaxies])
    return np.hstack([rows[list(names)].to_numpy(float), places.astype(float)])


def _fitted(
    name: str,
    parameters: dict[str, Any],
    examples: pd.DataFrame,
    seed: int,
    *,
    names: tuple[str, ...] = FEATURES,
) -> Any:
    galaxies = sorted(set(examples["galaxy"]))
    model = build_model(name, parameters, n_examples=len(examples), seed=seed)
    inputs, ages = _inputs(examples, galaxies, names), examples["log_age"].to_numpy(float)
    return model.fit(inputs, ages, model__sample_weight=examples["weight"].to_numpy(float))


def _searched(
    name: str, examples: pd.DataFrame, options: LearningOptions, seed: int
) -> tuple[dict[str, Any], float]:
    """Hyper-parameters of the least mean absolute error over clusters, by folds of clusters, and that error [dex]."""
    splits = list(
        GroupKFold(options.n_inner_folds, shuffle=True, random_state=seed).split(
            examples, groups=examples["cluster"]
        )
    )
    galaxies = sorted(set(examples["galaxy"]))
    best: tuple[dict[str, Any], float] = ({}, np.inf)
    for parameters in ParameterSampler(SPACES[name], options.n_search, random_state=seed):
        errors = []
        for train, test in splits:
            judged = examples.iloc[test]
            judged = judged[judged["is_sector"]]
            learned = examples.iloc[train]
            if set(learned["galaxy"]) != set(galaxies):
                continue  # a galaxy of one or two clusters
            model = _fitted(name, parameters, learned, seed)
            ages = pd.Series(model.predict(_inputs(judged, galaxies)), judged.index)
            residual = (ages - judged["log_age"]).groupby(judged["cluster"]).mean().abs()
            errors.append(residual)
        error = float(pd.concat(errors).mean()) if errors else np.inf
        if error < best[1] or not best[0]:
            best = parameters, error
    return best


def _by_cluster(sectors: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Mean over the sectors of each cluster; the network's width holds the scatter between them."""
    table = pd.concat([sectors[["cluster", "galaxy", "log_age"]], found], axis=1)
    groups = table.groupby(["cluster", "galaxy"], sort=False)
    means = groups.mean()
    inner = table["network_width"].pow(2).groupby(table["cluster"], sort=False).mean()
    between = table["gaussian_network"].groupby(table["cluster"], sort=False).var(ddof=0)
    width = np.sqrt(inner + between)
    means["network_width"] = width.reindex(means.index.get_level_values("cluster")).to_numpy()
    return means.reset_index()


def _skills(predictions: pd.DataFrame, options: LearningOptions, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    names = [*MODELS, CHOSEN]
    for galaxy, part in predictions.groupby("galaxy", sort=True):
        residual = part[[*BASELINES, *names]].sub(part["log_age"], axis=0)
        errors = residual.abs()
        drawn = rng.integers(len(part), size=(options.n_bootstrap, len(part)))
        for baseline in BASELINES:
            sample = errors[baseline].to_numpy()[drawn].mean(axis=1)
            for name in (*names, *(() if baseline == "brightness" else ("brightness",))):
                skills = 1 - errors[name].to_numpy()[drawn].mean(axis=1) / sample
                lower, upper = np.percentile(skills, _LEVELS)
                rows.append(
                    {
                        "galaxy": galaxy,
                        "model": name,
                        "baseline": baseline,
                        "n_clusters": len(part),
                        "error": errors[name].mean(),
                        "baseline_error": errors[baseline].mean(),
                        "skill": 1 - errors[name].mean() / errors[baseline].mean(),
                        "lower": lower,
                        "upper": upper,
                        "width": np.sqrt(np.square(residual[name]).mean()),
                    }
                )
    return pd.DataFrame(rows)
