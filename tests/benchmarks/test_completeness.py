"""Completeness beside the truth: what is counted, on tables made by hand."""

import numpy as np
import pandas as pd
import pytest
from completeness import COLUMNS, LABELS, compared, share_with_error, summary
from toy_field import toy_sets

from gaia_oc_amd.source_sets import save_sets


@pytest.fixture
def evaluated(tmp_path):
    """A toy cluster: four true members, three of them with half a chance or more in its list."""
    sets = toy_sets(2)
    folder = save_sets(sets, tmp_path)
    stars = pd.concat([sets.members, sets.candidates])
    chosen = stars.sort_values("f_r").iloc[:4]
    truth = pd.DataFrame(
        {"source_id": stars["source_id"], "is_member": stars["source_id"].isin(chosen["source_id"])}
    )
    g_true = pd.Series([17.9, 18.0, 18.5, 20.5], index=chosen["source_id"])
    truth.assign(g_true=truth["source_id"].map(g_true).fillna(15.0)).to_csv(folder / "truth.csv", index=False)
    listed = chosen[["source_id"]].assign(PMemb=[0.9, 0.5, 0.49, 0.8])
    listed.to_csv(folder / "member_list.csv", index=False)
    edges = [(0.0, 18.0, 0.9), (18.0, 19.0, 0.8), (19.0, 20.0, 0.6), (20.0, 21.0, 0.4)]
    rows = [("G", low, high, np.inf, share) for low, high, share in edges]
    between = chosen["f_r"].iloc[1:3].mean()  # two of the four lie within the tidal radius
    rows.append(("within the tidal radius", -np.inf, np.inf, between, 0.7))
    table = pd.DataFrame(rows, columns=["bin", "g_min", "g_max", "r_max", "completeness"])
    table = table.assign(
        completeness_lower=table["completeness"] - 0.05, completeness_upper=table["completeness"] + 0.05
    )
    table.to_csv(folder / "selection_function.csv", index=False)
    return sets.cluster.name, tmp_path


def test_members_are_counted_by_true_magnitude_and_radius(evaluated):
    table = compared(*evaluated).set_index("label")
    np.testing.assert_allclose(table["true"], [1, 0.5, np.nan, 1, 1])
    np.testing.assert_allclose(table["estimate"], [0.9, 0.8, 0.6, 0.4, 0.7])
    assert table.loc["18-19", "error"] == pytest.approx(np.sqrt(0.25 / 2))
    assert table.loc["G < 18", "error"] > 0


def test_share_of_nobody_is_unknown():
    assert np.isnan(share_with_error(pd.Series([], dtype=bool))).all()


def test_agreement_is_counted_where_both_are_known():
    """Two clusters: one off by 4 points; one by 10, within its interval and error in the first bin alone."""
    near = pd.DataFrame([(label, 0.84, 0.80, 0.86, 0.8, 0.05) for label in LABELS], columns=COLUMNS)
    far = near.assign(true=0.94, error=[0.1, 0.01, 0.01, 0.01, np.nan], upper=0.86)
    far.loc[4, "true"] = np.nan
    lines = {
        line.split(" | ")[0].strip("| "): line.strip("|").split("|")[1:] for line in summary([near, far])
    }
    values = {label: [float(cell) for cell in cells] for label, cells in lines.items()}
    assert values["within 5 points"] == [1, 1, 1, 1, 1]
    assert values["clusters"] == [2, 2, 2, 2, 1]
    assert values["truth within the interval and its own error"] == [2, 1, 1, 1, 1]
    assert values["mean of estimate - truth"][0] == pytest.approx(-3, abs=0.06)
    perfect = values["of an estimate without error within 5 points"]
    assert perfect[0] == pytest.approx(0.683 + 0.383, abs=0.06)
    assert perfect[4] == pytest.approx(0.683, abs=0.06)
