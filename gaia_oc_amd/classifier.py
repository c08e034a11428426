"""The classifier: network, standardisation and file format in one object."""

import io
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gaia_oc_amd._version import __version__
from gaia_oc_amd.arguments import checked
from gaia_oc_amd.cluster import Cluster
from gaia_oc_amd.columns import SET_COLUMNS
from gaia_oc_amd.evidence import CONE_FEATURES, STAR_FEATURES, SUPPORT_FEATURES
from gaia_oc_amd.exceptions import one_line
from gaia_oc_amd.fast_deep_sets import CompiledJudge, Judge, Weights, weight_shapes
from gaia_oc_amd.files.data_directory import read_json, write_atomically, write_json
from gaia_oc_amd.files.provenance import (
    arrays_fingerprint,
    file_fingerprint,
    sealed,
    value_fingerprint,
    without_seal,
)
from gaia_oc_amd.model_files import HYPER_PARAMETERS, LARGEST_WEIGHTS, WEIGHTS, ModelFiles
from gaia_oc_amd.model_files import MODEL_PARAMETERS as MODEL_PARAMETERS

if TYPE_CHECKING:
    from gaia_oc_amd.deep_sets import DeepSets

METRICS = "metrics"

_ISOCHRONE_FEATURES = ("f_c", "f_g")
_CONVENTION = "star - isochrone"

LARGEST_HIDDEN_SIZE = 4096
_LARGEST_WEIGHT = 1e6  # either way; those of trained networks are below 100
_MOST_FEATURES = 200
_MEANS, _STDS = 1e6, (1e-6, 1e6)
"""Bounds of a feature's mean, either way, and of its standard deviation; ours lie between 0.01 and 20."""


