"""Stars with all columns of a set, and everything in them that is hard to write."""

from dataclasses import replace

import numpy as np
import pandas as pd
from plot_sets import example_sets

from gaia_oc_amd.columns import SET_COLUMNS

BIG = 5_853_498_713_190_525_696  # not representable as a float


def stars(n=60, seed=3):
    """Random values of many sizes; some probabilities are missing, and one column is empty."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({name: rng.normal(size=n) * 10.0 ** rng.integers(-8, 8, n) for name in SET_COLUMNS})
    counts = {name: rng.integers(5, 500, n) for name in SET_COLUMNS if name.endswith("_n_obs")}
    words = np.resize(["", "isochrone", "proper_motion+parallax"], n)
    return table.assign(
        source_id=BIG + rng.integers(0, 2**60, n) * (np.arange(n) > 0),
        rejected_by=pd.Series(words, dtype="str"),
        PMemb=np.where(np.arange(n) % 7, rng.uniform(size=n), np.nan),
        pseudocolour=np.nan,
        astrometric_params_solved=31,
        **counts,
    )


def full_sets():
    """A cluster whose four sets have all columns."""
    parts = {"members": 20, "candidates": 60, "non_members": 40, "comparison": 0, "judged_members": 20}
    return replace(example_sets(), **{name: stars(n, seed) for seed, (name, n) in enumerate(parts.items())})
