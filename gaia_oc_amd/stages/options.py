"""The options of each script: which ones it takes, with their defaults where these are its own."""

from dataclasses import dataclass
from pathlib import Path

from gaia_oc_amd.catalogues.published import CMD_FORM, DEFAULT_KEYS, VIZIER
from gaia_oc_amd.cepheids.options import CepheidOptions, ClusterCepheidOptions, LawOptions, LmcOptions
from gaia_oc_amd.first_members.options import (
    FieldOptions,
    FirstMembersOptions,
    QualityOptions,
    SearchOptions,
)
from gaia_oc_amd.isochrone_fit.options import FittedMembersOptions, IsochroneFitOptions
from gaia_oc_amd.light_curves.options import LearningOptions, LightCurveOptions
from gaia_oc_amd.options import (
    ConeOptions,
    ExportOptions,
    FigureOptions,
    GivenCluster,
    MemberOptions,
    Options,
    PlotOptions,
    SamplingOptions,
    SelectionOptions,
    TablePaths,
    TrainingOptions,
    option,
    part,
    positional,
)
from gaia_oc_amd.simulation.options import SimulationOptions as SimulatedCluster
from gaia_oc_amd.validation.options import ValidationOptions as Validation

SHIPPED_MODEL = Path("deep_sets_model")
_ACCEPT = "take files that were changed after they were made (sets, cone, model) as they are, and record it"


@dataclass(frozen=True)
class BuildOptions(Options):
    """Of build_sets.py."""

    paths: TablePaths = part(TablePaths())
    given: GivenCluster = part(GivenCluster())
    first: FirstMembersOptions = part(FirstMembersOptions())
    cone: ConeOptions = part(ConeOptions())
    member: MemberOptions = part(MemberOptions())
    selection: SelectionOptions = part(SelectionOptions())
    figures: FigureOptions = part(FigureOptions())
    export: ExportOptions = part(ExportOptions(), "table_format")
    overwrite: bool = option(False, "build sets again that are there, made with the same options")
    accept_changes: bool = option(False, _ACCEPT)
    save_defaults: bool = option(
        False, "let defaults.toml in the data directory keep the paths; the first build does so by itself"
    )


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """Of evaluate_clusters.py."""

    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    sampling: SamplingOptions = part(SamplingOptions())
    plots: PlotOptions = part(PlotOptions())
    figures: FigureOptions = part(FigureOptions())
    export: ExportOptions = part(ExportOptions())
    plot_only: bool = option(False, "draw the plots of an earlier evaluation again")
    overwrite: bool = option(False, "evaluate again what is evaluated, with the same model and options")
    accept_changes: bool = option(False, _ACCEPT)


@dataclass(frozen=True)
class TrainOptions(Options):
    """Of train_deep_sets_model.py."""

    model_dir: Path = option(Path("trained_model"), "folder that the model is written to")
    training: TrainingOptions = part(TrainingOptions())
    figures: FigureOptions = part(FigureOptions())
    resume: bool = option(False, "go on from the checkpoint of an interrupted training")
    accept_changes: bool = option(False, _ACCEPT)
    load_model: bool = option(False, "start from the trained model that is in model_dir, and replace it")
    overwrite: bool = option(False, "replace a model that is in model_dir; it is kept beside it")


@dataclass(frozen=True)
class ValidateOptions(Options):
    """Of validate_clusters.py."""

    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    validation: Validation = part(Validation())
    sampling: SamplingOptions = part(SamplingOptions(), "probability", "n_samples", "size_support_set")
    paths: TablePaths = part(TablePaths(), "isochrone_path", "isochrone_rotation")
    figures: FigureOptions = part(FigureOptions())
    overwrite: bool = option(False, "validate again what was validated with the same model and options")
    accept_changes: bool = option(False, _ACCEPT)


@dataclass(frozen=True)
class ExplainOptions(Options):
    """Of explain_stars.py."""

    cluster: str | None = positional("a cluster whose sets were built")
    stars: tuple[str, ...] = positional(
        "identifiers of Gaia DR3, positions (120.1234,-19.0512 in degrees), or tables with source_id or ra and dec",
        several=True,
    )
    from_: str | None = option(
        None, "member list whose stars of the cluster are explained: a catalogue's name, as t22, or a file"
    )
    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    prob_threshold: float = option(0.5, "smallest probability of a member", above=0, at_most=1)
    sampling: SamplingOptions = part(SamplingOptions(), "probability", "n_samples", "size_support_set")
    accept_changes: bool = option(False, _ACCEPT)


