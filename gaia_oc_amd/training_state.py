"""Where a training stands, and the checkpoint file that keeps it."""

import math
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gaia_oc_amd.files.data_directory import write_atomically

History = dict[str, list[float]]


@dataclass
class TrainingState:
    """Where a training stands; what a checkpoint holds.

    Parameters
    ----------
    network, optimiser : dict
        Their state dicts.
    best_network : dict
        State of the best epoch.
    best_score : float
        F1, or minus the loss, of that epoch.
    best_epoch : int
        That epoch, from 0; -1 before the first.
    train, validation : dict of lists
        Loss and metrics, one value per epoch.
    """

    network: dict[str, Any]
    optimiser: dict[str, Any]
    best_network: dict[str, Any]
    best_score: float = -math.inf
    best_epoch: int = -1
    train: History = field(default_factory=dict)
    validation: History = field(default_factory=dict)

    @property
    def n_epochs(self) -> int:
        """Number of epochs done."""
        return len(self.train.get("loss", []))


@dataclass(frozen=True)
class Checkpoint:
    """The file that a training can go on from.

    Parameters
    ----------
    path : path
        The file.
    made_with : dict
        Hyper-parameters: a training resumes only what was made with the same.
    resume : bool
        Whether to start from the file.
    """

    path: Path
    made_with: dict[str, Any]
    resume: bool = False

    def write(self, state: TrainingState) -> None:
        """Keep the state, as a whole or not at all."""
        with write_atomically(self.path) as temporary, temporary.open("wb") as file:
            torch.save({"state": vars(state), "made_with": self.made_with}, file)

    def read(self) -> TrainingState:
        """State of the interrupted training; only tensors and plain values are read, never pickled code.

        Raises
        ------
        FileNotFoundError
            If there is no checkpoint.
        ValueError
            If it is damaged, or belongs to a training with other clusters or options.
        """
        if not self.path.exists():
            raise FileNotFoundError(
                f"{self.path} does not exist, nothing can be resumed: train without --resume."
            )
        try:
            content = torch.load(self.path, weights_only=True)
            state, kept = TrainingState(**content["state"]), content["made_with"]
        except (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError, ValueError) as error:
            raise ValueError(f"{self.path} is not a readable checkpoint: train without --resume.") from error
        changed = [
            key for key in self.made_with if self.made_with[key] != kept.get(key) and key != "n_epochs"
        ]
        if changed:
            raise ValueError(
                f"{self.path} belongs to a training with another {', '.join(changed)}: "
                "use the same clusters and options, or train without --resume."
            )
        return state
