"""Images from files: bands, sizes, scales, and what is refused."""

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from gaia_oc_amd.exceptions import ClusterError
from gaia_oc_amd.images.options import ImageOptions
from gaia_oc_amd.images.tables import prepare, read_image, read_images

pytest.importorskip("skimage", reason="scikit-image is the extra [images]")

SMALL = ImageOptions(size=8)


def bands(seed=1, n=3, shape=(12, 12)):
    return np.random.default_rng(seed).normal(10, 2, (n, *shape)).astype(np.float32)


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    fits.writeto(folder / f"{name}.fits", data)
    return folder / f"{name}.fits"


@pytest.fixture
def classes(tmp_path):
    for number, kind in enumerate(["nebula", "galaxy"]):
        for each in range(2):
            write(tmp_path / kind, f"image_{each}", bands(10 * number + each))
    return tmp_path


def test_folders_are_classes(classes):
    images = read_images(classes, SMALL)
    assert images.classes == ("galaxy", "nebula")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.names[0] == "galaxy/image_0.fits"
    assert images.pixels.shape == (4, 3, 8, 8)
    assert images.pixels.dtype == np.float32
    assert images.pixels.min() >= 0
    assert images.pixels.max() <= 1


def test_bands_are_a_cube_or_extensions(tmp_path):
    data = bands()
    cube = write(tmp_path, "cube", data)
    units = [fits.PrimaryHDU(), *(fits.ImageHDU(band) for band in data)]
    fits.HDUList(units).writeto(tmp_path / "units.fits")
    np.testing.assert_array_equal(read_image(cube), read_image(tmp_path / "units.fits"))
    np.testing.assert_array_equal(read_image(write(tmp_path, "one", data[0]))[0], data[0])


def test_a_png_has_colours_or_none(tmp_path):
    colours = np.random.default_rng(1).integers(0, 255, (9, 9, 4), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "colour.png"), np.moveaxis(colours[::-1, :, :3], -1, 0)
    )
    Image.fromarray(colours[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[0], colours[::-1, :, 0])


def test_scale_and_background_of_a_band_do_not_matter():
    data = bands(shape=(8, 8))
    np.testing.assert_allclose(prepare(5 * data + 100, SMALL), prepare(data, SMALL), atol=2e-5)
    dimmed = data * np.array([1, 0.5, 0.1], np.float32)[:, None, None]
    np.testing.assert_allclose(prepare(dimmed, SMALL), prepare(data, SMALL), atol=2e-5)
    kept = prepare(dimmed, ImageOptions(size=8, keep_colours=True))
    assert kept[0].mean() > kept[1].mean() > kept[2].mean()


def test_asinh_shows_faint_parts():
    data = bands(shape=(8, 8))
    linear, arcsinh = (prepare(data, ImageOptions(size=8, stretch=kind)) for kind in ("linear", "asinh"))
    assert (arcsinh >= linear - 1e-6).all()
    np.testing.assert_array_equal(
        np.argsort(linear[0], axis=None)[5:-5], np.argsort(arcsinh[0], axis=None)[5:-5]
    )


def test_a_few_missing_pixels_get_the_median():
    data = bands(shape=(8, 8))
    data[1, 2, 3] = np.nan
    filled = data.copy()
    filled[1, 2, 3] = np.nanmedian(data[1])
    np.testing.assert_allclose(prepare(data, SMALL), prepare(filled, SMALL))


def test_an_image_a_little_longer_than_wide_is_cut():
    data = bands(shape=(20, 21))
    np.testing.assert_array_equal(prepare(data, SMALL), prepare(data[..., :20], SMALL))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bands(n=2), "has 2 bands, .* has 3: a band is missing"),
        (
            np.full((3, 12, 12), np.nan, np.float32),
            "has no value in 100 % of the pixels of a band, at most 10 %",
        ),
        (bands(shape=(12, 24)), "has 12 x 24 pixels: cut out a square"),
        (np.ones((3, 12, 12), np.float32), "the same brightness everywhere"),
        (np.ones((3, 2, 2), np.float32), "has the shape 3 x 2 x 2"),
        (np.ones((2, 3, 4, 12, 12), np.float32), "has the shape 2 x 3 x 4 x 12 x 12"),
        (np.ones(12, np.float32), "has the shape 12"),
    ],
)
def test_an_unusable_image_is_named(classes, data, message):
    path = write(classes / "nebula", "bad", data)
    with pytest.raises(ValueError, match=message) as error:
        read_images(classes, SMALL)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_named(classes):
    for name in ("broken.fits", "broken.png"):
        path = classes / "nebula" / name
        path.write_bytes(b"no image")
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_images(classes, SMALL)
        path.unlink()


def test_a_table_is_no_image(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])
    table.writeto(tmp_path / "table.fits")
    with pytest.raises(ValueError, match="holds no image"):
        read_image(tmp_path / "table.fits")


def test_bands_of_different_shapes_are_refused(tmp_path):
    fits.HDUList([fits.PrimaryHDU(np.ones((8, 8))), fits.ImageHDU(np.ones((9, 9)))]).writeto(
        tmp_path / "a.fits"
    )
    with pytest.raises(ValueError, match="bands of different shapes .8 x 8, 9 x 9."):
        read_image(tmp_path / "a.fits")


def test_one_class_and_empty_folders_are_refused(tmp_path):
    write(tmp_path / "nebula", "a", bands())
    with pytest.raises(ClusterError, match="holds 1 folder: at least 2 classes"):
        read_images(tmp_path, SMALL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty holds no image"):
        read_images(tmp_path, SMALL)
    with pytest.raises(FileNotFoundError, match="absent is no folder"):
        read_images(tmp_path / "absent", SMALL)
