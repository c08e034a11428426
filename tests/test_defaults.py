"""What a data directory remembers: written once, read by every script, never before a command line."""

import logging
from pathlib import Path

import pytest

from gaia_oc_amd.command_line import read_command_line
from gaia_oc_amd.defaults import DEFAULTS_FILE, REMEMBERED, defaults_text, read_defaults
from gaia_oc_amd.first_members.options import FindOptions
from gaia_oc_amd.isochrone_fit.options import FitOptions
from gaia_oc_amd.stages.options import BuildOptions, TrainOptions
from gaia_oc_amd.validation.options import ValidateOptions

pytestmark = pytest.mark.usefixtures("restored_log")


def read(*words, signature=BuildOptions):
    return read_command_line("", signature, list(words))


def write_defaults(folder, given):
    (folder / DEFAULTS_FILE).write_text(defaults_text(folder, given), encoding="utf-8")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "cones").mkdir(parents=True)
    (tmp_path / "iso.dat").write_text("")
    write_defaults(
        folder,
        {
            "isochrone_path": tmp_path / "iso.dat",
            "cone_source": (str(folder / "cones"), "gaia"),
            "catalogue": "hunt24",
            "members_path": None,
            "seed": 3,
        },
    )
    return folder


def test_nothing_is_remembered_where_nothing_was_given(tmp_path):
    assert read_defaults(tmp_path) == {}
    assert defaults_text(tmp_path, {"members_path": None, "seed": 3}) == ""


def test_what_is_written_is_read_and_kept_beside_new_values(data, tmp_path):
    write_defaults(data, {"members_path": tmp_path / 'my "list" \u00e9.csv', "catalogue": "cg20"})
    assert read_defaults(data) == {
        "catalogue": ["cg20"],
        "members_path": [str(tmp_path / 'my "list" \u00e9.csv')],
        "isochrone_path": [str(tmp_path / "iso.dat")],
        "cone_source": [str(data / "cones"), "gaia"],
    }


def test_paths_inside_go_with_the_folder(data, tmp_path):
    moved = data.rename(tmp_path / "elsewhere")
    assert read_defaults(moved)["cone_source"] == [str(moved / "cones"), "gaia"]


@pytest.mark.parametrize(
    "text",
    ["isochrone_path = 3", "seed = '3'", "isochrone_path = [", "cone_source = []", "[a]\nb = 'c'", "\xff"],
)
def test_a_file_that_is_none_is_one_line(data, text, capsys):
    (data / DEFAULTS_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=DEFAULTS_FILE):
        read_defaults(data)
    with pytest.raises(SystemExit):
        read("NGC_1", "--data_dir", str(data))
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_of_a_windows_editor_is_read(data):
    (data / DEFAULTS_FILE).write_bytes('members_label = "é"\r\n'.encode("utf-8-sig"))
    assert read_defaults(data) == {"members_label": ["é"]}


@pytest.mark.parametrize(
    "line", ["catalogue = 'hunt99'", "isochrone_rotation = 'fast'", "comparison_catalogue = ['t22', 'cg18']"]
)
def test_a_value_that_is_none_is_refused(data, line, capsys):
    (data / DEFAULTS_FILE).write_text(line)
    with pytest.raises(SystemExit):
        read("NGC_1", "--data_dir", str(data))
    assert f"{DEFAULTS_FILE} has {line.split(' =')[0]}" in capsys.readouterr().err


@pytest.mark.parametrize("signature", [ValidateOptions, FitOptions, FindOptions])
def test_other_scripts_find_the_isochrones(data, signature, tmp_path):
    given = read("NGC_1", "--data_dir", str(data), signature=signature)
    assert given.options.paths.isochrone_path == tmp_path / "iso.dat"
    assert f"--isochrone_path {tmp_path / 'iso.dat'}" in given.command


def test_scripts_without_such_options_ignore_them(data):
    read("NGC_1", "--data_dir", str(data), signature=TrainOptions)


def test_the_command_line_goes_before_and_verbose_tells(data, tmp_path, caplog):
    given = read(
        *(
            "NGC_1",
            "--data_dir",
            str(data),
            "--isochrone_path",
            "other.dat",
            "--cone_source",
            "ari",
            "--verbose",
        )
    )
    assert given.options.paths.isochrone_path == Path("other.dat")
    assert given.options.cone.cone_source == ("ari",)
    assert given.options.paths.catalogue == "hunt24"
    told = [r.message for r in caplog.records if r.levelno == logging.DEBUG]
    assert told == [f"{data / DEFAULTS_FILE} gives --catalogue hunt24"]


def test_a_catalogue_on_the_command_line_goes_before_a_remembered_list(data, tmp_path):
    write_defaults(data, {"members_path": tmp_path / "my.csv"})
    plain = ("NGC_1", "--data_dir", str(data))
    assert read(*plain).options.paths.members_path == tmp_path / "my.csv"
    assert read(*plain, "--catalogue", "cg20").options.paths.members_path is None


def test_only_places_and_names_are_remembered():
    endings = ("_path", "catalogue", "columns", "_source", "_label", "_rotation")
    assert all(name.endswith(endings) for name in REMEMBERED)


def test_a_rotation_of_nought_is_remembered_until_other_isochrones_are_given(data, tmp_path):
    write_defaults(data, {"isochrone_path": tmp_path / "i.dat", "isochrone_rotation": 0.0})
    plain = ("NGC_1", "--data_dir", str(data))
    assert read(*plain).options.paths.isochrone_rotation == 0.0
    assert read(*plain, "--isochrone_path", "j.dat").options.paths.isochrone_rotation is None
