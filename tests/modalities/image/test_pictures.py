"""Images of files as small pictures."""

import numpy as np
from PIL import Image

from byol_tf.modalities.image.modality import IMAGE


def test_a_thumbnail_is_the_centre_square_and_never_enlarged(tmp_path):
    pixels = np.zeros((20, 50, 3), np.uint8)
    pixels[:, 15:35] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    assert IMAGE.thumbnail(tmp_path / "wide.png", 100).shape == (20, 20, 3)
    small = IMAGE.thumbnail(tmp_path / "wide.png", 8)
    assert small.shape == (8, 8, 3) and (small[:, 2:-2] == 200).all()
    assert small.min() > 150  # nothing of the sides, but for the filter
    (tmp_path / "bad.png").write_bytes(b"?")
    assert IMAGE.thumbnail(tmp_path / "bad.png", 8) is None


def test_the_preview_of_a_large_photo_is_small_and_keeps_its_colours():
    rng = np.random.default_rng(0)
    photo = rng.random((600, 900, 3), np.float32) / 2
    preview = IMAGE.preview(photo)
    assert preview.shape == (256, 384, 3)
    assert abs(preview.mean() / 255 - photo.mean()) < 0.01
    np.testing.assert_array_equal(
        IMAGE.preview(photo[:200]), np.round(photo[:200] * 255)
    )
