"""Evaluated sets for the tests of reports: identifiers of 19 digits that differ in the last one only."""

from dataclasses import replace

import numpy as np
from plot_sets import example_sets

from gaia_oc_amd.source_sets import SET_NAMES

FIRST_ID = 5_853_498_713_190_525_696
"""Above 2^53: neighbours of it are one and the same number in JavaScript."""


def report_sets():
    """Those of `plot_sets`, with Gaia's identifiers and the errors that a table has."""
    sets = example_sets()
    parts = {}
    for name in (*SET_NAMES, "judged_members"):
        table = getattr(sets, name)
        errors = {f"{column}_error": 0.02 for column in ("parallax", "pmra", "pmdec", "g_rp", "bp_rp")}
        parts[name] = table.assign(
            source_id=table["source_id"].to_numpy(np.int64) + FIRST_ID, ruwe=1.0, **errors
        )
    return replace(sets, **parts)
