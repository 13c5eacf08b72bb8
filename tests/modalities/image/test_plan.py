"""What is decided for images that a recipe leaves open."""

import dataclasses

import numpy as np
import pytest

from byol_tf.data.examples import Encoded, Examples, Unreadable
from byol_tf.modalities.batch import open_batch
from byol_tf.modalities.image.plan import plan
from byol_tf.modalities.registry import load_modality
from configs import photos, photos_imagenet

COLOURS = np.array([0.2, 0.5, 0.8])


def encoded(count, side=96, longer=128):
    """Images of two shapes, each of one colour, that need not be decoded."""
    decoder = load_modality("image").decoder(photos.get_config())
    shapes = [(side, longer, 3), (longer, side, 3)]

    def decode(item):
        row = int(item)
        value = COLOURS + (0.1 if row % 4 < 2 else -0.1)
        image = np.round(np.broadcast_to(value, shapes[row % 2]) * 255)
        return image.astype(np.uint8)

    return Examples(
        Encoded([str(row) for row in range(count)]),
        np.full(count, -1, np.int32),
        decode=decode,
        spec=decoder.spec,
    )


def test_without_an_accelerator_views_and_network_are_small():
    fields, lines = plan(photos.get_config(), encoded(2000), False)
    assert fields["augment.size"] == 64 and fields["batch_size"] == 64
    assert fields["encoder.input_size"] == 96
    assert fields["encoder.name"] == "slim"
    assert len(lines) == 6 and sum("CPU" in line for line in lines) == 3


@pytest.mark.parametrize("accelerator", [False, True])
def test_imagenet_weights_get_the_network_that_has_them(accelerator):
    config = photos.get_config()
    config.encoder.weights = "imagenet"
    fields, _ = plan(config, encoded(8), accelerator)
    own = {key: value for key, value in fields.items() if "encoder" in key}
    own.pop("encoder.input_size", None)
    assert own == {"encoder.name": "efficientnet_lite0"}


@pytest.mark.parametrize(
    "recipe, said", [(photos, True), (photos_imagenet, False)]
)
def test_a_random_encoder_of_photos_is_told_of_weights(recipe, said):
    _, lines = plan(recipe.get_config(), encoded(8), False)
    (line,) = (line for line in lines if line.startswith("Encoder:"))
    assert ("--config=photos_imagenet" in line) == said


@pytest.mark.parametrize(
    "objective, count, said",
    [("byol", 2000, True), ("byol", 20_000, False), ("simclr", 2000, False)],
)
def test_few_photos_are_pointed_to_simclr(objective, count, said):
    config = photos.get_config()
    config.objective.name = objective
    _, lines = plan(config, encoded(count), False)
    assert any("simclr" in line for line in lines) == said


def test_with_one_they_are_those_of_the_paper():
    fields, _ = plan(
        photos.get_config(), encoded(2000, side=300, longer=400), True
    )
    assert fields["augment.size"] == 224 and fields["batch_size"] == 256
    assert fields["encoder.name"] == "resnet50"


def test_views_are_not_larger_than_the_photos():
    fields, _ = plan(photos.get_config(), encoded(64, side=40), False)
    assert fields["augment.size"] == 40
    assert "encoder.input_size" not in fields


@pytest.mark.parametrize("count,batch", [(8, 2), (100, 16), (300, 64)])
def test_an_epoch_of_few_photos_has_four_batches(count, batch):
    fields, _ = plan(photos.get_config(), encoded(count), False)
    assert fields["batch_size"] == batch


def test_sounds_and_texts_have_a_batch_for_few_rows_too():
    section = photos.get_config()
    assert open_batch(section, 2700, 96, "sound")[0] == {"batch_size": 96}
    found, (line,) = open_batch(section, 240, 256, "text")
    assert found == {"batch_size": 32} and line == "Batch: 32 of 240 texts."
    section.batch_size = 7
    assert open_batch(section, 240, 256, "text") == ({}, [])


def test_mean_and_deviation_are_those_of_the_pixels():
    fields, _ = plan(photos.get_config(), encoded(64), False)
    np.testing.assert_allclose(fields["encoder.mean"], COLOURS, atol=2e-3)
    np.testing.assert_allclose(fields["encoder.std"], 0.1, atol=2e-3)


@pytest.mark.parametrize(
    "field,value", [("augment.size", 32), ("batch_size", 10)]
)
def test_what_is_given_stays(field, value):
    config = photos.get_config()
    config.update_from_flattened_dict({field: value})
    fields, _ = plan(config, encoded(64), False)
    assert field not in fields


def test_an_encoder_that_is_given_keeps_its_normalisation():
    config = photos.get_config()
    config.encoder.name = "resnet18"
    fields, _ = plan(config, encoded(64), False)
    assert {"encoder.mean", "encoder.std", "encoder.name"}.isdisjoint(fields)


def test_widths_that_are_given_stay():
    config = photos.get_config()
    config.encoder.widths = (8, 16)
    fields, _ = plan(config, encoded(64), False)
    assert fields["encoder.widths"] == (8, 16)


def test_squares_in_memory_keep_their_size():
    rows = np.zeros((20, 24, 24, 3), np.uint8)
    examples = Examples(rows, np.zeros(20, np.int32))
    fields, _ = plan(photos.get_config(), examples, False)
    assert "augment.size" not in fields


def test_photos_that_cannot_be_read_are_no_ground_for_a_decision():
    def unreadable(item):
        raise Unreadable("broken")

    examples = dataclasses.replace(encoded(8), decode=unreadable)
    with pytest.raises(ValueError, match="none of 8 images"):
        plan(photos.get_config(), examples, False)
