"""Extinction of the passbands, against dustapprox itself."""

import warnings

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.photometry import A0_RANGE, TEFF_RANGE, passband_extinction


@pytest.mark.parametrize("a0", [0.3, "each its own"])
def test_the_extinction_is_dustapproxs_to_the_last_digit(a0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # import-time noise of dustapprox's dependencies
        from dustapprox.models import PrecomputedModel

        library = PrecomputedModel()
        (info,) = library.find(passband="GAIA_GAIA3", extinction="Fitzpatrick (1999)", kind="polynomial")
        models = {
            band: library.load_model(info, passband=f"GAIA_GAIA3.{band}") for band in ("G", "Gbp", "Grp")
        }
    rng = np.random.default_rng(0)
    teff = 10 ** rng.uniform(3.3, 5, 500)
    a0 = np.full(500, a0) if isinstance(a0, float) else rng.uniform(0, 25, 500)
    inside = pd.DataFrame({"teff": np.clip(teff, *TEFF_RANGE), "A0": np.clip(a0, *A0_RANGE)})
    for band, model in models.items():
        np.testing.assert_array_equal(passband_extinction(band, teff, a0), model.predict(inside) * a0)
