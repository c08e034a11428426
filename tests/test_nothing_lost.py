"""What once was lost or silently wrong: each of these was found by breaking things on purpose."""

import json
import os
import random
import stat
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy_field import toy_field

from gaia_oc_amd.archive.login import read_credentials, write_credentials
from gaia_oc_amd.catalogues.names import read_cluster_names
from gaia_oc_amd.catalogues.tables import InputTables
from gaia_oc_amd.classifier import Classifier, Standardisation
from gaia_oc_amd.deep_sets import DeepSets
from gaia_oc_amd.evidence import CONE_FEATURES, STAR_FEATURES, SUPPORT_FEATURES
from gaia_oc_amd.files.data_directory import read_json, write_text
from gaia_oc_amd.files.provenance import PROVENANCE, Stage, read_provenance, run_stage
from gaia_oc_amd.options import ConeOptions
from gaia_oc_amd.posterior import Calibration
from gaia_oc_amd.set_building import build_sets
from gaia_oc_amd.source_sets import load_sets, save_candidates, save_sets

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python build_sets.py Toy_1"


def tables(toy):
    return InputTables(
        parameters=toy.parameters, parameters_path="table.csv", members=toy.members,
        comparison=toy.members.iloc[:20], isochrones=toy.isochrones, credentials_path=None,
    )  # fmt: skip


@pytest.fixture
def data(toy, tmp_path):
    """A data directory with the sets of one cluster and their record."""
    toy.sources.to_csv(tmp_path / "stars.csv", index=False)
    data = tmp_path / "data"
    options = ConeOptions(cone_source=(str(tmp_path / "stars.csv"),))

    def work():
        sets = build_sets("Toy_1", tables(toy), data, cone=options)
        folder = save_sets(sets, data)
        return sets.counts(), [path.name for path in folder.iterdir() if path.suffix in (".csv", ".json")]

    (data / "clusters" / "Toy_1").mkdir(parents=True)
    run_stage(data / "clusters" / "Toy_1", Stage("sets", {"options": 1}, COMMAND), work)
    return data


@pytest.fixture
def folder(data):
    return data / "clusters" / "Toy_1"


def nothing():
    return {}, []


# A. A record can delete files.


@pytest.mark.parametrize("kind", ["absolute", "up", "plain name of another's file", "hidden"])
def test_a_record_never_deletes_a_file_that_its_stage_does_not_write(folder, tmp_path, kind, caplog):
    victim = {
        "absolute": tmp_path / "elsewhere.txt",
        "up": folder.parents[1] / "isochrones.dat",
        "plain name of another's file": folder / "members.csv",
        "hidden": folder / ".lock",
    }[kind]
    victim.touch()
    name = str(victim) if kind == "absolute" else os.path.relpath(victim, folder)
    records = json.loads((folder / PROVENANCE).read_text())
    records["report"] = {"files": {name: "0"}, "made_with": {}, "summary": {}}
    (folder / PROVENANCE).write_text(json.dumps(records))
    run_stage(folder, Stage("sets", {"options": 2}, COMMAND), nothing)
    assert victim.exists()
    assert "the record of 'report' was tampered with or is damaged: it is ignored" in caplog.text
    assert set(read_provenance(folder)) == {"sets"}


# B. Cut sets are accepted and then vouched for.


def cut(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]))


def longer(path):
    path.write_text(path.read_text() + "\n")


def doubled_parallax(path):
    content = json.loads(path.read_text())
    content["cluster"]["parallax"] *= 2
    path.write_text(json.dumps(content, indent=2))


def large_motion(path):
    table = pd.read_csv(path)
    table.loc[3, "pmra"] = 1e308
    table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("candidates.csv", cut),
        ("members.csv", cut),
        ("members.csv", large_motion),
        ("non_members.csv", large_motion),
        ("comparison.csv", cut),
        ("comparison_outside.csv", longer),
        ("cluster.json", doubled_parallax),
    ],
)
def test_changed_sets_are_refused_until_the_change_is_accepted(data, folder, name, change, caplog):
    from gaia_oc_amd.source_sets import accept_changes

    change(folder / name)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=f"{name} was changed after build_sets.py made it") as caught:
        load_sets("Toy_1", data)
    assert "--accept_changes" in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert accept_changes(folder) == [name]
    load_sets("Toy_1", data)
    assert read_json(folder / "cluster.json")["changed_by_hand"] == [name]
    assert name in read_provenance(folder)["sets"]["changed_by_hand"]
    assert accept_changes(folder) == []
    assert f"{name}, changed by hand, accepted" in caplog.text


