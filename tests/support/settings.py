"""Settings as the configurations have them, with some of them changed."""

import dataclasses

from byol_tf.export import verify
from byol_tf.jobs.export import build as export_builders
from byol_tf.jobs.serve import build as serve_builders
from byol_tf.search.duplicates import DuplicateSettings
from byol_tf.search.index import IndexSettings
from byol_tf.search.map import MapSettings
from byol_tf.serving.settings import Batching, Limits, Settings
from configs import embed, export, serve


def index_settings(**changes) -> IndexSettings:
    return IndexSettings(**{**embed.get_config().index, **changes})


def duplicate_settings(**changes) -> DuplicateSettings:
    return DuplicateSettings(**{**embed.get_config().duplicates, **changes})


def map_settings(**changes) -> MapSettings:
    return MapSettings(**{**embed.get_config().map, **changes})


def batching_settings(**changes) -> Batching:
    return Batching(**{**serve.get_config().batching, **changes})


def limit_settings(**changes) -> Limits:
    return Limits(**{**serve.get_config().limits, **changes})


def server_settings(**changes) -> Settings:
    """Of the server; its sections as the two above make them."""
    usual = serve_builders.settings(serve.get_config())
    return dataclasses.replace(usual, **changes)


def verify_settings() -> verify.Settings:
    return export_builders.verify_settings(export.get_config().verify)
