"""Time that the fingerprints of a cluster cost, beside the judging of its candidates.

example: python benchmarks/speed/fingerprints.py NGC_2509 --data_dir data --n_candidates 70000

Candidates of a cluster whose sets were built are repeated until there are so many.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.membership import judge_candidates
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.source_sets import load_sets, refuse_changed_sets, save_sets

COMPARISONS = 4
"""In one evaluation: before it, when the sets are read for it and for the figures, and of what it wrote."""


def main() -> None:
    """Print the times [s]."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cluster")
    parser.add_argument("--data_dir", type=Path, default=Path("data"))
    parser.add_argument("--n_candidates", type=int, default=70_000)
    given = parser.parse_args()
    sets = load_sets(given.cluster, given.data_dir)
    many = sets.candidates.sample(given.n_candidates, replace=True, random_state=1).reset_index(drop=True)
    many = many.assign(source_id=np.arange(given.n_candidates) + 1, PMemb=np.nan)
    with tempfile.TemporaryDirectory() as folder:
        where = save_sets(replace(sets, candidates=many), folder)
        start = time.perf_counter()
        for _ in range(COMPARISONS):
            refuse_changed_sets(where)
        compared = time.perf_counter() - start
        start = time.perf_counter()
        judge_candidates(
            where.name, folder, Classifier.load("deep_sets_model"), options=SamplingOptions(), seed=1
        )
        judged = time.perf_counter() - start
    print(f"{COMPARISONS} comparisons {compared:.2f} s, judging {judged:.2f} s: {compared / judged:.1%}")


if __name__ == "__main__":
    main()