def test_an_evaluation_does_not_vouch_for_sets_that_were_cut_before(data, folder):
    sets = load_sets("Toy_1", data)
    cut(folder / "candidates.csv")
    with pytest.raises(ValueError, match="was changed"):
        load_sets("Toy_1", data)
    save_candidates(sets, data)
    load_sets("Toy_1", data)


def test_a_build_says_that_it_replaces_what_was_changed(folder, caplog):
    cut(folder / "candidates.csv")
    run_stage(folder, Stage("sets", {"options": 1}, COMMAND), nothing)
    assert "candidates.csv was changed or removed after build_sets.py made it" in caplog.text


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_while_candidates_are_replaced_is_no_change(data, folder, moment, monkeypatch):
    """Between the two files the sets must be readable, as they were or as they will be."""
    sets, replaced = load_sets("Toy_1", data), Path.replace

    def killed(self, target):
        is_moment = Path(target).name == "candidates.csv"
        if moment == "after" or not is_moment:
            replaced(self, target)
        if is_moment:
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_candidates(replace(sets, candidates=sets.candidates.assign(PMemb=0.5)), data)
    monkeypatch.undo()
    found = load_sets("Toy_1", data).candidates["PMemb"]
    assert (found == 0.5).all() if moment == "after" else found.isna().all()


@pytest.mark.parametrize("value", ["blue", 1e308, True, [1], None])
@pytest.mark.parametrize("place", [("colour",), ("cluster", "pmra"), ("limits", "pm"), ("cluster", "name")])
def test_what_is_no_value_is_one_line_even_where_it_was_accepted(data, folder, place, value):
    """H, too: a text in `colour` was an internal error."""
    from gaia_oc_amd.source_sets import accept_changes

    path = folder / "cluster.json"
    content = json.loads(path.read_text())
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    if (place, value) in ((("cluster", "pmra"), None), (("cluster", "name"), "blue")):
        pytest.skip("that is one")
    inner[place[-1]] = value
    path.write_text(json.dumps(content))
    accept_changes(folder)
    with pytest.raises(ValueError, match=r"cluster.json is incomplete or wrong \(.*--overwrite"):
        load_sets("Toy_1", data)


# C. A kept cone has no checksum, a replaced table is not noticed; H. the remedy is named.


def build(data, toy, **changes):
    options = ConeOptions(cone_source=(str(data.parent / "stars.csv"),), **changes)
    return build_sets("Toy_1", tables(toy), data, cone=options)


