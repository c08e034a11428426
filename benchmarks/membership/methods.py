"""Membership methods compared on simulated clusters, whose members are known.

Reads sets that build_sets.py made of clusters that simulate_clusters.py made, asks every method about the same
stars (training members, judged without themselves, and candidates), and prints tables in Markdown. A method's
probabilities are kept in --cache_dir and computed again only if its model folder or the sets change.

example: python benchmarks/membership/methods.py test.txt --data_dir data/test --model_dirs deep_sets_model DS10_v02
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import baselines
from judged_stars import Cone, cached, digest_of
from method_figures import all_figures, sums_of_p
from method_tables import BOUNDS, bins_table, check_list, overall_table

from gaia_oc_amd.catalogues.names import cluster_rng, read_cluster_names
from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.membership import membership_probabilities
from gaia_oc_amd.model_files import HYPER_PARAMETERS, MODEL_PARAMETERS
from gaia_oc_amd.options import SamplingOptions

BASELINES = ("hdbscan", "gmm", "boosted_trees")
MOST_FIELD = 30
"""Sure field stars per member that boosted trees learn from."""


def judged_by_models(cones, model_dirs, options, cache_dir, seed):
    """Probabilities by method name, each a list with one array per cone."""
    verdicts = {}
    for model_dir in model_dirs:
        classifier, name = Classifier.load(model_dir), model_dir.resolve().name
        if name in verdicts:
            raise ValueError(f"two model folders are called {name}: rename one.")
        files = [model_dir / HYPER_PARAMETERS, model_dir / MODEL_PARAMETERS]

        def judge(cone, classifier=classifier):
            rng = cluster_rng(seed, cone.name)
            return membership_probabilities(cone.stars, cone.sets, classifier, options=options, rng=rng)

        digests = [digest_of(cone.digest, options, seed, *files) for cone in cones]
        verdicts[name] = _of_each(cones, name, digests, cache_dir, judge)
    return verdicts


def judged_by_baselines(cones, names, cache_dir, seed):
    """Probabilities by method name; boosted trees come in two kinds, of each cone alone and of all together."""
    code = Path(baselines.__file__)
    digests = [digest_of(cone.digest, seed, code) for cone in cones]
    verdicts = {}
    if "hdbscan" in names:
        verdicts["hdbscan"] = _of_each(
            cones, "hdbscan", digests, cache_dir, lambda c: baselines.hdbscan_probabilities(c.stars, c.sets)
        )
    if "gmm" in names or "boosted_trees" in names:
        mixtures = _of_each(
            cones, "gmm", digests, cache_dir, lambda c: baselines.mixture_probabilities(c.stars, c.sets)
        )
        if "gmm" in names:
            verdicts["gmm"] = mixtures
    if "boosted_trees" in names:
        verdicts |= _judged_by_trees(cones, mixtures, digests, cache_dir, seed)
    return verdicts


def _judged_by_trees(cones, mixtures, digests, cache_dir, seed):
    mixture_of = {cone.name: p for cone, p in zip(cones, mixtures, strict=True)}

    def features(cone):
        return baselines.tree_features(cone.stars, cone.sets, mixture_of[cone.name])

    def of_one(cone):
        rng = cluster_rng(seed, cone.name)
        alone = np.zeros(len(cone.stars))
        return baselines.boosted_tree_probabilities(
            features(cone), cone.is_member, alone, repetitions=2, most_field=MOST_FIELD, rng=rng
        )

    def of_all():
        sizes = [len(cone.stars) for cone in cones]
        return baselines.boosted_tree_probabilities(
            pd.concat([features(cone) for cone in cones]),
            np.concatenate([cone.is_member for cone in cones]),
            np.repeat(np.arange(len(cones)), sizes),
            repetitions=2,
            most_field=MOST_FIELD,
            rng=np.random.default_rng(seed),
        )

    own = _of_each(cones, BOUNDS[0], digests, cache_dir, of_one)
    start = time.monotonic()
    pooled, new = cached(cache_dir, BOUNDS[1], "all", digest_of(*digests), of_all)
    _say(BOUNDS[1], len(cones), len(cones) * new, time.monotonic() - start)
    ends = np.cumsum([len(cone.stars) for cone in cones])
    return {BOUNDS[0]: own, BOUNDS[1]: np.split(pooled, ends[:-1])}


def _of_each(cones, method, digests, cache_dir, judge):
    start, n_new, results = time.monotonic(), 0, []
    for cone, digest in zip(cones, digests, strict=True):
        p, new = cached(cache_dir, method, cone.name, digest, lambda cone=cone: judge(cone))
        n_new += new
        results.append(p)
    _say(method, len(cones), n_new, time.monotonic() - start)
    return results


def _say(method, n_cones, n_new, seconds):
    print(f"{method}: {n_new} of {n_cones} cones judged anew, {seconds:.0f} s", file=sys.stderr, flush=True)


def pooled_stars(cones, verdicts):
    """One table of all stars with a column per method; a star without a verdict and a lost member get 0."""
    tables = []
    for i, cone in enumerate(cones):
        table = cone.table()
        n_lost = len(cone.lost)
        columns = {name: np.append(np.nan_to_num(of[i]), np.zeros(n_lost)) for name, of in verdicts.items()}
        tables.append(table.assign(**columns))
    return pd.concat(tables, ignore_index=True)


def report(cones, stars, verdicts, table, model_names):
    """The whole text in Markdown."""
    methods, sums = list(verdicts), sums_of_p(stars, list(verdicts))
    unjudged = {name: sum(int(np.isnan(p).sum()) for p in of) for name, of in verdicts.items()}
    n_true, n_lost = int(stars["is_member"].sum()), int(stars["lost"].sum())
    rivals = [name for name in methods if name not in BOUNDS]
    text = [
        f"{len(cones)} simulated clusters, {len(stars) - n_lost} stars judged, {n_true} true members in the cones, "
        f"{n_lost} of them ({100 * n_lost / n_true:.1f} %) lost by the candidate selection: p = 0 for every method. "
        f"{sum(cone.n_outside for cone in cones)} more lie beyond the cones' cuts and do not count. ± is the standard "
        "deviation over resampled clusters. ECE: ten bins of equal width in p, over all judged stars, over those with "
        "p >= 0.02 from any method but HDBSCAN (the same stars for all), over those with p >= 0.02 from itself. "
        "Boosted trees know the truth (out of fold): of the same cone alone, or of all these cones (pooled).",
        "Without a verdict: "
        + (", ".join(f"{name} {n}" for name, n in unjudged.items() if n) or "none")
        + ".",
        overall_table(table, sums),
        "By bin: average precision; completeness / contamination at p >= 0.5 [%]; ECE where any p >= 0.02.",
        bins_table(table),
        *(check_list(table, sums, name, [r for r in rivals if r != name]) for name in model_names[:1]),
    ]
    return "\n\n".join(text)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clusters", nargs="+", help="names, or files with one name a line")
    parser.add_argument("--data_dir", type=Path, required=True, help="where their sets were built")
    parser.add_argument(
        "--truth_dir", type=Path, help="data directory with clusters/NAME/truth.csv, if another"
    )
    parser.add_argument(
        "--model_dirs", type=Path, nargs="*", default=[], help="the check-list is about the first"
    )
    parser.add_argument("--baselines", nargs="*", choices=BASELINES, default=list(BASELINES))
    parser.add_argument("--probability", choices=("posterior", "votes"), help="by default the models' own")
    parser.add_argument(
        "--n_samples", type=int, default=SamplingOptions().n_samples, help="samples for votes"
    )
    parser.add_argument("--n_bootstrap", type=int, default=100, help="resamples of the clusters")
    parser.add_argument(
        "--cache_dir", type=Path, help="keeps probabilities; clear it when the package's code changes"
    )
    parser.add_argument("--out", type=Path, help="Markdown; the figures go beside it as CSV")
    parser.add_argument("--plot", type=Path, help="PNG with reliability and precision-recall curves")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    names = read_cluster_names(arguments.clusters)
    cones = [Cone.load(name, arguments.data_dir, arguments.truth_dir) for name in names]
    options = SamplingOptions(n_samples=arguments.n_samples, probability=arguments.probability)
    cache, seed = arguments.cache_dir, arguments.seed
    of_models = judged_by_models(cones, arguments.model_dirs, options, cache, seed)
    verdicts = of_models | judged_by_baselines(cones, arguments.baselines, cache, seed)
    stars = pooled_stars(cones, verdicts)
    table = all_figures(stars, list(verdicts), arguments.n_bootstrap, seed=seed)
    text = report(cones, stars, verdicts, table, list(of_models))
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")
        table.to_csv(arguments.out.with_suffix(".csv"), index=False)
        sums_of_p(stars, list(verdicts)).to_csv(arguments.out.with_suffix(".clusters.csv"), index=False)
    if arguments.plot:
        from method_plots import plot_methods

        plot_methods(stars, list(verdicts), arguments.plot)


if __name__ == "__main__":
    main()
