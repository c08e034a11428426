"""Every script as a user runs it: help, options, mistakes, and the whole chain from simulation to members."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from gaia_oc_amd.files.data_directory import locked

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))

SMALL = [
    "--dist",
    "2000",
    "--field_density",
    "4000",
    "--cone_radius",
    "20",
    "--n_members",
    "250",
    "--seed",
    "5",
]


def run(script, *arguments, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdin=subprocess.DEVNULL,
    )


def call(script, *arguments):
    """The exit code of a script in this process, which has the libraries already: to be run again and again."""
    with pytest.MonkeyPatch.context() as shell:
        shell.setattr("sys.argv", [script])
        return importlib.import_module(script.removesuffix(".py")).main([str(word) for word in arguments])


@cache
def help_of(script):
    return run(script, "--help")


def test_all_scripts_are_there():
    assert set(SCRIPTS) == {
        "build_sets.py",
        "classify_images.py",
        "compare_with_list.py",
        "create_gaia_credentials_file.py",
        "download_isochrones.py",
        "download_members_and_cluster_params.py",
        "estimate_light_curve_age.py",
        "evaluate_clusters.py",
        "explain_stars.py",
        "find_first_members.py",
        "fit_isochrone.py",
        "fit_leavitt_law.py",
        "simulate_clusters.py",
        "train_deep_sets_model.py",
        "validate_clusters.py",
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_explains_every_option_and_the_readme_knows_the_script(script):
    result = help_of(script)
    assert result.returncode == 0, result.stderr
    assert re.search(rf"xample: python \S*{re.escape(script)}", result.stdout)
    for option in re.findall(r"^  (--\w+)", result.stdout, re.MULTILINE):
        assert re.search(rf"^  {option}\b.*\n?\s+\S.*", result.stdout, re.MULTILINE), f"{option} has no help"
    assert f"`{script}`" in (ROOT / "README.md").read_text()


def test_readme_holds_no_placeholder_and_no_dead_link():
    readme = (ROOT / "README.md").read_text()
    assert "@@" not in readme
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert "//" in target or (ROOT / target).exists(), target


def options_in(text):
    return set(re.findall(r"--(?!no-)([a-z][a-z0-9_]+)", text))


@pytest.mark.parametrize("script", SCRIPTS)
def test_options_in_readme_commands_exist(script):
    readme = (ROOT / "README.md").read_text()
    used = options_in(" ".join(re.findall(rf"python {script}(.*)", readme)))
    assert used <= options_in(help_of(script).stdout)


def test_promised_options_of_the_published_tool_exist():
    promised = {
        "build_sets.py": "cone_radius cone_pm_sigmas cone_plx_sigmas cone_source cone_format overwrite_cone "
        "prob_threshold n_min_members colour pm_error_weight source_error_weight r_max_margin c_margin g_margin "
        "r_threshold_member_fraction iso_threshold_member_fraction bootstrap_members bootstrap_prob save_plots "
        "show_plots isochrone_path cluster_path members_path comparison_path credentials_path data_dir seed workers "
        "catalogue comparison_catalogue ra dec parallax pmra pmdec pmra_error pmdec_error parallax_error age a0 dist",
        "train_deep_sets_model.py": "model_dir validation_fraction size_support_set batch_size n_pos_duplicates "
        "neg_pos_ratio source_features cluster_features hidden_size n_epochs lr l2 weight_imbalance "
        "early_stopping_threshold resume",
        "validate_clusters.py": "model_dir n_artificial n_controls prob_threshold removal_threshold binary_fraction "
        "magnitude_edges radius_edges probability n_samples size_support_set isochrone_path save_plots show_plots "
        "data_dir seed workers",
        "find_first_members.py": "ra dec radius method n_runs min_significance fit_isochrone cone_source cluster_path "
        "isochrone_path search_g_max max_ruwe flux_excess min_parallax_snr min_flux_snr data_dir seed workers",
        "compare_with_list.py": "prob_threshold data_dir workers",
        "evaluate_clusters.py": "model_dir probability n_samples size_support_set prob_threshold "
        "candidate_prob_threshold new_members_prob_threshold use_tidal_radius use_comparison_tidal_radius plot_only",
    }
    for script, options in promised.items():
        assert set(options.split()) <= options_in(help_of(script).stdout), script


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("build_sets.py", ["NGC_1", "--cone_radius", "-5"]),
        ("build_sets.py", ["NGC_1", "--prob_threshold", "1.5"]),
        ("build_sets.py", []),
        ("build_sets.py", ["NGC_1", "--colour", "b_v"]),
        ("build_sets.py", ["NGC_1", "--cone_source", ""]),
        ("build_sets.py", ["NGC_1", "--c_margin", "inf"]),
        ("build_sets.py", ["NGC_1", "--seed", "99999999999999999999"]),
        ("train_deep_sets_model.py", ["NGC_1", "--hidden_size", "100000000"]),
        ("train_deep_sets_model.py", ["NGC_1", "--source_features", "f_r", "f_r"]),
        ("evaluate_clusters.py", ["NGC_1", "--n_samples", "0"]),
        ("train_deep_sets_model.py", ["NGC_1", "--validation_fraction", "1"]),
        ("simulate_clusters.py", ["--dist", "-1"]),
        ("fit_isochrone.py", ["NGC_1", "--light_curve_age", "--age_prior", "8"]),
        ("fit_isochrone.py", ["NGC_1", "--light_curve_age", "--age_prior_error", "0.1"]),
        ("find_first_members.py", ["NGC_1", "--ra", "12"]),
        ("find_first_members.py", ["NGC_1", "NGC_2", "--ra", "12", "--dec", "3"]),
        ("find_first_members.py", ["NGC_1", "--method", "dbscan"]),
        ("build_sets.py", ["NGC_1", "--find_first_members", "--search_radius", "0"]),
    ],
)
def test_wrong_usage_is_exit_code_2(script, arguments):
    result = run(script, *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def one_error_line(result):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout
    lines = [line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_users_mistakes_are_one_line(tmp_path):
    nothing = ["--data_dir", tmp_path]
    assert "download_members_and_cluster_params.py" in one_error_line(run("build_sets.py", "NGC_1", *nothing))
    assert "build_sets.py NGC_1" in one_error_line(run("evaluate_clusters.py", "NGC_1", *nothing))
    assert "--model_dir" in one_error_line(
        run("evaluate_clusters.py", "NGC_1", "--model_dir", tmp_path / "none")
    )
    assert "build_sets.py NGC_1" in one_error_line(run("train_deep_sets_model.py", "NGC_1", *nothing))
    assert not list(tmp_path.iterdir())


def test_plot_only_needs_an_evaluation(tmp_path):
    run("simulate_clusters.py", "Sim_1", "--data_dir", tmp_path, *SMALL)
    build = ["--data_dir", tmp_path, "--cone_source", tmp_path / "cones", "--cone_radius", "20"]
    assert run("build_sets.py", "Sim_1", *build, "--no-save_plots").returncode == 0
    result = run("evaluate_clusters.py", "Sim_1", "--data_dir", tmp_path, "--plot_only")
    assert "never evaluated" in one_error_line(result)


def test_no_network_is_one_line(tmp_path):
    closed = ["--data_dir", tmp_path, "--url", "http://127.0.0.1:9/cmd"]
    assert "127.0.0.1:9" in one_error_line(run("download_isochrones.py", *closed))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A simulated cluster through all scripts with the shipped model, and a second one in the same folder."""
    data = tmp_path_factory.mktemp("data")
    results = [run("simulate_clusters.py", "Sim_1", "Sim_2", "--data_dir", data, *SMALL)]
    build = ["--data_dir", data, "--cone_source", data / "cones", "--cone_radius", "20"]
    results.append(run("build_sets.py", "Sim_1", "sim 2", *build))
    results.append(run("evaluate_clusters.py", "Sim_1", "Sim_2", "--data_dir", data, "--n_samples", "20"))
    shutil.copytree(data, data.parent / f"{data.name}_as_made")  # some tests do parts of it again
    return data, results


