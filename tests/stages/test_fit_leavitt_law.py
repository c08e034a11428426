"""The law from the shell and from Python: files, figures, and the real Cepheids of Gaia DR2."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from gaia_oc_amd.cepheids.options import CepheidOptions, LawOptions, LeavittOptions
from gaia_oc_amd.options import FigureOptions
from gaia_oc_amd.stages.fit_leavitt_law import fit_law

pytest.importorskip(
    "emcee", reason="the posterior is sampled with emcee: pip install 'emcee>=3.1' 'corner>=2.2'"
)

ROOT = Path(__file__).resolve().parents[2]
SHORT = LawOptions(n_steps=400, n_burn_in=200)


def options(source, release="dr3", *, law=SHORT, **more):
    return LeavittOptions(CepheidOptions(source=str(source), release=release), law, **more)


@pytest.mark.filterwarnings("ignore:the chains are")
def test_simulated_cepheids_give_law_tables_and_figures(tmp_path):
    pytest.importorskip(
        "corner", reason="the corner plot is corner's: pip install 'emcee>=3.1' 'corner>=2.2'"
    )
    text = fit_law(tmp_path, options("simulated"), seed=1, command="python fit_leavitt_law.py")
    folder = tmp_path / "cepheids"
    record = json.loads((folder / "leavitt_law.json").read_text())
    assert record["simulated"]
    posterior, modulus = record["laws"]["posterior"], record["lmc_moduli"]["posterior"]
    assert abs(posterior["values"]["slope"] + 3.3) < 0.1
    assert abs(modulus["less_literature"]) < 3 * modulus["error"]
    assert abs(posterior["values"]["zero_point"] + 4.95) < 3 * posterior["errors"]["zero_point"]
    stars = pd.read_csv(folder / "cepheids.csv")
    assert set(stars["galaxy"]) == {"Milky Way", "LMC", "other"}
    assert stars.loc[stars["galaxy"] == "Milky Way", "outlier_probability"].between(0, 1).all()
    assert pd.read_csv(folder / "cluster_cepheids.csv").empty
    names = {path.stem for path in folder.glob("*.png")}
    assert names == {"leavitt_law", "leavitt_corner", "cepheid_sky", "lmc_modulus"}
    assert all(path.stat().st_size > 10_000 for path in folder.glob("*.png"))
    assert "LMC by eclipsing binaries" in text


@pytest.mark.filterwarnings("ignore:the chains are")
def test_the_same_seed_gives_the_same_law(tmp_path):
    """From the first step of the chain on, or never: it has few."""
    few = options(
        "simulated", law=LawOptions(n_steps=100, n_burn_in=0), figures=FigureOptions(save_plots=False)
    )
    for name in "ab":
        fit_law(tmp_path / name, few, seed=4)
    one, two = (json.loads((tmp_path / name / "cepheids/leavitt_law.json").read_text()) for name in "ab")
    assert one["laws"] == two["laws"]
    assert one["lmc_moduli"] == two["lmc_moduli"]


@pytest.mark.filterwarnings("ignore:the chains are")
def test_the_real_cepheids_of_dr2(shared, tmp_path):
    """The modulus of the LMC within 0.1 mag of the eclipsing binaries'."""
    table = shared / "cepheids" / "gaia_dr2_cepheids.vot.gz"
    fit_law(tmp_path, options(table, "dr2", figures=FigureOptions(save_plots=False)), seed=42)
    record = json.loads((tmp_path / "cepheids" / "leavitt_law.json").read_text())
    modulus = record["lmc_moduli"]["posterior"]
    assert abs(modulus["less_literature"]) < 0.1
    assert 0.03 < modulus["error"] < 0.15
    assert record["n_stars"]["LMC"] > 1000
    assert record["lmc_law"]["slope"] == pytest.approx(-3.3, abs=0.1)


def test_a_table_of_other_variables_is_one_line(tmp_path):
    table = tmp_path / "variables.csv"
    columns = "source_id,ra,dec,parallax,parallax_error,pf,int_average_g,int_average_bp,int_average_rp"
    head = f"{columns},type_best_classification,mode_best_classification\n"
    table.write_text(head + "1,10,10,0.5,0.02,0.6,12,12.3,11.5,RRAB,FUNDAMENTAL\n")
    command = [
        sys.executable,
        ROOT / "fit_leavitt_law.py",
        "--source",
        table,
        "--release",
        "dr2",
        "--data_dir",
        tmp_path,
    ]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "they are 1 RRAB" in lines[0]
    assert not list((tmp_path / "cepheids").glob("*.json"))
