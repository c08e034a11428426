"""Stars of simulated cones with their truth, and what each method says of them, kept in a cache."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gaia_oc_amd.files.data_directory import write_atomically
from gaia_oc_amd.source_sets import load_sets
from gaia_oc_amd.truth import read_truth

FEATURES = ["source_id", "f_r", "f_pm", "f_plx", "f_c", "f_g", "phot_g_mean_mag"]


@dataclass(frozen=True)
class Cone:
    """One cluster's stars.

    Parameters
    ----------
    name : str
        Cluster.
    sets : SourceSets
        Its sets.
    stars : DataFrame
        Training members and candidates: the stars that are judged.
    is_member : ndarray of bool, shape (n_stars,)
        Truth.
    lost : DataFrame
        True members that the candidate selection sorted out; every method that relies on it misses them.
    n_outside : int
        True members beyond the cone's cut in proper motion and parallax; they count nowhere.
    digest : str
        Changes with the sets and with the truth.
    """

    name: str
    sets: object
    stars: pd.DataFrame
    is_member: np.ndarray
    lost: pd.DataFrame
    n_outside: int
    digest: str

    @classmethod
    def load(cls, name, data_dir, truth_dir=None):
        """Sets and truth of a cluster."""
        sets = load_sets(name, data_dir)
        truth = read_truth(sets.cluster.name, truth_dir or data_dir)
        if truth is None:
            raise FileNotFoundError(f"{name} has no truth.csv in {truth_dir or data_dir}: give --truth_dir.")
        true_ids = truth.loc[truth["is_member"], "source_id"]
        stars = pd.concat([sets.members, sets.candidates], ignore_index=True)
        is_member = stars["source_id"].isin(true_ids).to_numpy()
        lost = sets.non_members[sets.non_members["source_id"].isin(true_ids)]
        n_outside = len(true_ids) - int(is_member.sum()) - len(lost)
        return cls(sets.cluster.name, sets, stars, is_member, lost, n_outside, _digest(sets, true_ids))

    def table(self):
        """What the figures need of every judged or lost star."""
        table = pd.concat([self.stars, self.lost], ignore_index=True)[["source_id", "phot_g_mean_mag", "f_r"]]
        n_lost = len(self.lost)
        return table.assign(
            cluster=self.name,
            is_member=np.append(self.is_member, np.ones(n_lost, bool)),
            lost=np.append(np.zeros(len(self.stars), bool), np.ones(n_lost, bool)),
            dist=self.sets.cluster.dist,
            age=self.sets.cluster.age,
            richness=int(self.is_member.sum()) + n_lost,
        )


def _digest(sets, true_ids):
    """Of everything that a method could read; PMemb, which an evaluation rewrites, is not part of it."""
    digest = hashlib.sha256(repr((sets.cluster, sets.limits, sets.colour)).encode())
    for table in (sets.members, sets.candidates, sets.non_members):
        digest.update(table[FEATURES].to_numpy(float).tobytes())
    digest.update(np.sort(true_ids.to_numpy()).tobytes())
    return digest.hexdigest()


def digest_of(*parts):
    """One digest of texts, numbers and files."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else repr(part).encode())
    return digest.hexdigest()[:16]


def cached(folder, method, cluster, digest, compute):
    """Probabilities from the cache, or computed and put there.

    Parameters
    ----------
    folder : Path or None
        The cache; None keeps nothing.
    method, cluster : str
        Whose probabilities.
    digest : str
        Of all that they depend on.
    compute : callable
        Gives an array.

    Returns
    -------
    ndarray, bool
        Probabilities, and whether they were computed anew.
    """
    if folder is None:
        return compute(), True
    path = folder / method / f"{cluster}.{digest}.parquet"
    if path.exists():
        return pd.read_parquet(path)["p"].to_numpy(), False
    probabilities = compute()
    for stale in path.parent.glob(f"{cluster}.*.parquet"):
        stale.unlink()
    with write_atomically(path) as temporary:
        pd.DataFrame({"p": probabilities}).to_parquet(temporary)
    return probabilities, True
