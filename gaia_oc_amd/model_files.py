"""The files of a model folder, compared with their fingerprints; `classifier` makes a network of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaia_oc_amd.files.data_directory import read_json
from gaia_oc_amd.files.provenance import (
    SEAL,
    ChangedFileError,
    bytes_fingerprint,
    is_intact,
    value_fingerprint,
)
from gaia_oc_amd.installation import shipped

HYPER_PARAMETERS = "hyper_parameters"
MODEL_PARAMETERS = "model_parameters"
WEIGHTS = "model_parameters_fingerprint"
"""Key of hyper_parameters under which the fingerprint of the other file stands."""
LARGEST_WEIGHTS = 1 << 30
"""Bytes of all arrays, unpacked: far more than the widest network that may be trained."""


@dataclass(frozen=True, eq=False)
class ModelFiles:
    """A model folder as it was read.

    Parameters
    ----------
    folder : Path
        Where it lies.
    settings : dict
        What hyper_parameters says.
    weights : bytes
        model_parameters, nothing of it unpacked.
    """

    folder: Path
    settings: dict[str, Any]
    weights: bytes

    @classmethod
    def read(cls, model_dir: Path | str, *, accept_changes: bool = False) -> "ModelFiles":
        """Read a model folder. Both files of ours are compared with their fingerprints; the published tool has none.

        Parameters
        ----------
        model_dir : path
            Folder with hyper_parameters and model_parameters; ``deep_sets_model`` is found from anywhere, the
            shipped one where no other is.
        accept_changes : bool
            Whether files that were changed after they were written count as they are.

        Returns
        -------
        ModelFiles

        Raises
        ------
        FileNotFoundError
            If the folder or one of its files does not exist.
        ChangedFileError
            If a file was changed after this program wrote it.
        ValueError
            If hyper_parameters is no JSON, or model_parameters is far too large.
        """
        folder = shipped(Path(model_dir))
        for name in (HYPER_PARAMETERS, MODEL_PARAMETERS):
            if not (folder / name).exists():
                raise FileNotFoundError(
                    f"{folder / name} does not exist: give a model folder with --model_dir."
                )
        size = (folder / MODEL_PARAMETERS).stat().st_size
        if size > LARGEST_WEIGHTS:
            raise ValueError(
                f"{folder / MODEL_PARAMETERS} has {size} bytes, at most {LARGEST_WEIGHTS} are read: is it a model?"
            )
        files = cls(folder, read_json(folder / HYPER_PARAMETERS), (folder / MODEL_PARAMETERS).read_bytes())
        if not accept_changes and (changed := files._changed()):
            raise ChangedFileError(
                f"{folder / changed} was changed after train_deep_sets_model.py made it: get or train the model "
                "anew, or give --accept_changes if the change is meant."
            )
        return files

    def fingerprint(self) -> str:
        """Fingerprint of all that probabilities depend on."""
        return value_fingerprint([self.settings, bytes_fingerprint(self.weights)])

    def are_as_written(self) -> bool:
        """Whether this program wrote both files as they are; those of the published tool, nobody can tell."""
        return WEIGHTS in self.settings and not self._changed()

    def _changed(self) -> str:
        """Name of a file that was changed after it was written, as far as that can be told; empty if there is none."""
        mark = self.settings.get(WEIGHTS)
        if not is_intact(self.settings) or (mark is not None and SEAL not in self.settings):
            return HYPER_PARAMETERS
        return "" if mark in (None, bytes_fingerprint(self.weights)) else MODEL_PARAMETERS
