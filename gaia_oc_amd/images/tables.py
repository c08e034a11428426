"""Images from folders, made alike: the same bands, size and scale of brightness."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gaia_oc_amd.exceptions import ClusterError, missing_library, one_line
from gaia_oc_amd.files.containers import opened_fits
from gaia_oc_amd.images.options import ImageOptions

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".png")
_SQUARE = 1.1
"""Largest ratio of the sides of an image: its middle square is taken."""
_LEAST_PIXELS = 4
_SOFTENING = 10.0
"""Brightness, in units of the upper percentile's inverse, where asinh turns from linear to logarithmic."""


@dataclass(frozen=True)
class Images:
    """Images that are alike, and what they show.

    Parameters
    ----------
    pixels : ndarray of float32, shape (n, n_bands, size, size)
        0 to 1 between the percentiles.
    labels : ndarray of int64, shape (n,)
        Index of the class, -1 where it is unknown.
    classes : tuple of str
        In alphabetical order; empty where all are unknown.
    names : tuple of str
        Class and file of each image.
    """

    pixels: Array
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: tuple[str, ...]

    def part(self, rows: NDArray[np.int64]) -> "Images":
        """The images of some rows."""
        return Images(self.pixels[rows], self.labels[rows], self.classes, tuple(self.names[i] for i in rows))


