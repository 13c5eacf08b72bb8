"""What every modality must keep; a new one subclasses `ModalityContract`."""

import csv
import functools
import json
import math
import pathlib
from collections.abc import Mapping

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from byol_tf.data import sources
from byol_tf.data.bad_images import BadImages
from byol_tf.data.batches import rows_for_views, training_batches
from byol_tf.data.examples import Examples, Unreadable
from byol_tf.data.rows import bare
from byol_tf.evaluation.collapse import MILDER, milder_views
from byol_tf.evaluation.features import FeatureExtractor
from byol_tf.export import saved_model, signatures
from byol_tf.jobs.pretrain import build as pretrain_build
from byol_tf.modalities.contract import Modality, Views
from byol_tf.modalities.registry import load_modality
from byol_tf.modalities.signature import DEFAULT, OK
from byol_tf.runs.config import flatten
from byol_tf.runs.encoder import Encoder, load_encoder, save_encoder
from byol_tf.seeds import step_seed
from byol_tf.serving.model import Version
from configs import base, finetune

COUNT, DRAWN = 6, 4  # files; rows of a batch of views
SEED = tf.constant([3, 7])


class Member:
    """A modality with files of several sizes, and what it makes of them."""

    def __init__(self, tests: "type[ModalityContract]", folder: pathlib.Path):
        self.folder, self.extension = folder, tests.extension
        self.readable = tests.readable
        for number in range(COUNT):
            tests.write(folder / f"{number}{tests.extension}", number)
        self.files = sorted(folder.iterdir())
        self.section = base.get_config()
        self.section.modality = tests.name
        self.section.update_from_flattened_dict(tests.fields)
        self.modality = load_modality(tests.name)
        self.decoder = self.modality.decoder(self.section)

    def garbage(self, kinds: Mapping[str, bytes]) -> dict[str, bytes]:
        """Contents of files that no modality reads, and of its own."""
        whole = self.files[0].read_bytes()
        noise = np.random.default_rng(0).bytes(200)
        garbage = {"empty": b"", "noise": noise, "text": b"not a row"}
        garbage |= {"half": whole[: len(whole) // 2], **kinds}
        return {k: v for k, v in garbage.items() if k not in self.readable}

    @functools.cached_property
    def examples(self) -> Examples:
        folder = str(self.folder)
        return sources.load("folder", directory=folder, decoder=self.decoder)

    @functools.cached_property
    def rows(self) -> list:
        """Decoded rows, bare where the spec has one name."""
        return [bare(self.examples.read(row)) for row in range(COUNT)]

    @functools.cached_property
    def preprocessor(self) -> keras.layers.Layer:
        return self.modality.fit(self.examples, self.section)

    @functools.cached_property
    def views(self) -> Views:
        return self.modality.views(self.section, self.preprocessor)

    def cut(self, index=range(DRAWN), seed=SEED):
        """What the step takes: rows cut one by one, or dense ones."""
        index = np.array(index)
        return rows_for_views(self.examples, index, self.views, seed)

    @functools.cached_property
    def pair(self) -> list[np.ndarray]:
        """The two views of the first rows."""
        return as_arrays(self.views(self.cut(), SEED))

    @functools.cached_property
    def prepared(self) -> np.ndarray:
        return np.asarray(self.preprocessor(self.batch(range(DRAWN))))

    @functools.cached_property
    def encoder(self) -> keras.Model:
        keras.utils.set_random_seed(0)
        shape = self.examples.row_shape
        return self.modality.encoder(self.section, self.preprocessor, shape)

    @functools.cached_property
    def sizes(self) -> dict:
        known = self.examples.row_shape, self.section, self.preprocessor
        return self.modality.sizes(*known)

    def batch(self, index):
        batch = self.examples.take(np.array(index))
        return tf.nest.map_structure(tf.constant, batch)

    @functools.cached_property
    def loaded(self) -> Encoder:
        """The encoder as it is loaded from a run folder."""
        spec, workdir = self.examples.spec, self.folder.with_suffix(".run")
        about = pretrain_build.describe(self.section, spec, self.preprocessor)
        prepare = self.preprocessor
        save_encoder(self.encoder, workdir, preprocessor=prepare, **about)
        return load_encoder(workdir)

    @functools.cached_property
    def version(self) -> Version:
        """Its SavedModel as the server loads it."""
        directory = self.folder.with_suffix(".models")
        module, calls = signatures.make_module(self.loaded)
        with saved_model.new_version(directory) as folder:
            saved_model.save(module, calls, folder)
        version = Version(1, directory / "1")
        version.warm_up()
        return version


def as_arrays(tensors) -> list[np.ndarray]:
    return [np.asarray(tensor) for tensor in tensors]


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_close(found, expected, atol=1e-5):
    """Equal but for the order in which sums are taken."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=atol)


def all_differ(arrays) -> bool:
    """Whether no two are equal."""
    return len({np.asarray(array).tobytes() for array in arrays}) == len(arrays)


class ModalityContract:
    """Tests of one modality.

    Attributes:
        name: as of `load_modality`.
        fields: of the configuration, flattened, that make it small.
        extension: of the files that `write` writes.
        garbage: further contents of files that cannot be read, by name.
        readable: names of the usual garbage that such a file may hold.
    """

    name: str
    extension: str
    fields: Mapping[str, object] = {}
    garbage: Mapping[str, bytes] = {}
    readable: tuple[str, ...] = ()

    @staticmethod
    def write(path: pathlib.Path, number: int) -> None:
        """Writes a file; another number gives another row and size."""
        raise NotImplementedError

    # ---- rows ---------------------------------------------------------

    def test_it_has_all_parts(self, member):
        assert isinstance(member.modality, Modality)
        assert isinstance(member.views, Views)
        assert member.modality.name.isidentifier()

    def test_milder_views_are_settings_of_recipes(self, member):
        config = base.get_config()
        shape = member.examples.row_shape
        milder = member.modality.milder(config, shape)
        assert milder_views(flatten(config.to_dict()), milder) != MILDER
        config.update_from_flattened_dict(
            {field: value for field, value, _ in milder}
        )
        assert milder_views(flatten(config.to_dict()), milder) == MILDER

    def test_its_files_are_known_by_their_extensions(self, member):
        extensions = member.modality.extensions
        assert self.extension in extensions
        assert tuple(member.decoder.extensions) == tuple(extensions)
        assert all(e[0] == "." and e == e.lower() for e in extensions)

    def test_a_path_and_its_bytes_are_the_same_row(self, member):
        for file in member.files:
            for decode in (
                member.decoder.decode,
                lambda data: member.modality.decode_row(data, member.sizes),
                member.modality.origin,
            ):
                found, same = decode(file), decode(file.read_bytes())
                tf.nest.map_structure(
                    np.testing.assert_array_equal, found, same
                )

    def test_rows_differ(self, member):
        assert all_differ([tf.nest.flatten(row)[0] for row in member.rows])

    def test_garbage_is_unreadable(self, member, tmp_path):
        for kind, data in member.garbage(self.garbage).items():
            file = tmp_path / f"{kind}{self.extension}"
            file.write_bytes(data)
            for decode in (
                member.decoder.decode,
                lambda data: member.modality.decode_row(data, member.sizes),
            ):
                for given in (file, data):
                    with pytest.raises(Unreadable) as error:
                        decode(given)
                    assert str(error.value), kind

    def test_a_file_that_is_gone_is_unreadable(self, member, tmp_path):
        with pytest.raises(Unreadable):
            member.decoder.decode(tmp_path / f"gone{self.extension}")

    def test_garbage_is_listed_by_name_and_gives_its_place(
        self, member, tmp_path
    ):
        folder, listed = tmp_path / "rows", tmp_path / "bad.csv"
        folder.mkdir()
        for file in member.files:
            (folder / file.name).write_bytes(file.read_bytes())
        garbage = member.garbage(self.garbage)
        for kind, data in garbage.items():
            (folder / f"{kind}{self.extension}").write_bytes(data)
        examples = sources.load(
            *("folder", "", "train", str(folder)),
            decoder=member.decoder,
            bad_images=BadImages(listed),
        )
        count = examples.num_examples
        ((_, labels),) = training_batches(
            *(examples.numbered(), count), seed=0, num_steps=1
        )
        read = {examples.paths[number] for number in labels.numpy()}
        assert read == {file.name for file in member.files}
        with open(listed, newline="") as file:
            _, *rows = csv.reader(file)
        names = {pathlib.Path(path).stem for path, _ in rows}
        assert names == set(garbage) and all(reason for _, reason in rows)

    def test_sizes_and_crops_are_json(self, member):
        crops = member.modality.crops(member.section)
        for values in (member.sizes, crops):
            again = json.loads(json.dumps(values))
            assert again.keys() == values.keys()

    # ---- the preprocessor ---------------------------------------------

    def test_the_preprocessor_has_no_draws_and_is_serialisable(self, member):
        layer = member.preprocessor
        config = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(
            json.loads(json.dumps(config))
        )
        batch = member.batch(range(DRAWN))
        assert member.prepared.dtype == np.float32
        assert_equal([layer(batch), again(batch)], [member.prepared] * 2)

    def test_the_preprocessor_is_the_same_compiled(self, member):
        prepare = tf.function(
            member.preprocessor, jit_compile=True, autograph=False
        )
        batch = member.batch(range(DRAWN))
        assert_close([prepare(batch)], [member.prepared])

    def test_a_row_is_prepared_alone_as_among_others(self, member):
        for row in range(DRAWN):
            alone = tf.nest.map_structure(
                lambda array: tf.constant(array)[None], member.rows[row]
            )
            for batch in (alone, member.batch([row])):
                found = member.preprocessor(batch)
                assert_close(found, member.prepared[row : row + 1])

    # ---- views --------------------------------------------------------

    def test_numbers_are_fractions_that_follow_from_the_seed(self, member):
        numbers = member.views.numbers(SEED, 100).numpy()
        assert numbers.dtype == np.float32 and numbers.shape[0] == 100
        assert (numbers >= 0).all() and (numbers < 1).all()
        assert all_differ(numbers)
        assert_equal([member.views.numbers(SEED, 100)], [numbers])
        assert not np.isin(member.views.numbers(SEED + 1, 100), numbers).all()

    def test_views_are_what_the_encoder_takes(self, member):
        for view in member.pair:
            assert view.shape == member.prepared.shape
            assert view.dtype == np.float32 and np.isfinite(view).all()

    def test_views_differ_from_each_other(self, member):
        assert all_differ([*member.pair[0], *member.pair[1]])

    def test_views_differ_from_example_to_example_of_one_row(self, member):
        batch = member.cut([0] * DRAWN)
        for view in as_arrays(member.views(batch, SEED)):
            assert all_differ(view)

    def test_the_same_seed_gives_the_same_views(self, member):
        again = as_arrays(member.views(member.cut(), SEED))
        assert_equal(again, member.pair)

    def test_another_seed_gives_other_views(self, member):
        other = as_arrays(member.views(member.cut(seed=SEED + 1), SEED + 1))
        rest = as_arrays(member.views(member.cut(), SEED + 1))
        for views in (other, rest):
            for view, usual in zip(views, member.pair, strict=True):
                assert all_differ([*view, *usual])

    def test_cuts_are_those_of_a_pipeline(self, member):
        numbers = member.views.numbers(SEED, DRAWN)
        for row, drawn in zip(member.rows, numbers, strict=False):
            row = tf.nest.map_structure(tf.constant, row)
            data = tf.data.Dataset.from_tensors((row, drawn))
            (found,) = data.map(lambda *row: tuple(member.views.cut(*row)))
            assert_equal(as_arrays(found), member.views.cut(row, drawn))

    def test_views_are_the_same_eager_and_compiled(self, member):
        batch = member.cut()
        draw = tf.function(member.views, jit_compile=True, autograph=False)
        compiled = as_arrays(draw(batch, SEED))
        tf.config.run_functions_eagerly(True)
        try:
            eager = as_arrays(member.views(batch, SEED))
        finally:
            tf.config.run_functions_eagerly(False)
        assert_close(compiled, eager, atol=1e-4)

    def test_a_view_depends_on_its_own_row_alone(self, member):
        others = tf.nest.map_structure(
            lambda cuts: tf.concat([cuts[:1], cuts[:0:-1]], 0), member.cut()
        )
        found = as_arrays(member.views(others, SEED))
        assert_close([v[0] for v in found], [v[0] for v in member.pair])

    def test_batches_follow_from_the_step(self, member):
        def batches(start, steps):
            return training_batches(
                *(member.examples, 2),
                seed=5,
                start_step=start,
                num_steps=steps,
                views=None if member.examples.dense else member.views,
                view_seed=functools.partial(step_seed, 5),
            ).as_numpy_iterator()

        *_, last = batches(0, 5)
        (resumed,) = batches(4, 1)
        assert_equal(*map(tf.nest.flatten, (resumed, last)))

    def test_views_with_labels_are_what_the_encoder_takes(self, member):
        crops = member.modality.crops(member.section)
        view = member.modality.train_view(member.preprocessor, crops)
        if view is None:
            pytest.skip("this modality has no views with labels")
        batch = member.batch(range(DRAWN))
        found, where = zip(
            *(view(batch, seed) for seed in (SEED, SEED, SEED + 1)),
            strict=True,
        )
        assert found[0].shape == member.prepared.shape
        assert all(len(value) == DRAWN for value in where[0].values())
        assert_equal(found[:1], found[1:2])
        assert all_differ(found[1:])

    def test_without_options_nothing_changes_with_labels(self, member):
        options = finetune.get_config().augment
        augment = member.modality.supervised_augment(options)
        assert augment is None or not augment.changes

    # ---- models -------------------------------------------------------

    def test_the_encoder_gives_vectors(self, member):
        vectors = member.encoder(member.prepared, training=False).numpy()
        assert vectors.ndim == 2 and np.isfinite(vectors).all()
        assert all_differ(vectors)

    def test_levels_have_their_strides(self, member):
        levels = member.modality.levels(member.encoder)
        side = member.prepared.shape[1]
        assert levels
        for name, (layer, stride) in levels.items():
            model = keras.Model(
                member.encoder.input, member.encoder.get_layer(layer).output
            )
            assert model(member.prepared).shape[1] == math.ceil(side / stride)
            assert name

    def test_inputs_as_they_are_are_vectors(self, member):
        name, model, prepare = member.modality.raw(
            member.preprocessor, member.sizes
        )
        vectors = model(prepare(member.batch(range(DRAWN)))).numpy()
        assert name and vectors.ndim == 2 and np.isfinite(vectors).all()
        assert all_differ(vectors)
        assert not model.weights

    # ---- exports ------------------------------------------------------

    def test_what_is_exported_and_served_gives_the_encoder_s_own_vectors(
        self, member
    ):
        rows = [
            member.modality.decode_row(file, member.loaded.sizes)
            for file in member.files
        ]
        prepared = [member.preprocessor(tf.constant(row)[None]) for row in rows]
        expected = member.encoder(tf.concat(prepared, 0)).numpy()
        compared = 0
        for name, signature in member.loaded.inputs("saved_model").items():
            if signature.of_rows is None:
                continue
            (key,) = signature.specs
            given = {key: np.asarray(signature.of_rows(rows))}
            outputs = member.version.signature(name)(given)
            assert_close(outputs["representations"], expected)
            if "status" in outputs:
                assert (outputs["status"] == OK.encode()).all()
            compared += 1
        assert compared

    def test_served_garbage_is_refused_row_by_row(self, member):
        signature = member.version.signature(DEFAULT)
        if not signature.takes_files:
            pytest.skip("exports of this modality take no files")
        good = [file.read_bytes() for file in member.files]
        bad = list(member.garbage(self.garbage).values())
        outputs = signature({"bytes": np.array([*good, *bad], object)})
        is_good = outputs["status"] == OK.encode()
        np.testing.assert_array_equal(is_good, np.arange(len(is_good)) < COUNT)
        finite = np.isfinite(outputs["representations"])
        np.testing.assert_array_equal(finite.all(axis=1), is_good)
        assert not finite[~is_good].any()

    def test_formats_without_strings_have_one_signature(self, member):
        make = functools.partial(
            member.modality.inputs, member.preprocessor, member.sizes
        )
        (graph,) = make("graph").values()
        assert all(s.dtype != tf.string for s in graph.specs.values())
        assert graph.of_rows is not None
        assert DEFAULT in make("saved_model")

    def test_there_are_words_on_every_export(self, member):
        signatures = {"m.onnx": {"inputs": {}, "outputs": {"vectors": ""}}}
        for form in ("saved_model", "onnx", "litert"):
            about = {"encoder": member.sizes, "sizes": member.sizes}
            about |= {**member.sizes, "format": form}
            card = member.modality.card({**about, "signatures": signatures})
            assert card.noun == member.modality.name
            assert card.example and card.limits.startswith("- ")

    def test_what_is_loaded_encodes_files_of_any_size(self, member):
        own = member.encoder(member.preprocessor(member.batch(range(COUNT))))
        extract = FeatureExtractor(
            member.loaded.model, member.loaded.preprocessor, DRAWN
        )
        assert_close(extract(member.examples), own.numpy())

    # ---- pictures -----------------------------------------------------

    def test_every_row_has_a_picture(self, member):
        previews = [member.modality.preview(row) for row in member.rows]
        for preview in previews:
            assert preview.dtype == np.uint8
            assert preview.ndim == 3 and preview.shape[2] == 3
        assert all_differ(previews)

    def test_every_file_has_a_thumbnail(self, member):
        draw, pictures = member.modality.thumbnail, []
        for file in member.files:
            picture = draw(file, 16)
            assert picture.dtype == np.uint8 and picture.shape[2:] == (3,)
            assert max(picture.shape[:2]) <= 16
            assert_equal([draw(file.read_bytes(), 16)], [picture])
            pictures.append(picture)
        assert all_differ(pictures)

    def test_garbage_has_no_thumbnail(self, member):
        for data in member.garbage({}).values():
            assert member.modality.thumbnail(data, 16) is None

    def test_views_are_drawn(self, member, tmp_path):
        path = tmp_path / "views.png"
        member.modality.draw_views(member.rows[:DRAWN], member.pair, path)
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            colours = np.unique(np.asarray(picture.convert("L")))
        assert len(colours) > 2
