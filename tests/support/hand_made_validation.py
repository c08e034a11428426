"""A validation of ten artificial stars, whose numbers can be counted by hand."""

import numpy as np
import pandas as pd

from gaia_oc_amd.validation.controls import Controls
from gaia_oc_amd.validation.validate import Validation


def hand_made():
    """Ten artificial stars, six recovered; four accepted candidates; two controls with one false star in all."""
    columns = ["control", "source_id", "phot_g_mean_mag", "f_r", "PMemb", "weight"]
    injected = pd.DataFrame(
        {
            "phot_g_mean_mag": 17.5,
            "f_r": 1.0,
            "weight": 0.1,
            "like_cluster": True,
            "in_cone": [True] * 9 + [False],
            "selected": [True] * 8 + [False] * 2,
            "PMemb": [0.9] * 6 + [0.2] * 2 + [np.nan] * 2,
        }
    )
    accepted = pd.DataFrame({"phot_g_mean_mag": 17.5, "f_r": 1.0, "PMemb": [0.9, 0.8, 0.7, 1.0]})
    false = pd.DataFrame([[0, 7, 17.5, 1.0, 0.9, 1.0]], columns=columns)
    controls = Controls([None, None], false, np.ones((2, 1)), np.array([1.0]))
    return Validation("Hand_1", injected, controls, accepted, accepted.iloc[:2], 0.5)
