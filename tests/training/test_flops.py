"""Operations of models: by hand, as published, and as TensorFlow counts."""

import keras
import pytest
import tensorflow as tf

from byol_tf import BYOL, LARS
from byol_tf.layers.heads import mlp
from byol_tf.modalities.image.resnet import make_resnet
from byol_tf.training import flops
from tests.support.encoders import undrawn


def layer(layer, shape=(8, 6, 3)):
    return keras.Sequential([keras.Input(shape), layer])


@pytest.mark.parametrize(
    "of,shape,multiplications",
    [
        (keras.layers.Conv2D(5, 3, padding="same"), (8, 6, 3),
         8 * 6 * 3 * 3 * 3 * 5),
        (keras.layers.Conv2D(5, 3, 2, padding="same"), (8, 6, 3),
         4 * 3 * 3 * 3 * 3 * 5),
        (keras.layers.Conv2D(6, 3, padding="valid", groups=3), (8, 6, 3),
         6 * 4 * 3 * 3 * 1 * 6),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
         (8, 6, 3), 8 * 6 * 3 * 3 * 3 * 2),
        (keras.layers.SeparableConv2D(5, 3, padding="same"), (8, 6, 3),
         8 * 6 * (3 * 3 * 3 + 3 * 5)),
        (keras.layers.Conv2DTranspose(5, 3, 2, padding="same"), (8, 6, 3),
         8 * 6 * 3 * 3 * 3 * 5),
        (keras.layers.Dense(7), (10,), 10 * 7),
        (keras.layers.Dense(7), (4, 10), 4 * 10 * 7),
        (keras.layers.EinsumDense("abc,cd->abd", (None, 7)), (4, 10),
         4 * 10 * 7),
        (keras.layers.BatchNormalization(), (8, 6, 3), 0),
    ],
)  # fmt: skip
def test_a_layer_takes_what_the_formula_says(of, shape, multiplications):
    assert flops.forward(layer(of, shape)) == 2 * multiplications


def test_attention_takes_its_projections_and_its_products():
    tokens, width, heads, key = 9, 8, 2, 4
    inputs = keras.Input((tokens, width))
    outputs = keras.layers.MultiHeadAttention(heads, key)(inputs, inputs)
    projections = 4 * tokens * width * heads * key
    products = 2 * heads * tokens * tokens * key
    model = keras.Model(inputs, outputs)
    assert flops.forward(model) == 2 * (projections + products)


def test_a_layer_that_is_used_twice_counts_twice():
    dense = keras.layers.Dense(10)
    inputs = keras.Input((10,))
    model = keras.Model(inputs, dense(dense(inputs)))
    assert flops.forward(model) == 2 * 2 * 10 * 10


def test_models_inside_models_count():
    inner = layer(keras.layers.Conv2D(5, 3), (8, 6, 3))
    assert flops.forward(layer(inner)) == flops.forward(inner) > 0


def test_the_input_shape_decides_where_the_model_leaves_it_open():
    convolution = layer(
        keras.layers.Conv2D(5, 3, padding="same"), (None,) * 2 + (3,)
    )
    assert flops.forward(convolution, (4, 4, 3)) == 2 * 16 * 27 * 5
    with pytest.raises(ValueError, match="without None"):
        flops.forward(convolution)


def test_resnet18_of_small_images_is_the_sum_of_its_stages():
    stem = 32**2 * 3**2 * 3 * 64
    first = 4 * 32**2 * 3**2 * 64 * 64
    # Half the side and twice the channels: each of the later three takes the
    # same.
    later = 16**2 * (3**2 * (64 * 128 + 3 * 128 * 128) + 64 * 128)
    with undrawn():
        encoder = make_resnet("resnet18", (32, 32, 3))
    assert flops.forward(encoder) == 2 * (stem + first + 3 * later)


@pytest.mark.parametrize(
    "name,billions,classifier",
    [("resnet18", 1.814, 512 * 1000), ("resnet50", 4.089, 2048 * 1000)],
)
def test_resnets_take_what_torchvision_publishes(name, billions, classifier):
    # It counts multiplications with additions as one, and the classifier.
    with undrawn():
        encoder = make_resnet(name, (224, 224, 3), stem="imagenet")
    ours = flops.forward(encoder) / 2 + classifier
    assert ours / 1e9 == pytest.approx(billions, rel=0.001)


def test_tensorflows_profiler_counts_the_same():
    with undrawn():
        encoder = make_resnet("resnet18", (64, 64, 3), stem="imagenet")
    call = tf.function(lambda x: encoder(x, training=False))
    spec = tf.TensorSpec((1, 64, 64, 3), tf.float32)
    profile = tf.compat.v1.profiler.profile(
        call.get_concrete_function(spec).graph,
        options=tf.compat.v1.profiler.ProfileOptionBuilder(
            tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        )
        .with_empty_output()
        .build(),
    )
    # It counts additions, biases and pooling too.
    assert flops.forward(encoder) == pytest.approx(
        profile.total_float_ops, rel=0.02
    )


@pytest.fixture(scope="module")
def byol():
    model = BYOL(
        make_resnet("slim", (32, 32, 3), blocks=(1, 1), widths=(16, 32)),
        hidden_size=64,
        projection_size=16,
    )
    model.compile(LARS())
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_step_is_a_target_pass_and_three_online_passes_a_view(byol):
    encoder = flops.forward(byol.encoder)
    projector = 2 * (32 * 64 + 64 * 16)
    predictor = 2 * (16 * 64 + 64 * 16)
    target = encoder + projector
    expected = 2 * (target + 3 * (target + predictor))
    assert flops.step(byol) == expected


def test_networks_that_a_method_lacks_count_nothing():
    class Plain:
        encoder = make_resnet("slim", (8, 8, 3))
        projector = mlp(128, 16, 4, name="projector")
        predictor = keras.layers.Identity()

    online = flops.forward(Plain.encoder) + flops.forward(Plain.projector)
    assert flops.step(Plain) == 2 * 3 * online


def test_a_step_is_what_the_graph_of_a_real_step_has(byol):
    view = tf.TensorSpec((2, 32, 32, 3), tf.float32)
    step = tf.function(byol.pretrain_step, autograph=False)
    step = step.get_concrete_function((view, view))
    assert flops.of_graph(step.graph) / 2 == flops.step(byol)