@pytest.fixture
def copied(chain, tmp_path):
    """The data directory of the chain for a test that changes it; its cones are those of the chain."""
    return shutil.copytree(chain[0].parent / f"{chain[0].name}_as_made", tmp_path / "copied")


def test_chain_from_simulation_to_members(chain):
    data, results = chain
    for result in results:
        assert result.returncode == 0, result.stderr
    folder = data / "clusters" / "Sim_1"
    candidates = pd.read_csv(folder / "candidates.csv")
    assert candidates["PMemb"].between(0, 1).all()
    truth = pd.read_csv(folder / "truth.csv").set_index("source_id")["is_member"]
    bright = candidates[(candidates["phot_g_mean_mag"] < 17) & (candidates["PMemb"] >= 0.5)]
    assert truth[bright["source_id"]].mean() > 0.7
    assert re.search(r"^ *all .*%", results[2].stdout, re.MULTILINE)


def test_plots_are_pictures(chain):
    folder = chain[0] / "clusters" / "Sim_1"
    names = {path.stem for path in folder.glob("*.png")}
    assert names == {
        "candidates",
        "new_members",
        "comparison",
        "additional_members",
        "missed_members",
        "venn_diagram",
        "membership_matrix",
        "density_profile",
        "mass_segregation",
    }
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000


def contents(data):
    return {
        path.relative_to(data): path.read_bytes()
        for path in sorted((data / "clusters").rglob("*"))
        if path.suffix in (".csv", ".json", ".parquet") and path.name not in ("cone.json", "provenance.json")
    }


