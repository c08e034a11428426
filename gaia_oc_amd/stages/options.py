"""The options of the main path's scripts: which ones each takes; other scripts have theirs in their own folder."""

from dataclasses import dataclass
from pathlib import Path

from gaia_oc_amd.options import (
    ACCEPT_CHANGES,
    SHIPPED_MODEL,
    WHOLE_FIGURES,
    ConeOptions,
    ExportOptions,
    FigureOptions,
    GivenCluster,
    MemberOptions,
    Method,
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


@dataclass(frozen=True)
class FirstMembersOptions(Options):
    """How build_sets finds the members that it learns from, where no list has them."""

    title = "Input: first members, where no list has any"

    find_first_members: bool = option(
        False, "find members and parameters in the cluster's field, instead of reading lists"
    )
    method: Method = option("hdbscan", "method of the search, see find_first_members.py")
    search_radius: float | None = option(
        None,
        "radius of the field that is searched [deg] (default: that of 15 pc at a known distance, else 0.3)",
        above=0,
        at_most=20,
    )
    first_prob_threshold: float = option(
        0.8,
        "smallest PMemb of a found star that becomes a training member; it is a share of runs, seldom 1",
        at_least=0,
        at_most=1,
    )


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
    overwrite: bool = option(
        False, "build the sets again, even if they are there, made with the same options"
    )
    accept_changes: bool = option(False, ACCEPT_CHANGES)
    save_defaults: bool = option(
        False, "keep the given paths in defaults.toml of the data directory; the first build always does"
    )


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """Of evaluate_clusters.py."""

    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    sampling: SamplingOptions = part(SamplingOptions())
    plots: PlotOptions = part(PlotOptions())
    figures: FigureOptions = part(FigureOptions())
    export: ExportOptions = part(ExportOptions())
    plot_only: bool = option(False, "draw the plots of an earlier evaluation again, and judge nothing")
    overwrite: bool = option(False, "evaluate again, even if it was done with the same model and options")
    accept_changes: bool = option(False, ACCEPT_CHANGES)


@dataclass(frozen=True)
class TrainOptions(Options):
    """Of train_deep_sets_model.py."""

    model_dir: Path = option(Path("trained_model"), "folder that the model is written to")
    training: TrainingOptions = part(TrainingOptions())
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
    resume: bool = option(False, "go on from the checkpoint of an interrupted training")
    accept_changes: bool = option(False, ACCEPT_CHANGES)
    load_model: bool = option(False, "start from the trained model that is in model_dir, and replace it")
    overwrite: bool = option(False, "replace a model that is in model_dir; the old one is kept beside it")


@dataclass(frozen=True)
class ExplainOptions(Options):
    """Of explain_stars.py."""

    cluster: str | None = positional("a cluster whose sets were built")
    stars: tuple[str, ...] = positional(
        "identifiers of Gaia DR3, positions (120.1234,-19.0512 in degrees), or tables with source_id or ra and dec",
        several=True,
    )
    from_: str | None = option(
        None, "explain the cluster's stars of this list: a catalogue (t22), comparison, members, or a file"
    )
    model_dir: Path = option(SHIPPED_MODEL, "folder of the trained model")
    prob_threshold: float | None = option(
        None, "smallest probability of a member (default: that of the evaluation)", above=0, at_most=1
    )
    sampling: SamplingOptions = part(SamplingOptions(), "probability", "n_samples", "size_support_set")
    accept_changes: bool = option(False, ACCEPT_CHANGES)


@dataclass(frozen=True)
class CompareOptions(Options):
    """Of compare_with_list.py."""

    prob_threshold: float | None = option(
        None, "smallest probability of a member (default: that of each evaluation)", above=0, at_most=1
    )
    n_rows: int = option(
        4,
        "number of clusters, from the first, that get a row of panels in compared_members; 0 for none",
        at_least=0,
        at_most=6,
    )
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)


@dataclass(frozen=True)
class CredentialsOptions(Options):
    """Of create_gaia_credentials_file.py."""

    username: str | None = positional("user name; asked for if missing")
    password: str | None = positional("password; asked for, and not shown, if missing (safer)")
    credentials_path: Path | None = option(None, "the file (default: gaia_credentials in the data directory)")
    overwrite: bool = option(False, "replace an existing file")
