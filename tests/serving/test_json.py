"""Predictions in JSON: TensorFlow Serving's REST form."""

import json

import numpy as np
import pytest
import tensorflow as tf

from byol_tf.serving import rest_json
from byol_tf.serving.errors import BadRequest
from byol_tf.serving.model import Signature, Spec


def signature(**inputs):
    made = Signature.__new__(Signature)  # without a model's function
    made.name, made.inputs = "s", inputs
    return made


NUMBERS = signature(x=Spec(tf.uint8, (-1, -1)))
FILES = signature(bytes=Spec(tf.string, (-1,)))
TWO = signature(
    tag=Spec(tf.string, (-1,)), signal=Spec(tf.float32, (-1, 3))
)  # as in its documentation


def inputs_of(request, asked):
    return rest_json.inputs_of(rest_json.parse(json.dumps(request)), asked)


def test_rows_and_columns_mean_the_same():
    rows = [
        {"tag": "foo", "signal": [1, 2.5, 3]},
        {"tag": "bar", "signal": [3, 4, 1]},
    ]
    columns = {"tag": ["foo", "bar"], "signal": [[1, 2.5, 3], [3, 4, 1]]}
    for request in ({"instances": rows}, {"inputs": columns}):
        got = inputs_of(request, TWO)
        assert got["tag"].tolist() == [b"foo", b"bar"]
        np.testing.assert_array_equal(got["signal"], columns["signal"])
        assert got["signal"].dtype == np.float32


def test_the_name_of_a_lone_input_may_be_left_out():
    for request in (
        {"instances": [[1, 2], [3, 4]]},
        {"instances": [{"x": [1, 2]}, {"x": [3, 4]}]},
        {"inputs": [[1, 2], [3, 4]]},
        {"inputs": {"x": [[1, 2], [3, 4]]}},
    ):
        got = inputs_of(request, NUMBERS)["x"]
        assert got.tolist() == [[1, 2], [3, 4]] and got.dtype == np.uint8


def test_bytes_are_in_base64():
    entries = [{"b64": "/9j/"}, "text", {"b64": ""}]
    for request in (
        {"instances": entries},
        {"instances": [{"bytes": entry} for entry in entries]},
        {"inputs": {"bytes": entries}},
    ):
        got = inputs_of(request, FILES)["bytes"]
        assert got.tolist() == [b"\xff\xd8\xff", b"text", b""]


def test_infinity_is_taken_as_its_documentation_says():
    got = rest_json.inputs_of(
        rest_json.parse(b'{"inputs": [[NaN, Infinity, -Infinity]]}'),
        signature(x=Spec(tf.float32, (-1, 3))),
    )
    np.testing.assert_array_equal(got["x"], [[np.nan, np.inf, -np.inf]])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xff",
        b"[]",
        b"{}",
        b'{"instances": [], "inputs": []}',
        b'{"instances": [1], "signature_name": 3}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(body):
    with pytest.raises(BadRequest):
        rest_json.parse(body)


@pytest.mark.parametrize(
    "asked,request_",
    [
        (NUMBERS, {"instances": []}),
        (NUMBERS, {"instances": 3}),
        (NUMBERS, {"instances": [[1, 2], [3]]}),
        (NUMBERS, {"instances": [[1, 256]]}),
        (NUMBERS, {"instances": [[1, -1]]}),
        (NUMBERS, {"instances": [[1, 1.5]]}),
        (NUMBERS, {"instances": [["1"]]}),
        (NUMBERS, {"instances": [[None]]}),
        (NUMBERS, {"instances": [[10**30]]}),
        (NUMBERS, {"instances": [{"y": [1]}]}),
        (FILES, {"instances": [{"b64": "?"}]}),
        (FILES, {"instances": [{"b64": 3}]}),
        (FILES, {"instances": [3]}),
        (FILES, {"instances": [["a", "b"], ["c"]]}),
        (TWO, {"instances": ["foo"]}),
        (TWO, {"instances": [{"tag": "foo"}]}),
        (TWO, {"instances": [{"tag": "a", "signal": [1]}, {"tag": "b"}]}),
        (TWO, {"inputs": {"tag": ["foo"]}}),
    ],
)
def test_what_does_not_fit_the_signature_is_refused(asked, request_):
    with pytest.raises(BadRequest):
        inputs_of(request_, asked)


def answer(outputs, by_row, nan="null"):
    return json.loads(rest_json.answer(outputs, by_row, nan))


def test_a_lone_output_comes_without_its_name():
    outputs = {"y": np.float32([[1, 2], [3, 4]])}
    assert answer(outputs, True) == {"predictions": [[1, 2], [3, 4]]}
    assert answer(outputs, False) == {"outputs": [[1, 2], [3, 4]]}


def test_several_outputs_come_by_name():
    outputs = {
        "y": np.float32([0.1, 2]),
        "label": np.array([b"a", "ä".encode()], object),
        "raw_bytes": np.array([b"\xff", b""], object),
    }
    rows = answer(outputs, True)["predictions"]
    assert rows[0] == {
        "y": float(np.float32(0.1)),
        "label": "a",
        "raw_bytes": {"b64": "/w=="},
    }
    assert rows[1]["label"] == "ä"
    columns = answer(outputs, False)["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in rows[0]}


def test_what_is_not_finite_is_null_or_as_tensorflow_serving_writes_it():
    outputs = {"y": np.float32([[np.nan, 1], [2, -np.inf]])}
    assert answer(outputs, True) == {"predictions": [[None, 1], [2, None]]}
    body = rest_json.answer(outputs, True, "NaN")
    assert body == b'{"predictions": [[NaN, 1.0], [2.0, -Infinity]]}'


def test_outputs_of_several_lengths_have_no_rows():
    outputs = {"y": np.float32([1, 2]), "z": np.float32([1])}
    with pytest.raises(BadRequest, match="inputs"):
        answer(outputs, True)
    assert answer(outputs, False)["outputs"]["z"] == [1]
