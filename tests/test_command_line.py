"""Command lines: the published tool's words, suggestions for misspelt ones, and mistakes in one line."""

import importlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gaia_oc_amd import published_words
from gaia_oc_amd.command_line import add_options, make_parser, read_command_line
from gaia_oc_amd.first_members.options import FindOptions
from gaia_oc_amd.stages.options import BuildOptions, EvaluateOptions, TrainOptions

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))

PUBLISHED = {
    BuildOptions: "clusters_dir isochrone_path credentials_path cluster_parameters_path members_path comparison_path "
    "members_label comparison_label cone_radius cone_pm_sigmas cone_plx_sigmas overwrite_cone cone_file_format "
    "prob_threshold n_min_members bootstrap_members bootstrap_probability can_colour can_pm_error_weight "
    "r_threshold_member_fraction iso_threshold_member_fraction can_r_max_margin can_c_margin can_g_margin "
    "can_source_error_weight show_plots save_plots save_source_sets save_cluster_params data_dir cluster_path "
    "cone_verbose members_cluster_column members_id_column members_prob_column comparison_cluster_column "
    "comparison_id_column comparison_prob_column can_max_r can_g_delta can_bp_rp_delta show show_features "
    "show_boundaries save_plot",
    EvaluateOptions: "clusters_dir model_dir n_samples size_support_set hard_size_ss new_members_label "
    "candidate_prob_threshold new_members_prob_threshold use_tidal_radius use_comparison_tidal_radius "
    "new_members_plot comparison_plot additional_members_plot missed_members_plot venn_diagram_plot "
    "confusion_matrix_plot density_profile_plot mass_segregation_plot plot_stellar_field plot_only show_plots "
    "save_plots seed data_dir isochrone_path model_save_dir show members_label comparison_label prob_threshold "
    "compare_train_members",
    TrainOptions: "clusters_dir model_dir validation_fraction size_support_set batch_size n_pos_duplicates "
    "neg_pos_ratio source_features cluster_features hidden_size load_model n_epochs lr l2 weight_imbalance "
    "early_stopping_threshold seed show_plots save_plots training_features show save_plot",
}
"""Options of the published tool's scripts, in all their versions."""


pytestmark = pytest.mark.usefixtures("restored_log")


def options_of(signature):
    parser = make_parser("")
    add_options(parser, signature)
    return {word.removeprefix("--") for word in parser._option_string_actions} | {"data_dir", "seed"}


@pytest.mark.parametrize("signature", PUBLISHED)
def test_every_option_of_the_published_tool_is_known_or_answered(signature):
    ours = options_of(signature)
    for name in PUBLISHED[signature].split():
        renamed = published_words.RENAMED.get(name)
        assert name in ours or renamed in ours or name in published_words.ANSWERS, name


def test_answers_name_options_that_exist():
    known = set().union(*map(options_of, PUBLISHED)) | {"verbose", "columns"}
    for name, answer in published_words.ANSWERS.items():
        for word in answer.replace(",", " ").replace(";", " ").split():
            assert not word.startswith("--") or word[2:] in known, (name, word)


def read(*words, signature=BuildOptions):
    return read_command_line("", signature, list(words))


def test_published_names_and_values_do_what_they_say(caplog):
    given = read(
        *("--can_c_margin", "0.2", "--show", "True", "--save_plots=False", "--bootstrap_members", "false"),
        *("--clusters", "NGC_1", "NGC_2", "--cone_file_format", "csv", "--save_dir", "mine"),
    )
    assert given.clusters == ["NGC_1", "NGC_2"]
    assert given.options.selection.c_margin == 0.2
    assert given.options.figures.show_plots
    assert not given.options.figures.save_plots
    assert not given.options.member.bootstrap_members
    assert given.options.cone.cone_format == "csv"
    assert str(given.run.data_dir) == "mine"
    assert "--can_c_margin is called --c_margin here." in caplog.messages
    assert "--c_margin 0.2" in given.command
    assert "can_c_margin" not in given.command


def test_a_value_after_no_switch_stays_a_value():
    assert read("true", "--data_dir", "True").clusters == ["true"]
    assert str(read("NGC_1", "--data_dir", "True").run.data_dir) == "True"


def test_a_value_may_begin_with_a_dash():
    """As argparse reads them, -1e-3, -inf and -mine are options."""
    given = read(
        *("NGC_1", "--pmra", "-1e-3", "--pmdec", "-2", "--data_dir", "-mine", "--members_path", "-h.csv")
    )
    assert (given.options.given.pmra, given.options.given.pmdec) == (-1e-3, -2.0)
    assert str(given.run.data_dir) == "-mine"
    assert read(*given.command.format("NGC_1").split()[2:]) == given
    found = read("NGC_1", "--min_parallax_snr", "-inf", signature=FindOptions)
    assert found.options.quality.min_parallax_snr == float("-inf")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_no_error(tmp_path, closed):
    """As where a daemon starts a script."""
    words = [sys.executable, str(ROOT / "simulate_clusters.py"), "X", "--data_dir", str(tmp_path)]
    words += ["--field_density", "30", "--n_members", "60", "--cone_radius", "15"]
    line = f"{' '.join(map(shlex.quote, words))} {closed}"
    subprocess.run(["bash", "-c", line], check=True, capture_output=True)
    assert (tmp_path / "clusters" / "X" / "truth.csv").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["NGC_1", "--prob_treshold", "0.5"], "did you mean --prob_threshold"),
        (["NGC_1", "--cone-radius", "9"], "did you mean --cone_radius"),
        (["NGC_1", "--clusters_dir", "x"], "--data_dir"),
        (["NGC_1", "--members_id_column", "Source"], "--columns source_id=Source"),
        (["NGC_1", "--qqqqqqqqq"], "is it of another script?"),
        (["NGC_1", "--cone_rad", "9"], "did you mean --cone_radius"),
        ([], "no cluster is named"),
        (["NGC_1", "--c_margin", "wide"], "--c_margin"),
        (["NGC_1", "--cone_radius", "-5"], "cone_radius is -5.0, but must be greater than 0"),
        (["NGC_1", "--columns", "ra"], "columns is 'ra', but must be OURS=THEIRS"),
        (["NGC_1", "--columns", "nonsense=RAJ2000"], "columns names 'nonsense'"),
    ],
)
def test_a_mistake_is_one_line_with_what_may_be_meant(words, expected, capsys):
    with pytest.raises(SystemExit) as left:
        read(*words)
    assert left.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert expected in lines[0]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_groups_with_titles(script, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(script).main(["--help"])
    text = capsys.readouterr().out
    assert "\nRunning: every script:\n" in text
    assert text.startswith("usage: ")
    assert len(text.splitlines()[0]) < 80