@dataclass(frozen=True)
class Standardisation:
    """Means and standard deviations that features are standardised with.

    Parameters
    ----------
    names : tuple of str
        Features, in the order of the arrays.
    means, stds : ndarray, shape (n_features,)
        In the units of the features.
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    stds: NDArray[np.float64]

    @classmethod
    def of(cls, table: pd.DataFrame, names: tuple[str, ...]) -> "Standardisation":
        """Standardisation of the columns of a table; a column without spread gets the scale 1."""
        values = table[list(names)].to_numpy(float)
        stds = values.std(axis=0)
        return cls(names, values.mean(axis=0), np.where(stds > 0, stds, 1.0))

    def __call__(self, values: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
        """Standardise an array whose last axis holds the features, as float32."""
        return ((values - self.means) / self.stds).astype(np.float32)


@dataclass(frozen=True)
class Classifier:
    """Tells members from non-members, given the features of a star and of some members.

    Parameters
    ----------
    weights : mapping
        Weights and biases of the network, `fast_deep_sets.weight_shapes`.
    source_features, cluster_features : Standardisation
        Which features the network reads, and how they are standardised.
    hyper_parameters : dict
        Everything else that is worth knowing about the training.
    support_features : Standardisation, optional
        Features of the support stars where they are not those of the source itself.
    """

    weights: Weights
    source_features: Standardisation
    cluster_features: Standardisation
    hyper_parameters: dict[str, Any] = field(default_factory=dict)
    support_features: Standardisation | None = None

    @property
    def probability(self) -> Literal["votes", "posterior"]:
        """What the model was trained for: "votes", the published definition, or "posterior"."""
        return "posterior" if self.hyper_parameters.get("probability") == "posterior" else "votes"

    @property
    def network(self) -> "DeepSets":
        """The network in PyTorch."""
        from gaia_oc_amd.deep_sets import DeepSets

        return DeepSets.of(self.weights, len((self.support_features or self.source_features).names))

    @property
    def hidden_size(self) -> int:
        """Width of its layers."""
        return len(self.weights["ro.1.bias"])

    def fingerprint(self) -> str:
        """Fingerprint of everything that its probabilities depend on."""
        kinds = (self.source_features, self.cluster_features, self.support_features)
        features = [(kind.names, kind.means, kind.stds) if kind else None for kind in kinds]
        return value_fingerprint([arrays_fingerprint(dict(self.weights)), features, self.hyper_parameters])

    def judge(
        self,
        support: pd.DataFrame,
        whole: Mapping[str, float],
        *,
        device: str = "cpu",
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> Judge:
        """The network, ready for many stars of one cluster, whose features it standardises itself.

        Parameters
        ----------
        support : DataFrame
            Features of the members that support sets are drawn from, all finite.
        whole : mapping
            The cluster features: of the cluster, or of the cone.
        device, precision : str
            As for `make_judge`.

        Returns
        -------
        Judge
            Takes features of stars as they are, shape (n, n_source_features) in the order of ``source_features.names``,
            and their support sets as rows of `support`.

        Raises
        ------
        ValueError
            If there is no such device.
        """
        of_support = self.support_features or self.source_features
        standardised = of_support(support[list(of_support.names)].to_numpy(float))
        judge = make_judge(self.weights, standardised, device=device, precision=precision)
        of_whole = self.cluster_features(
            np.array([whole[name] for name in self.cluster_features.names], float)
        )

        def of_stars(candidates: NDArray[np.floating], chosen: NDArray[np.int64]) -> NDArray[np.float32]:
            whole = np.broadcast_to(of_whole, (len(candidates), len(of_whole)))
            return judge(np.hstack([self.source_features(candidates), whole]), chosen)

        return of_stars

    def save(self, model_dir: Path | str) -> None:
        """Write ``hyper_parameters`` (JSON) and ``model_parameters`` (arrays) into a folder."""
        kinds = {
            "source": self.source_features,
            "cluster": self.cluster_features,
            "support": self.support_features,
        }
        content = dict(self.hyper_parameters)
        for kind, features in kinds.items():
            if features:
                content |= {
                    f"{kind}_features": features.names,
                    f"{kind}_feature_means": features.means,
                    f"{kind}_feature_stds": features.stds,
                }
        content |= {
            "hidden_size": self.hidden_size,
            "isochrone_convention": _CONVENTION,
            "version": __version__,
        }
        model_dir, arrays = Path(model_dir), cast(dict[str, Any], self.weights)
        with ExitStack() as files:  # which renames in the opposite order: hyper_parameters last
            settings = files.enter_context(write_atomically(model_dir / HYPER_PARAMETERS))
            weights = files.enter_context(write_atomically(model_dir / MODEL_PARAMETERS))
            with weights.open("wb") as file:
                np.savez(file, **arrays)
            write_json(settings, sealed(content | {WEIGHTS: file_fingerprint(weights)}))
            (model_dir / HYPER_PARAMETERS).unlink(missing_ok=True)

    @classmethod
    @checked
    def load(cls, model_dir: Path | str, *, accept_changes: bool = False) -> "Classifier":
        """Read a model folder, ours or one of the published tool (DS10_v01, DS10_v02).

        See `of` and `ModelFiles.read`, whose parameters and errors these are.
        """
        return cls.of(ModelFiles.read(model_dir, accept_changes=accept_changes))

    @classmethod
    def of(cls, files: ModelFiles) -> "Classifier":
        """Classifier of a model folder that was read.

        The weights are read as arrays only, never as pickled code; those that PyTorch wrote, as the published tool and
        earlier versions of this one did, are read by PyTorch. The published tool's isochrone features are
        isochrone minus star; the sign is turned here, so that features mean the same everywhere.

        Parameters
        ----------
        files : ModelFiles
            The folder.

        Returns
        -------
        Classifier

        Raises
        ------
        ValueError
            If the files are damaged, do not belong together, or hold what no model has.
        """
        content = _with_our_keys(
            {name: value for name, value in without_seal(files.settings).items() if name != WEIGHTS}
        )
        try:
            sources, clusters = _standardisation(content, "source"), _standardisation(content, "cluster")
            support = _standardisation(content, "support") if "support_features" in content else None
            _refuse_odd_settings(content, sources, clusters, support)
            shapes = weight_shapes(
                len(sources.names) + len(clusters.names),
                len((support or sources).names),
                content["hidden_size"],
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{files.folder / HYPER_PARAMETERS} lacks or garbles {error}: is it a model folder?"
            ) from error
        return cls(_weights(files, shapes), sources, clusters, content, support)


def make_judge(
    weights: Weights,
    support: NDArray[np.float32],
    *,
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
) -> Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.float32]]:
    """Make a network ready for judging many stars against the members of one cluster.

    Parameters
    ----------
    weights : mapping
        Of the trained network, as `fast_deep_sets.weight_shapes` says.
    support : ndarray of float32, shape (n_members, n_support_features)
        Standardised features of the members.
    device : str
        "cpu", "cuda" or "cuda:N".
    precision : {'float32', 'bfloat16'}
        Of the network's arithmetic.

    Returns
    -------
    callable
        As `Judge`, but for standardised features of star and cluster, as float32. It may be called from several threads
        at once, and what it says of a star does not depend on their number.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "cpu" and precision == "float32":
        return CompiledJudge(weights, support)
    from gaia_oc_amd.deep_sets import TorchJudge

    return TorchJudge(weights, support, device, precision)


def _refuse_odd_settings(
    content: dict[str, Any],
    sources: Standardisation,
    clusters: Standardisation,
    support: Standardisation | None,
) -> None:
    """Refuse settings that no training writes, before a network of that size is made."""
    size, kind = content["hidden_size"], content.get("probability", "votes")
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST_HIDDEN_SIZE:
        raise ValueError(f"hidden_size, which is {size!s:.40} and must be 1 to {LARGEST_HIDDEN_SIZE}")
    if kind not in ("votes", "posterior"):
        raise ValueError(f"probability, which is {kind!s:.40} and must be votes or posterior")
    if kind == "posterior" and not isinstance(content.get("calibration"), dict):
        raise ValueError("the calibration, which a posterior network needs")
    for features, known in zip((sources, clusters, support or sources), _KNOWN[kind], strict=True):
        if unknown := sorted(set(features.names) - set(known)):
            raise ValueError(f"the features {', '.join(unknown)}, which nothing computes")