@pytest.mark.parametrize("name", ["cone.parquet", "cone.json"])
@pytest.mark.parametrize("kind", ["flipped bit", "emptied", "cut"])
def test_a_damaged_cone_is_one_line_with_its_remedy(data, folder, toy, name, kind):
    path, whole = folder / name, (folder / name).read_bytes()
    for place in (4, len(whole) // 3, len(whole) // 2):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes({"flipped bit": bytes(damaged), "emptied": b"", "cut": whole[:place]}[kind])
        with pytest.raises(ValueError, match="--overwrite_cone") as caught:
            build(data, toy)
        assert name in str(caught.value)
    assert build(data, toy, overwrite_cone=True).counts() == load_sets("Toy_1", data).counts()
    assert build(data, toy).counts() == load_sets("Toy_1", data).counts()


def test_a_cone_that_was_changed_by_hand_can_be_accepted(data, folder, toy):
    from gaia_oc_amd.kept_cone import accept_cone

    cone = pd.read_parquet(folder / "cone.parquet")
    cone.iloc[:-20].to_parquet(folder / "cone.parquet", index=False)
    with pytest.raises(ValueError, match="cone.parquet was changed after this program made it"):
        build(data, toy)
    accept_cone(folder)
    assert read_json(folder / "cone.json")["changed_by_hand"] is True
    assert sum(
        len(getattr(build(data, toy), part)) for part in ("members", "candidates", "non_members")
    ) < len(cone)


def test_a_table_that_was_replaced_by_another_of_its_name_is_cut_again(data, folder, toy):
    before = build(data, toy).counts()
    other = toy_field(seed=9)
    other.sources.to_csv(data.parent / "stars.csv", index=False)
    after = build_sets(
        "Toy_1", tables(other), data, cone=ConeOptions(cone_source=(str(data.parent / "stars.csv"),))
    ).counts()
    assert after != before
    (data.parent / "stars.csv").unlink()
    again = ConeOptions(cone_source=(str(data.parent / "stars.csv"),))
    assert build_sets("Toy_1", tables(other), data, cone=again).counts() == after, (
        "the kept cone is still good"
    )


# D. and E. Damaged weights load; edited model settings.

VOTES = ("f_r", "f_pm", "f_plx", "f_c", "f_g"), ("a0", "age", "parallax")


@pytest.fixture(params=["votes", "posterior"])
def model(request, tmp_path):
    """A saved model of each kind."""
    sources, clusters = VOTES if request.param == "votes" else (STAR_FEATURES, CONE_FEATURES)
    support = None if request.param == "votes" else SUPPORT_FEATURES
    network = DeepSets(len(sources) + len(clusters), len(support or sources), hidden_size=8)
    network.initialise(torch.Generator().manual_seed(4))
    kinds = [
        names and Standardisation(names, np.linspace(-1, 1, len(names)), np.linspace(0.5, 2, len(names)))
        for names in (sources, clusters, support)
    ]
    settings = {"probability": request.param}
    if request.param == "posterior":
        settings["calibration"] = Calibration().as_dict()
    Classifier(network.weights(), kinds[0], kinds[1], settings, kinds[2]).save(tmp_path / "model")
    return tmp_path / "model"


def test_flipped_bits_of_weights_are_noticed(model):
    path, rng = model / "model_parameters", random.Random(3)
    whole = path.read_bytes()
    for _ in range(30):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        with pytest.raises(ValueError, match="model_parameters was changed after train_deep_sets_model.py"):
            Classifier.load(model)
    path.write_bytes(whole)
    Classifier.load(model)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("source_feature_stds", -1.0, "standard deviation between"),
        ("source_feature_stds", 1e300, "standard deviation between"),
        ("source_feature_means", 1e300, "whose mean must be within"),
        ("cluster_feature_stds", 0.0, "standard deviation between"),
        ("hidden_size", 20_000, "hidden_size, which is 20000 and must be 1 to 4096"),
        ("hidden_size", "64", "hidden_size, which is 64"),
        ("hidden_size", -1, "hidden_size, which is -1"),
        ("source_features", "twice", "must be different"),
        ("source_features", "unknown", "which nothing computes"),
        ("source_features", 7, "must be names"),
        ("probability", "maybe", "must be votes or posterior"),
        ("calibration", None, "the calibration"),
    ],
)
def test_edited_settings_are_refused(model, key, value, message):
    path = model / "hyper_parameters"
    content = json.loads(path.read_text())
    if key == "calibration" and content["probability"] == "votes":
        pytest.skip("votes need none")
    if key == "source_features":
        name = {"twice": content[key][1], "unknown": "f_unknown", 7: 7}[value]
        content[key] = [name, *content[key][1:]]
    elif isinstance(content[key], list):
        content[key] = [*content[key][:-1], value]
    else:
        content[key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="hyper_parameters was changed after train_deep_sets_model.py"):
        Classifier.load(model)
    del content["fingerprint"], content["model_parameters_fingerprint"]  # as the published tool's
    path.write_text(json.dumps(content))
    start = time.process_time()
    with pytest.raises(ValueError, match=message):
        Classifier.load(model)
    assert time.process_time() - start < 5, "of work, whatever else this machine does"


def test_a_change_of_a_model_can_be_meant(model):
    path = model / "hyper_parameters"
    content = json.loads(path.read_text())
    content["source_feature_means"][0] = 0.125
    path.write_text(json.dumps(content))
    assert Classifier.load(model, accept_changes=True).source_features.means[0] == pytest.approx(
        0.125 if "isochrone_convention" in content else -0.125
    )


# G. Warnings of a stage that then fails are lost.


def test_what_a_failed_stage_warned_of_reaches_the_user(tmp_path):
    def fails():
        warnings.warn("12 stars have infinite motions", stacklevel=1)
        raise OSError("no members are left")

    with pytest.warns(UserWarning, match="infinite motions"), pytest.raises(OSError, match="no members"):
        run_stage(tmp_path, Stage("sets", {}), fails)


