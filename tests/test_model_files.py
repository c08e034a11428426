"""Model folders before a network is made of them: their fingerprints, without PyTorch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gaia_oc_amd.classifier import Classifier
from gaia_oc_amd.files.provenance import ChangedFileError
from gaia_oc_amd.model_files import HYPER_PARAMETERS, LARGEST_WEIGHTS, MODEL_PARAMETERS, WEIGHTS, ModelFiles
from gaia_oc_amd.options import SamplingOptions
from gaia_oc_amd.stages.many import read_model
from gaia_oc_amd.stages.options import EvaluateOptions

SHIPPED = Path(__file__).resolve().parents[1] / "deep_sets_model"


@pytest.fixture
def folder(tmp_path):
    """A copy of the shipped model."""
    for name in (HYPER_PARAMETERS, MODEL_PARAMETERS):
        shutil.copy(SHIPPED / name, tmp_path)
    return tmp_path


def rewrite(folder, **changes):
    """Change hyper_parameters; what is None goes."""
    path = folder / HYPER_PARAMETERS
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def unsealed(folder):
    """As the published tool writes a folder: without fingerprints."""
    rewrite(folder, fingerprint=None, **{WEIGHTS: None})


def test_a_fingerprint_is_of_both_files_and_of_no_place(folder):
    mark = ModelFiles.read(SHIPPED).fingerprint()
    assert ModelFiles.read(folder).fingerprint() == mark
    rewrite(folder, l2=0.5)
    marks = {mark, ModelFiles.read(folder, accept_changes=True).fingerprint()}
    with (folder / MODEL_PARAMETERS).open("ab") as file:
        file.write(b"0")
    marks.add(ModelFiles.read(folder, accept_changes=True).fingerprint())
    assert len(marks) == 3


@pytest.mark.parametrize("name", [HYPER_PARAMETERS, MODEL_PARAMETERS])
def test_a_changed_file_is_named_unless_the_change_is_meant(folder, name):
    assert ModelFiles.read(folder).are_as_written()
    if name == HYPER_PARAMETERS:
        rewrite(folder, l2=0.5)
    else:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    with pytest.raises(ChangedFileError, match=f"{name} was changed .* --accept_changes"):
        ModelFiles.read(folder)
    assert not ModelFiles.read(folder, accept_changes=True).are_as_written()


def test_a_folder_without_fingerprints_is_read(folder):
    unsealed(folder)
    assert not ModelFiles.read(folder).are_as_written()
    assert Classifier.load(folder).hyper_parameters == Classifier.load(SHIPPED).hyper_parameters


def test_weights_that_are_no_model_are_refused_unread(folder):
    with (folder / MODEL_PARAMETERS).open("r+b") as file:
        file.truncate(LARGEST_WEIGHTS + 1)  # a sparse file
    with pytest.raises(ValueError, match="at most 1073741824 are read"):
        ModelFiles.read(folder)


def test_a_stage_sees_a_damaged_folder_before_it_begins(folder):
    """Where fingerprints cannot tell, by making the network."""
    options = EvaluateOptions(sampling=SamplingOptions(), model_dir=folder)
    assert read_model(options).fingerprint() == ModelFiles.read(SHIPPED).fingerprint()
    unsealed(folder)
    assert read_model(options).settings["probability"] == "posterior"
    (folder / MODEL_PARAMETERS).write_bytes(b"no weights")
    with pytest.raises(ValueError, match="does not hold the weights"):
        read_model(options)


def test_a_fingerprint_needs_no_pytorch():
    code = (
        "import sys; from gaia_oc_amd.model_files import ModelFiles; "
        f"print(len(ModelFiles.read({str(SHIPPED)!r}).fingerprint()), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["32", "False"]
