"""Ages of light curves from the shell and from Python: files, figures, verdicts, and the prior of a fit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaia_oc_amd.light_curves.options import LearningOptions, LightCurveAgeOptions, LightCurveOptions
from gaia_oc_amd.light_curves.simulated import simulate_light_curves
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.stages.estimate_light_curve_age import estimate_ages

ROOT = Path(__file__).resolve().parents[2]
SHORT = LearningOptions(pieces="sectors", n_noisy=0, n_search=1, n_folds=2, n_inner_folds=2, n_bootstrap=300)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Light curves and ages of known clusters, and the light curve of one more, as files."""
    folder = tmp_path_factory.mktemp("curves")
    known = simulate_light_curves(30, n_sectors=1, rng=np.random.default_rng(1))
    known.curves.to_parquet(folder / "known.parquet")
    known.clusters.to_csv(folder / "ages.csv", index=False)
    new = simulate_light_curves(1, n_sectors=1, rng=np.random.default_rng(2))
    new.curves.assign(cluster="NGC 1", galaxy="MW").to_csv(folder / "new.csv", index=False)
    return folder


def options(tables, **more):
    given = LightCurveOptions(
        str(tables / "known.parquet"), ages=tables / "ages.csv", predict=tables / "new.csv"
    )
    return LightCurveAgeOptions(given, SHORT, **more)


def test_verdict_tables_and_figures(tables, tmp_path):
    text = estimate_ages(tmp_path, options(tables), seed=1, command="python estimate_light_curve_age.py")
    folder = tmp_path / "light_curves"
    assert text.startswith("Skill: 30 MW clusters")
    assert "NGC 1: log age" in text
    record = json.loads((folder / "light_curve_skill.json").read_text())
    assert not record["simulated"]
    assert {row["model"] for row in record["skills"]} >= {"gaussian_network", "random_forest", "regression"}
    assert len(pd.read_csv(folder / "known_ages.csv")) == 30
    assert len(pd.read_csv(folder / "light_curve_features.csv")) == 30
    assert pd.read_csv(folder / "light_curve_ages.csv")["has_skill"].all()
    pictures = {path.stem for path in folder.glob("*.png")}
    assert pictures == {"light_curves", "light_curve_ages", "light_curve_skill"}
    assert all(path.stat().st_size > 8_000 for path in folder.glob("*.png"))


def test_no_skill_is_the_first_thing_said(tables, tmp_path):
    ages = pd.read_csv(tables / "ages.csv")
    shuffled = tmp_path / "shuffled.csv"
    rng = np.random.default_rng(3)
    ages.assign(log_age=rng.permutation(ages["log_age"])).to_csv(shuffled, index=False)
    given = LightCurveOptions(str(tables / "known.parquet"), ages=shuffled, predict=tables / "new.csv")
    no_plots = FigureOptions(save_plots=False)
    text = estimate_ages(tmp_path, LightCurveAgeOptions(given, SHORT, figures=no_plots), seed=1)
    assert text.startswith("No skill: light curves of 30 MW clusters")
    assert "no better than the median age" in text


def test_a_cluster_that_was_learned_from_is_said_to_be(tables, tmp_path, caplog):
    both = LightCurveOptions(
        str(tables / "known.parquet"), ages=tables / "ages.csv", predict=tables / "known.parquet"
    )
    estimate_ages(tmp_path, LightCurveAgeOptions(both, SHORT, FigureOptions(save_plots=False)), seed=1)
    assert "and 25 more: their ages are known with --curves" in caplog.text
    ages, known = (
        pd.read_csv(tmp_path / "light_curves" / f"{n}.csv") for n in ("light_curve_ages", "known_ages")
    )
    pd.testing.assert_series_equal(
        ages.set_index("cluster")["light_curve_age"], known.set_index("cluster")["chosen"], check_names=False
    )


def test_the_same_seed_gives_the_same_files(tables, tmp_path):
    no_plots = FigureOptions(save_plots=False)
    for name in "ab":
        estimate_ages(tmp_path / name, options(tables, figures=no_plots), seed=4)
    one, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "light_curves").glob("*.csv")}
        for name in "ab"
    )
    assert one == other


def test_a_table_without_time_is_one_line(tmp_path):
    table = tmp_path / "curves.csv"
    table.write_text("flux,flux_err\n1,1\n")
    command = [
        sys.executable,
        ROOT / "estimate_light_curve_age.py",
        "--curves",
        table,
        "--data_dir",
        tmp_path,
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "no column time" in result.stderr
    assert "Traceback" not in result.stderr
