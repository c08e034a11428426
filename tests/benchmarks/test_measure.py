"""The measurement of models: what the bound and the votes are, on a cluster of 120 stars."""

import sys
from pathlib import Path

import measure
import numpy as np
import pandas as pd
import pytest
from judged_stars import Cone
from planted_cones import make_cone, simulated_sets

from gaia_oc_amd.simulation.options import SimulationOptions
from gaia_oc_amd.source_sets import save_sets

MODEL = Path(__file__).resolve().parents[2] / "deep_sets_model"
N_SAMPLES = 4


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Folder of verdicts and the text that the command prints of one simulated cluster."""
    folder = tmp_path_factory.mktemp("measured")
    options = SimulationOptions(dist=1500.0, field_density=1500.0, cone_radius=15.0, n_members=120)
    sets, true_ids = simulated_sets(options, 9)
    stars = pd.concat([sets.members, sets.candidates, sets.non_members])["source_id"]
    truth = pd.DataFrame({"source_id": stars, "is_member": stars.isin(true_ids)})
    truth.to_csv(save_sets(sets, folder) / "truth.csv", index=False)
    arguments = f"{sets.cluster.name} --data_dir {folder} --model_dirs {MODEL} --bound --votes --n_samples {N_SAMPLES}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sys,
            "argv",
            [
                "measure.py",
                *arguments.split(),
                "--cache_dir",
                str(folder / "c"),
                "--out",
                str(folder / "t.md"),
            ],
        )
        measure.main()
    verdicts = {
        path.parent.name: pd.read_parquet(path) for path in (folder / "c" / "bound").glob("*.parquet")
    }
    for method in (MODEL.name, f"votes of {MODEL.name}"):
        verdicts[method] = pd.read_parquet(next((folder / "c" / method).glob("*/*.parquet")))
    return verdicts, (folder / "t.md").read_text(), set(true_ids)


def test_every_method_judges_the_same_stars_and_has_its_columns(measured):
    verdicts, text, _ = measured
    posterior = verdicts[MODEL.name]
    for name, table in verdicts.items():
        assert table["source_id"].tolist() == posterior["source_id"].tolist()
        assert table["p"].dropna().between(0, 1).all()
        assert f"| {name} " in text
    assert text.splitlines()[0].startswith("1 cones")


def test_votes_are_shares_of_the_samples_and_no_posterior(measured):
    verdicts = measured[0]
    votes, posterior = verdicts[f"votes of {MODEL.name}"], verdicts[MODEL.name]
    counts = votes["p"] * N_SAMPLES
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    assert votes["error"].isna().all()
    assert posterior["error"].iloc[0] > 0
    assert ((posterior["p"] * N_SAMPLES) % 1 > 1e-3).any()
    assert np.corrcoef(votes["p"], posterior["p"])[0, 1] > 0.7


def test_bound_finds_the_members_that_it_was_told_of(measured):
    verdicts, _, true_ids = measured
    table = verdicts["bound"]
    truth = table["source_id"].isin(true_ids)
    assert table["p"][truth].mean() > 3 * table["p"][~truth].mean()


def test_bound_does_not_know_the_star_itself():
    """Out of fold: truth that is mere chance cannot be told."""
    sets, stars, is_member = make_cone()
    shuffled = np.random.default_rng(4).permutation(is_member)

    def gap(truth):
        cone = Cone("Toy", sets, stars, truth, stars.iloc[:0], 0, "")
        p = measure.judged_by_trees(cone, 1)[0]["p"]
        return p[truth].mean() - p[~truth].mean()

    assert gap(is_member) > 0.5
    assert abs(gap(shuffled)) < 0.05