_KNOWN = {
    "votes": (SET_COLUMNS, set(Cluster.__dataclass_fields__) - {"name"}, SET_COLUMNS),
    "posterior": (STAR_FEATURES, CONE_FEATURES, (*STAR_FEATURES, *SUPPORT_FEATURES)),
}
"""Features of a star, a cluster and a support star that a network of each kind can have."""


_FIRST_KEY = "training_features"
_FIRST_KEYS = {
    _FIRST_KEY: "source_features",
    "training_feature_means": "source_feature_means",
    "training_feature_stds": "source_feature_stds",
}
"""Keys of the published tool's first models, which knew no features of the cluster, and ours."""


def _with_our_keys(content: dict[str, Any]) -> dict[str, Any]:
    """Hyper-parameters under our names."""
    if _FIRST_KEY not in content:
        return content
    of_cluster: dict[str, Any] = {f"cluster_feature{end}": [] for end in ("s", "_means", "_stds")}
    return of_cluster | {_FIRST_KEYS.get(key, key): value for key, value in content.items()}


def _standardisation(content: dict[str, Any], kind: str) -> Standardisation:
    """Standardisation from the hyper-parameters, in our sign convention."""
    names = tuple(content[f"{kind}_features"])
    if not all(isinstance(name, str) and name.isidentifier() for name in names):
        raise ValueError(f"the {kind} features, which must be names")
    fewest = 0 if kind == "cluster" else 1
    if len(set(names)) < len(names) or not fewest <= len(names) <= _MOST_FEATURES:
        raise ValueError(f"the {kind} features, which must be different and {fewest} to {_MOST_FEATURES}")
    means, stds = (np.array(content[f"{kind}_feature_{what}"], float) for what in ("means", "stds"))
    if not len(names) == len(means) == len(stds):
        raise ValueError(
            f"the {kind} features: {len(names)} names, {len(means)} means and {len(stds)} standard deviations"
        )
    within = (np.abs(means) <= _MEANS) & (stds >= _STDS[0]) & (stds <= _STDS[1])
    if not within.all():  # NaN is not, either
        raise ValueError(
            f"the {kind} feature {names[int(np.argmin(within))]}, whose mean must be within {_MEANS:g} of 0 and its "
            f"standard deviation between {_STDS[0]:g} and {_STDS[1]:g}"
        )
    if content.get("isochrone_convention") != _CONVENTION:
        sign = np.where(np.isin(names, _ISOCHRONE_FEATURES), -1.0, 1.0)
        means, stds = sign * means, sign * stds
    return Standardisation(names, means, stds)


def _weights(files: ModelFiles, shapes: dict[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Weights and biases of a model folder, whoever wrote them, with these names and shapes."""
    try:
        _refuse_outsized(files.weights)
        content = _arrays(files.weights, set(shapes))
        for name, shape in shapes.items():
            if content[name].shape != shape or content[name].dtype.kind != "f":
                raise ValueError(f"{name} has not the shape {shape}, or holds no floating-point numbers")
            if not (np.abs(content[name]) <= _LARGEST_WEIGHT).all():  # NaN is not, either
                raise ValueError(f"a weight is not within {_LARGEST_WEIGHT:g} of 0")
    except Exception as error:  # NumPy and torch raise many types for damaged, foreign or hostile files
        raise ValueError(
            f"{files.folder / MODEL_PARAMETERS} does not hold the weights of this network ({type(error).__name__}: "
            f"{one_line(error, 200)}): it is damaged, holds code, or does not fit the features in hyper_parameters."
        ) from error
    return {name: content[name].astype(np.float32) for name in shapes}


def _arrays(weights: bytes, names: set[str]) -> dict[str, NDArray[Any]]:
    """Arrays of these names from a file of NumPy's, or of tensors that PyTorch wrote."""
    if not weights.startswith((b"PK", b"\x80")):  # an archive, or what PyTorch wrote before it wrote archives
        raise ValueError("it is a file of neither NumPy nor PyTorch")
    if weights.startswith(b"PK"):
        if not zipfile.is_zipfile(io.BytesIO(weights)):
            raise ValueError("it is truncated")
        with zipfile.ZipFile(io.BytesIO(weights)) as archive:
            is_ours = all(name.endswith(".npy") for name in archive.namelist())
        if is_ours:
            with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
                _refuse_other_names(set(arrays.files), names)  # before they are unpacked
                return dict(arrays)
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
    _refuse_other_names(set(tensors), names)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _refuse_other_names(found: set[str], names: set[str]) -> None:
    if differing := sorted(found ^ names):
        raise ValueError(f"{differing[0]} is missing or unknown")


def _refuse_outsized(weights: bytes) -> None:
    """Refuse weights that would grow in memory: neither NumPy nor PyTorch compresses what they write here."""
    if zipfile.is_zipfile(io.BytesIO(weights)):
        with zipfile.ZipFile(io.BytesIO(weights)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > LARGEST_WEIGHTS:
            raise ValueError(f"it has {size} bytes, at most {LARGEST_WEIGHTS} are read")


def load_metrics(model_dir: Path | str) -> dict[str, Any]:
    """Training metrics of a model folder.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are none, or they are damaged.
    """
    path = Path(model_dir) / METRICS
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: the model was not trained here.")
    return read_json(path)