# H. No file makes an internal error.


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", "[" * 50_000, '{"a":' * 50_000, "1" * 5_000, '{"sets": ' + "9" * 5_000 + "}", "\ud800"],
)
def test_a_damaged_json_file_is_one_line(tmp_path, text):
    (tmp_path / "x.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"x.json (is not a readable JSON file|holds a)") as caught:
        read_json(tmp_path / "x.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "record", [{"files": {}}, {"files": {}, "summary": 3}, {"files": {"members.csv": []}}, 7]
)
def test_a_record_without_what_it_needs_counts_as_absent(tmp_path, record):
    (tmp_path / PROVENANCE).write_text(json.dumps({"sets": record}))
    assert run_stage(tmp_path, Stage("sets", {}), lambda: ({"members": 7}, [])) == {"members": 7}


# J. Files are UTF-8 whatever the locale.


def test_files_are_read_and_written_as_utf8_in_any_locale(tmp_path):
    code = (
        "import sys; from gaia_oc_amd.files.data_directory import read_json, write_json\n"
        "from gaia_oc_amd.archive.login import read_credentials, write_credentials\n"
        "from gaia_oc_amd.command_line import run\n"
        "def main():\n"
        "    assert sys.flags.utf8_mode == 0\n"
        "    write_json('x.json', {'name': 'Mölln λ ≥ 1'})\n"
        "    assert read_json('x.json') == {'name': 'Mölln λ ≥ 1'}\n"
        "    write_credentials('login', 'Zoë', 'pässword')\n"
        "    assert read_credentials('login') == ('Zoë', 'pässword')\n"
        "    print('Mölln λ ≥ 1')\n"
        "    return 0\n"
        "run(main)\n"
    )
    (tmp_path / "script.py").write_text(code, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Mölln λ ≥ 1" in read_json(tmp_path / "x.json")["name"]


def test_no_text_file_is_opened_in_the_encoding_of_the_locale():
    import ast

    for path in (ROOT / "gaia_oc_amd").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute | ast.Name):
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
            words = {keyword.arg for keyword in call.keywords}
            modes = [item.value for item in call.args if isinstance(item, ast.Constant)]
            is_text = name in ("read_text", "write_text") and isinstance(call.func, ast.Attribute)
            is_text |= name == "open" and any(m in ("r", "w", "a") for m in modes)
            assert not is_text or "encoding" in words, f"{path.name}:{call.lineno}"


def test_credentials_that_others_can_read_are_said_so(tmp_path):
    write_credentials(tmp_path / "login", "a", "b")
    assert stat.S_IMODE((tmp_path / "login").stat().st_mode) == 0o600
    (tmp_path / "login").chmod(0o644)
    with pytest.warns(UserWarning, match="can be read by others"):
        read_credentials(tmp_path / "login")


# M. Reading one VOTable changes nothing about the next.


def test_a_unit_that_one_votable_made_up_does_not_change_the_next(tmp_path):
    import io

    from astropy import units
    from astropy.io.votable import parse_single_table

    from gaia_oc_amd.files.tables import read_table, write_table

    write_table(tmp_path / "ours.vot", pd.DataFrame({"phot_g_mean_flux": [1.0, 2.0]}), "votable")
    ours = (tmp_path / "ours.vot").read_text(encoding="utf-8")
    assert "'electron'.s**-1" in ours
    (tmp_path / "theirs.vot").write_text(ours.replace("'electron'.s**-1", "electron.s**-1"), encoding="utf-8")

    def unit_as_read():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = parse_single_table(io.BytesIO(ours.encode())).to_table()
        unit = table["phot_g_mean_flux"].unit
        units.format.VOUnit._custom_units.clear()
        return str(unit)

    units.format.VOUnit._custom_units.clear()
    alone = unit_as_read()
    read_table(tmp_path / "theirs.vot")
    assert unit_as_read() == alone
    write_table(tmp_path / "again.vot", pd.DataFrame({"phot_g_mean_flux": [1.0, 2.0]}), "votable")
    assert (tmp_path / "again.vot").read_text(encoding="utf-8") == ours


# L. Names, limits and folders.


def test_a_long_name_of_accented_letters_is_a_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert read_cluster_names(["é" * 150]) == ["é" * 150]


def test_a_limit_on_the_size_of_files_names_the_file_and_the_remedy(tmp_path):
    import resource

    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from gaia_oc_amd.files.data_directory import write_text\n"
        "write_text('long.txt', 'x' * 5000)\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "long.txt cannot be written: it is larger than a file may be here (ulimit -f)" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_shipped_model_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Classifier.load("deep_sets_model").probability == "posterior"
    write_text(tmp_path / "deep_sets_model" / "hyper_parameters", "{}")
    with pytest.raises(FileNotFoundError, match="deep_sets_model/model_parameters does not exist"):
        Classifier.load("deep_sets_model")
