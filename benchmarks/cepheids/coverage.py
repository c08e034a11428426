"""How often do the errors of a Leavitt law hold the truth? Simulated Cepheids with a known law.

Each run draws Cepheids, and from their priors what is no part of the law: the parallaxes' zero point, its change with
G, and what their errors lack. The posterior is its normal approximation at the
maximum (emcee takes a minute a run; with --emcee N that many runs are sampled too, and compared). The slope is found
from the Cepheids of the Milky Way alone.

example: python benchmarks/cepheids/coverage.py --runs 200
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.cepheids.law import fit_parallaxes, fit_posterior
from gaia_oc_amd.cepheids.model import calibrators
from gaia_oc_amd.cepheids.options import LawOptions
from gaia_oc_amd.cepheids.selection import select_cepheids
from gaia_oc_amd.cepheids.simulated import SimulatedCepheids, simulate_cepheids

NAMES = ("zero_point", "slope", "scatter")
TRUTH = SimulatedCepheids(n_lmc=20)
OFFSET_ERROR = 0.015  # mas, the prior of DR3


def one_run(seed, n_steps=0):
    """Differences from the truth and errors, shape (2, 3); with steps, those of emcee."""
    rng = np.random.default_rng([seed, 20])
    settings = replace(
        TRUTH,
        offset=OFFSET_ERROR * rng.standard_normal(),
        offset_slope=LawOptions.offset_slope_prior_error * rng.standard_normal(),
        parallax_noise=0.01 * np.exp(rng.standard_normal()),
    )
    stars = select_cepheids(simulate_cepheids(settings, rng=rng), "pf")
    ours = stars[stars["galaxy"] == "Milky Way"]
    options = LawOptions(n_steps=n_steps or LawOptions.n_steps)
    data = calibrators(ours, "dr3", options)
    start = fit_parallaxes(data, options.pivot, rng)
    law = fit_posterior(data, start, options, sample=bool(n_steps), rng=rng)
    truth = [getattr(settings, name) for name in NAMES]
    return np.array(
        [
            [law.values[name] - true for name, true in zip(NAMES, truth, strict=True)],
            [law.errors[name] for name in NAMES],
        ]
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--emcee", type=int, default=0, help="runs that emcee samples too")
    given = parser.parse_args()
    runs = np.stack([one_run(seed) for seed in range(given.runs)])
    away = runs[:, 0] / runs[:, 1]
    print("| | within 1 error | within 2 | mean difference / error | standard deviation | median error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, off, error in zip(NAMES, away.T, runs[:, 1].T, strict=True):
        inside = [f"{100 * np.mean(np.abs(off) < limit):.1f} %" for limit in (1, 2)]
        print(
            f"| {name} | {' | '.join(inside)} | {off.mean():+.2f} | {off.std():.2f} | {np.median(error):.3f} |"
        )
    for seed in range(given.emcee):
        sampled = one_run(seed, n_steps=3000)
        print(
            f"run {seed}: emcee less normal {sampled[0] - runs[seed, 0]}, errors' ratio {sampled[1] / runs[seed, 1]}"
        )


if __name__ == "__main__":
    main()
