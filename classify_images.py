"""Classify images by a fully connected and a convolutional network, and say whether these beat a linear classifier.

A folder holds a folder of images (FITS with one or more bands, PNG) for each class. The first line says how many test
images the network names rightly, beside logistic regression of the pixels and the most frequent class. The network,
tables and plots go to the folder images of the data directory; --apply classifies further images.

example: python classify_images.py --images simulated --data_dir simulated_data
         python classify_images.py --images my_classes --apply my_images
"""

from gaia_oc_amd.command_line import read_command_line, run
from gaia_oc_amd.images.options import ClassifyImagesOptions


def main(argv: list[str] | None = None) -> int:
    """Train, judge, apply; the exit code is 0 only if all that was asked for was done."""
    given = read_command_line(
        __doc__, ClassifyImagesOptions, argv, clusters=None, leave_out=("workers", "scheduler")
    )
    from gaia_oc_amd.batch import finish
    from gaia_oc_amd.stages.classify_images import classify_images

    command = given.command.replace(" {}", "")
    return finish(
        [], classify_images(given.run.data_dir, given.options, seed=given.run.seed, command=command)
    )


if __name__ == "__main__":
    run(main)
