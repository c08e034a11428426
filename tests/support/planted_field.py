"""Fields of stars with a planted cluster, for the tests of the searches."""

import numpy as np
import pandas as pd


def planted_field(n_field=1200, n_members=120, seed=0):
    """Broad field and compact cluster; the members come first."""
    rng = np.random.default_rng(seed)
    n = n_field + n_members
    member = np.arange(n) < n_members
    return pd.DataFrame(
        {
            "ra": 359.99 + rng.uniform(-0.3, 0.3, n),
            "dec": 60 + rng.uniform(-0.3, 0.3, n),
            "parallax": np.where(member, rng.normal(1.0, 0.05, n), rng.lognormal(-0.7, 0.6, n)),
            "parallax_error": 0.04,
            "pmra": np.where(member, rng.normal(3.0, 0.15, n), rng.normal(0, 3, n)),
            "pmdec": np.where(member, rng.normal(-4.0, 0.15, n), rng.normal(0, 3, n)),
        }
    ).assign(ra=lambda t: t["ra"] % 360), member
