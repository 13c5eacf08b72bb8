"""From a configuration to a server, and what is told before it starts."""

import dataclasses

import pytest

from byol_tf.jobs.serve import build as serve_builders
from configs import serve


@pytest.mark.parametrize(
    "settings,told",
    [
        ({"workers": 0}, "workers"),
        ({"nan": "nil"}, "null, NaN"),
        ({"limits": {"pixels": 0}}, "limits.pixels"),
        ({"batching": {"max_wait_ms": -1}}, "batching.max_wait_ms"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    config = serve.get_config()
    config.update(settings)
    with pytest.raises(ValueError, match=told):
        serve_builders.settings(config)


def test_every_setting_comes_from_the_configuration():
    config = serve.get_config()
    settings = dataclasses.asdict(serve_builders.settings(config))
    assert settings == config.to_dict()


@pytest.mark.parametrize(
    "changed,told",
    [
        ({"directory": "nowhere"}, "must be a folder"),
        ({}, "there is no <number>/saved_model.pb"),
        ({"port": 99999}, "`port`"),
        ({"name": "mine/birds"}, "--name must hold no /"),
        ({"grpc_port": -2}, "`grpc_port`"),
        ({"host": "nowhere.invalid"}, "cannot listen on nowhere.invalid"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(tmp_path, changed, told):
    asked = {"directory": tmp_path, "port": 0, "grpc_port": 0, **changed}
    with pytest.raises((OSError, ValueError), match=told):
        serve_builders.serve(serve.get_config(), **asked)


def test_a_version_that_cannot_be_loaded_is_told_at_once(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"can be served: .+; byol_tf export"):
        serve_builders.serve(serve.get_config(), tmp_path, port=0, grpc_port=0)