def test_same_seed_gives_identical_files_whatever_order_and_workers(chain, tmp_path):
    build = [
        "--data_dir",
        tmp_path,
        "--cone_source",
        tmp_path / "cones",
        "--cone_radius",
        "20",
        "--no-save_plots",
    ]
    run("simulate_clusters.py", "Sim_2", "Sim_1", "--data_dir", tmp_path, *SMALL)
    run("build_sets.py", "Sim_2", "Sim_1", *build, "--workers", "2")
    result = run(
        "evaluate_clusters.py", "Sim_2", "Sim_1", "--data_dir", tmp_path, "--n_samples", "20", "--workers", "2"
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    ours, theirs = contents(tmp_path), contents(chain[0].parent / f"{chain[0].name}_as_made")
    assert ours.keys() == theirs.keys()
    for name, content in ours.items():
        if name.name == "cluster.json":  # records the path of the cone's source, which differs
            one, two = (json.loads(c) for c in (content, theirs[name]))
            apart = {"options": {}, "fingerprint": ""}
            assert one | apart == two | apart
        else:
            assert content == theirs[name], name


def test_sets_from_a_position_alone(tmp_path):
    """No member list and no parameter table: the first members are found in the field."""
    everything = [
        "--cone_pm_sigmas",
        "inf",
        "--cone_plx_sigmas",
        "inf",
        "--g_max",
        "18.5",
        "--list_g_max",
        "18",
    ]
    simulated = run("simulate_clusters.py", "Sim_1", "--data_dir", tmp_path / "sky", *SMALL, *everything)
    assert simulated.returncode == 0, simulated.stderr
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "sky" / "isochrones.dat").rename(data / "isochrones.dat")
    where = ["--data_dir", data, "--cone_source", tmp_path / "sky" / "cones", "--cone_radius", "15"]
    position = ["--ra", "106", "--dec", "-2", "--search_radius", "0.5"]
    result = run("build_sets.py", "Sim_1", "--find_first_members", *position, *where, "--no-save_plots")
    assert result.returncode == 0, result.stderr
    truth = pd.read_csv(tmp_path / "sky" / "clusters" / "Sim_1" / "truth.csv").set_index("source_id")
    members = pd.read_csv(data / "clusters" / "Sim_1" / "members.csv")
    assert len(members) >= 40
    assert truth["is_member"][members["source_id"]].mean() > 0.9


def test_one_bad_cluster_does_not_stop_the_others(chain, copied, tmp_path):
    data = copied
    before = contents(data)
    listing = tmp_path / "clusters.txt"
    listing.write_text("Sim_1  # the first\n\nSim_9\nSim_2\n")
    build = [
        "--data_dir",
        data,
        "--cone_source",
        chain[0] / "cones",
        "--cone_radius",
        "20",
        "--no-save_plots",
    ]
    result = run("build_sets.py", listing, *build)
    assert result.returncode == 1
    assert "1 of 3 failed:" in result.stdout
    assert "did you mean Sim_" in result.stdout
    after = contents(data)
    assert after.keys() == before.keys()


def states(data):
    folder = data / "clusters" / "Sim_1"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"}


@pytest.mark.filterwarnings("ignore")  # which the scripts log
def test_a_second_run_does_what_is_missing_and_no_more(chain, copied, capsys):
    data = copied
    build = [
        "build_sets.py",
        "Sim_1",
        "--data_dir",
        data,
        "--cone_source",
        chain[0] / "cones",
        "--cone_radius",
        "20",
    ]
    evaluate = ["evaluate_clusters.py", "Sim_1", "--data_dir", data, "--n_samples", "20"]
    before = states(data)
    assert [call(*build), call(*evaluate)] == [0, 0]
    assert states(data) == before
    assert capsys.readouterr().err.count("already there") >= 2
    (data / "clusters/Sim_1/venn_diagram.png").unlink()
    call(*evaluate)
    after = states(data)
    assert after["venn_diagram.png"] > before["new_members.png"]
    assert after["candidates.csv"] == before["candidates.csv"]
    probabilities = pd.read_csv(data / "clusters/Sim_1/candidates.csv")["PMemb"]
    call(*evaluate, "--seed", "43", "--no-save_plots")
    assert states(data)["candidates.csv"] > after["candidates.csv"]
    assert "venn_diagram.png" not in states(data), "a plot of other probabilities is left"
    call(*evaluate, "--overwrite")
    pd.testing.assert_series_equal(
        pd.read_csv(data / "clusters/Sim_1/candidates.csv")["PMemb"], probabilities
    )
    call(*build, "--c_margin", "0.12")
    assert pd.read_csv(data / "clusters/Sim_1/candidates.csv")["PMemb"].isna().all()
    provenance = json.loads((data / "clusters/Sim_1/provenance.json").read_text())
    assert set(provenance) == {"sets", "sets_plot"}
    assert "--c_margin 0.12" in provenance["sets"]["command"]