def read_images(
    folder: Path | str, options: ImageOptions = ImageOptions(), *, labelled: bool = True
) -> Images:
    """Images of a folder: FITS with one or more bands (a cube, or an extension for each band), or PNG.

    Parameters
    ----------
    folder : path
        With a folder for each class if `labelled`, else with the images.
    options : ImageOptions
        How they are made alike.
    labelled : bool
        Whether the images' classes are known.

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds no image.
    ClusterError
        If there is but one class.
    ValueError
        If an image is damaged, no square, lacks too many pixels, or has other bands than the first.
    ImportError
        If scikit-image is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: give one with images.")
    if not labelled:
        paths = _images_in(folder)
        pixels = _alike([(str(path), read_image(path)) for path in paths], options)
        return Images(pixels, np.full(len(paths), -1), (), tuple(path.name for path in paths))
    folders = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if len(folders) < 2:
        raise ClusterError(
            f"{folder} holds {len(folders)} folder{'s'[len(folders) == 1 :]}: at least 2 classes are needed, each a "
            "folder of images."
        )
    files = [(number, path) for number, each in enumerate(folders) for path in _images_in(each)]
    pixels = _alike([(str(path), read_image(path)) for _, path in files], options)
    labels = np.array([number for number, _ in files])
    names = tuple(f"{path.parent.name}/{path.name}" for _, path in files)
    return Images(pixels, labels, tuple(each.name for each in folders), names)


def _images_in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES))
    if not found:
        raise FileNotFoundError(f"{folder} holds no image: it needs files that end in {', '.join(SUFFIXES)}.")
    return found


def read_image(path: Path) -> Array:
    """Bands of one image as they are, shape (n_bands, height, width).

    Raises
    ------
    ValueError
        If the file is damaged or holds no image.
    """
    try:
        bands = _read_png(path) if path.name.lower().endswith(".png") else _read_fits(path)
    except (OSError, TypeError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read ({one_line(error, 200)}): fetch or remove it.") from error
    if bands.ndim != 3 or min(bands.shape[1:], default=0) < _LEAST_PIXELS:
        shape = " x ".join(map(str, bands.shape))
        raise ValueError(
            f"{path} has the shape {shape}: an image has bands of at least {_LEAST_PIXELS} x {_LEAST_PIXELS} pixels."
        )
    return bands


def _read_fits(path: Path) -> Array:
    with opened_fits(path) as file:
        planes = [
            np.asarray(unit.data, np.float32) for unit in file if unit.is_image and unit.data is not None
        ]
    if not planes:
        raise ValueError(f"{path} holds no image: give FITS files with images, not tables.")
    planes = [plane.squeeze() if plane.ndim > 3 else plane for plane in planes]
    if planes[0].ndim != 2:
        return planes[0]
    if len({plane.shape for plane in planes}) > 1:
        shapes = ", ".join(" x ".join(map(str, plane.shape)) for plane in planes)
        raise ValueError(f"{path} has bands of different shapes ({shapes}): bring them to one grid.")
    return np.stack(planes)


def _read_png(path: Path) -> Array:
    """Grey or red, green and blue, the lowest row first as in FITS; how transparent a pixel is is no band."""
    with Image.open(path, formats=["PNG"]) as file:
        colours = file.convert("RGBA") if file.mode == "P" else file
        data = np.asarray(colours, np.float32)[::-1]
    if data.ndim == 2:
        return data[None]
    return np.moveaxis(data[..., : 3 if data.shape[-1] > 2 else 1], -1, 0)


def _alike(images: Sequence[tuple[str, Array]], options: ImageOptions) -> Array:
    first = images[0]
    for name, bands in images:
        if len(bands) != len(first[1]):
            raise ValueError(
                f"{name} has {len(bands)} bands, {first[0]} has {len(first[1])}: a band is missing, or one file is of "
                "another kind. Give all images the same bands."
            )
    return np.stack([prepare(bands, options, name=name) for name, bands in images])


def prepare(bands: Array, options: ImageOptions = ImageOptions(), *, name: str = "the image") -> Array:
    """One image filled, scaled, stretched and resized.

    Parameters
    ----------
    bands : ndarray, shape (n_bands, height, width)
        Brightness; NaN where there is none.
    options : ImageOptions
        How.
    name : str
        For messages.

    Returns
    -------
    ndarray of float32, shape (n_bands, size, size)

    Raises
    ------
    ValueError
        If the image is no square, lacks too many pixels, or a band has the same brightness everywhere.
    ImportError
        If scikit-image is not installed.
    """
    try:
        from skimage.transform import resize
    except ImportError as error:
        raise ImportError(missing_library("classify_images.py", error, "scikit-image>=0.25")) from error
    whole = _filled(_square(bands, name), options, name)
    axes = (0, 1, 2) if options.keep_colours else (1, 2)
    low, high = np.percentile(
        whole, [options.lower_percentile, options.upper_percentile], axis=axes, keepdims=True
    )
    if not (high > low).all():
        raise ValueError(
            f"{name} has a band of the same brightness everywhere: remove it, or raise --upper_percentile."
        )
    scaled = np.clip((whole - low) / (high - low), 0, 1)
    if options.stretch == "asinh":
        scaled = np.arcsinh(_SOFTENING * scaled) / np.arcsinh(_SOFTENING)
    shape = (len(scaled), options.size, options.size)
    return np.asarray(resize(scaled, shape, order=1, anti_aliasing=True), np.float32)


def _square(bands: Array, name: str) -> Array:
    height, width = bands.shape[1:]
    side = min(height, width)
    if max(height, width) > _SQUARE * side:
        raise ValueError(
            f"{name} has {height} x {width} pixels: cut out a square around the object, sides may differ by a tenth."
        )
    top, left = (height - side) // 2, (width - side) // 2
    return bands[:, top : top + side, left : left + side]


def _filled(bands: Array, options: ImageOptions, name: str) -> NDArray[np.float64]:
    whole: NDArray[np.float64] = bands.astype(np.float64)
    missing = ~np.isfinite(whole)
    worst = float(missing.mean(axis=(1, 2)).max())
    if worst > options.max_missing:
        raise ValueError(
            f"{name} has no value in {100 * worst:.0f} % of the pixels of a band, at most "
            f"{100 * options.max_missing:.0f} % may lack one: remove it or raise --max_missing."
        )
    if missing.any():
        median = np.nanmedian(np.where(missing, np.nan, whole), axis=(1, 2), keepdims=True)
        whole = np.where(missing, median, whole)
    return whole