@dataclass(frozen=True)
class CompareOptions(Options):
    """Of compare_with_list.py."""

    prob_threshold: float | None = option(
        None, "smallest probability of a member (default: that of each evaluation)", above=0, at_most=1
    )
    figures: FigureOptions = part(FigureOptions())


@dataclass(frozen=True)
class FitOptions(Options):
    """Of fit_isochrone.py."""

    member: FittedMembersOptions = part(FittedMembersOptions())
    fit: IsochroneFitOptions = part(IsochroneFitOptions())
    paths: TablePaths = part(
        TablePaths(),
        "catalogue",
        "cluster_path",
        "members_path",
        "isochrone_path",
        "isochrone_rotation",
        "credentials_path",
        "columns",
    )
    cone: ConeOptions = part(ConeOptions(), "cone_source", "cone_radius")
    figures: FigureOptions = part(FigureOptions())
    light_curve_age: bool = option(
        False,
        "take the age that estimate_light_curve_age.py gave the cluster as prior, if light curves tell ages",
    )
    accept_changes: bool = option(False, _ACCEPT)


@dataclass(frozen=True)
class FindOptions(Options):
    """Of find_first_members.py."""

    field: FieldOptions = part(FieldOptions())
    quality: QualityOptions = part(QualityOptions())
    search: SearchOptions = part(SearchOptions())
    cone: ConeOptions = part(ConeOptions(), "cone_source", "cone_format", "overwrite_cone")
    paths: TablePaths = part(
        TablePaths(),
        "catalogue",
        "cluster_path",
        "isochrone_path",
        "isochrone_rotation",
        "credentials_path",
        "columns",
    )
    figures: FigureOptions = part(FigureOptions())
    fit_isochrone: bool = option(
        False, "fit age, extinction and distance to the colours and magnitudes of the members"
    )
    overwrite: bool = option(False, "search again although it was done with the same options")


@dataclass(frozen=True)
class SimulateOptions(Options):
    """Of simulate_clusters.py."""

    cluster: SimulatedCluster = part(SimulatedCluster())


@dataclass(frozen=True)
class LeavittOptions(Options):
    """Of fit_leavitt_law.py."""

    cepheids: CepheidOptions = part(CepheidOptions())
    law: LawOptions = part(LawOptions())
    lmc: LmcOptions = part(LmcOptions())
    cluster: ClusterCepheidOptions = part(ClusterCepheidOptions())
    figures: FigureOptions = part(FigureOptions())


@dataclass(frozen=True)
class LightCurveAgeOptions(Options):
    """Of estimate_light_curve_age.py."""

    light_curves: LightCurveOptions = part(LightCurveOptions())
    learning: LearningOptions = part(LearningOptions())
    figures: FigureOptions = part(FigureOptions())


@dataclass(frozen=True)
class CatalogueDownload(Options):
    """Of download_members_and_cluster_params.py."""

    catalogues: tuple[str, ...] = option(DEFAULT_KEYS, "which ones of the list above")
    overwrite: bool = option(False, "replace existing files")
    server: str = option(VIZIER, "host name of VizieR or of one of its mirrors")


@dataclass(frozen=True)
class IsochroneDownload(Options):
    """Of download_isochrones.py."""

    log_age_min: float = option(6.0, "first log10 of the age [yr]")
    log_age_max: float = option(9.99, "last log10 of the age [yr]")
    log_age_step: float = option(0.01, "step in log10 of the age; at most 400 isochrones are given at once")
    metal_frac: float = option(0.0152, "metal fraction Z")
    overwrite: bool = option(False, "replace an existing file")
    url: str = option(CMD_FORM, "address of the CMD web form")


@dataclass(frozen=True)
class CredentialsOptions(Options):
    """Of create_gaia_credentials_file.py."""

    username: str | None = positional("user name; asked for if missing")
    password: str | None = positional("better left out: then it is asked for, and not shown")
    credentials_path: Path | None = option(None, "the file (default: gaia_credentials in the data directory)")
    overwrite: bool = option(False, "replace an existing file")
