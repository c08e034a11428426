"""The options of image classification."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gaia_oc_amd.options import WHOLE_FIGURES, FigureOptions, Options, option, part, require


@dataclass(frozen=True)
class ImageOptions(Options):
    """Which images, and how they are made alike.

    Each band of an image is scaled between two of its own percentiles, so that neither distance nor exposure decides.
    """

    title = "Images"

    images: str | None = option(
        None, "folder with a folder of images (FITS, PNG) for each class, or simulated; to learn from"
    )
    apply: Path | None = option(
        None, "folder of images to classify, by the network learned now or, without --images, earlier"
    )
    size: int = option(32, "pixels on a side that images are resized to", at_least=8, at_most=512)
    stretch: Literal["asinh", "linear"] = option("asinh", "how brightness is scaled, asinh shows faint parts")
    lower_percentile: float = option(1.0, "percentile of the pixels that becomes 0", at_least=0, below=50)
    upper_percentile: float = option(99.7, "percentile of the pixels that becomes 1", above=50, at_most=100)
    keep_colours: bool = option(False, "scale all bands of an image alike, which keeps its colours")
    max_missing: float = option(
        0.1, "largest share of pixels without a value; they get the median of their band", at_least=0, below=1
    )


@dataclass(frozen=True)
class AugmentationOptions(Options):
    """How images are changed each time that a network sees them, so that it learns what stays the same."""

    title = "Augmentation"

    turns: bool = option(True, "turn images by any angle")
    flips: bool = option(True, "flip images")
    max_shift: float = option(0.08, "largest shift, as a fraction of the image's side", at_least=0, below=0.5)
    noise: float = option(
        0.03, "largest standard deviation of added noise, in units of the scaled brightness", at_least=0
    )


@dataclass(frozen=True)
class TrainingOptions(Options):
    """How the networks are found: hyper-parameters drawn at random, several seeds of the best.

    Training, validation and test images are drawn from each class alike. Early stopping, search and temperature use
    the validation images, the report the test images alone.
    """

    title = "Learning"

    n_search: int = option(6, "draws of hyper-parameters of each network", at_least=1)
    n_seeds: int = option(3, "networks of the best, whose logits are averaged", at_least=1, at_most=50)
    max_epochs: int = option(60, "most passes over the training images", at_least=1)
    patience: int = option(10, "passes without a better validation loss before a network stops", at_least=1)
    batch_size: int = option(32, "images of a step", at_least=2)
    validation_fraction: float = option(0.2, "share of the images that validate", above=0, below=0.5)
    test_fraction: float = option(0.2, "share of the images that test", above=0, below=0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        left = 1 - self.validation_fraction - self.test_fraction
        require(left >= 0.2, self, "test_fraction", "so that a fifth of the images is left for training")


@dataclass(frozen=True)
class ClassifyImagesOptions(Options):
    """Of classify_images.py."""

    images: ImageOptions = part(ImageOptions())
    augmentation: AugmentationOptions = part(AugmentationOptions())
    training: TrainingOptions = part(TrainingOptions())
    figures: FigureOptions = part(FigureOptions(), *WHOLE_FIGURES)
