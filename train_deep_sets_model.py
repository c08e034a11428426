"""Train the Deep Sets network on clusters whose sets were built.

The clusters are split at random into training and validation clusters. The weights of the best epoch are kept: that
with the highest F1 on the validation clusters, or with the lowest loss if the network gives posteriors. A model that is
there already is only replaced with --overwrite or --load_model, and a copy of it is kept beside the new one.

example: python train_deep_sets_model.py my_clusters.txt --model_dir my_model
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.stages.options import TrainOptions


def main(argv: list[str] | None = None) -> int:
    """Train one model on all named clusters."""
    given = read_command_line(__doc__, TrainOptions, argv, leave_out=("workers",))
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.train import best_epoch_text, train_model

    metrics = train_model(given.clusters, given.run.data_dir, given.options, seed=given.run.seed)
    return finish([], best_epoch_text(metrics, given.options.model_dir, given.run.data_dir))


if __name__ == "__main__":
    run(main)