def test_the_recorded_commands_make_the_same_files(chain, tmp_path):
    """Word for word, but for the data directory."""
    data = chain[0]
    for name in ("cg18_members.csv", "t22_members.csv", "cluster_parameters.csv", "isochrones.dat"):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    records = json.loads((data / "clusters/Sim_2/provenance.json").read_text())
    for stage in ("sets", "evaluation"):
        words = shlex.split(records[stage]["command"])
        assert words[0] == "python"
        result = run(*words[1:], "--data_dir", tmp_path)
        assert result.returncode == 0, result.stderr
    ours = tmp_path / "clusters/Sim_2/candidates.csv"
    assert ours.read_bytes() == (data / "clusters/Sim_2/candidates.csv").read_bytes()


def test_two_runs_in_one_folder_at_a_time_give_what_one_gives(chain, tmp_path):
    for name in ("cg18_members.csv", "t22_members.csv", "cluster_parameters.csv", "isochrones.dat"):
        (tmp_path / name).write_bytes((chain[0] / name).read_bytes())
    where = ["--data_dir", tmp_path, "--cone_source", chain[0] / "cones", "--cone_radius", "20"]
    line = [sys.executable, ROOT / "build_sets.py", "Sim_2", "Sim_1", *where, "--no-save_plots"]
    both = [
        subprocess.Popen([*map(str, line), *more], stdout=subprocess.PIPE, cwd=ROOT)
        for more in ([], ["--overwrite"])
    ]
    for process in both:
        process.communicate()
        assert process.returncode == 0
    for name in ("members.csv", "candidates.csv", "non_members.csv", "comparison.csv", "cone.parquet"):
        ours, theirs = (path / "clusters/Sim_2" / name for path in (tmp_path, chain[0]))
        if name != "candidates.csv":  # evaluated there
            assert ours.read_bytes() == theirs.read_bytes(), name
    assert not list((tmp_path / "clusters").glob("*/.tmp-*"))


def test_workers_end_with_a_parent_that_is_killed(copied):
    """They would hold the output open for ever, and whoever reads it would hang."""
    data = copied
    command = [
        sys.executable,
        ROOT / "evaluate_clusters.py",
        "Sim_1",
        "Sim_2",
        "--workers",
        "2",
        "--data_dir",
        data,
    ]
    with subprocess.Popen(
        [*map(str, command), "--probability", "votes", "--n_samples", "5000", "--no-save_plots"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        while not is_held(data / "clusters" / "Sim_1"):
            time.sleep(0.05)
        process.kill()
        process.communicate()  # ends when the last process has closed the output


def is_held(folder):
    """Whether a worker is at work in a cluster's folder."""
    try:
        with locked(folder, wait=False):
            return False
    except BlockingIOError:
        return True


def test_closed_pipe_is_no_error(copied):
    command = (
        f"{sys.executable} {ROOT}/evaluate_clusters.py Sim_1 --data_dir {copied} --plot_only --no-save_plots"
    )
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, text=True, check=False
    )
    assert "rror" not in result.stderr


def test_training_from_the_shell(chain, tmp_path):
    data = chain[0]
    fast = ["--n_epochs", "3", "--validation_fraction", "0.5", "--hidden_size", "8"]
    result = run(
        "train_deep_sets_model.py", "Sim_1", "Sim_2", "--data_dir", data, "--model_dir", tmp_path, *fast
    )
    assert result.returncode == 0, result.stderr
    assert "best epoch" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock",
        "hyper_parameters",
        "model_parameters",
        "metrics",
        "metrics.png",
    }


def test_real_fields_from_the_shell(shared, tmp_path):
    """The command of the README's section on real data, with the development data in the place of downloads."""
    real = shared / "real"
    build = run(
        "build_sets.py", "NGC_2509", "--data_dir", tmp_path, "--cone_source", real / "cones",
        "--members_path", real / "cg18_members.csv.gz", "--comparison_path", real / "t22_members.csv.gz",
        "--cluster_path", real / "cluster_parameters.csv",
        "--isochrone_path", real / "isochrones" / "parsec_z0.0205.dat",
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    result = run("evaluate_clusters.py", "NGC_2509", "--data_dir", tmp_path, "--n_samples", "50")
    assert result.returncode == 0, result.stderr
    listed = pd.read_csv(real / "cg18_members.csv.gz")
    sure = listed[(listed["cluster"] == "NGC_2509") & (listed["PMemb"] >= 0.8)]["source_id"]
    candidates = pd.read_csv(tmp_path / "clusters/NGC_2509/candidates.csv").set_index("source_id")["PMemb"]
    assert (candidates[candidates.index.isin(sure)] >= 0.5).mean() > 0.9
