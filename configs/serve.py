"""The server: every field, with unit and source.

byol_tf serve exported/quickstart --config.batching.max_batch=32
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.workers = 2  # threads that compute; each call may use every core
    config.timeout_s = 30.0  # seconds from a request's start to its response
    config.poll_s = 2.0  # seconds between two checks for new versions
    config.load_s = 120.0  # seconds after which loading a version has failed
    config.versions_kept = 1  # newest versions served
    # How NaN is written in JSON: null, or NaN as by TensorFlow Serving, which
    # is not valid JSON.
    config.nan = "null"
    # After SIGTERM, seconds during which /readyz fails and each response closes
    # its connection, while new requests are still accepted.
    config.drain_s = 0.0
    config.grace_s = 30.0  # then, seconds to finish the requests in progress

    config.batching = batching = ml_collections.ConfigDict()
    batching.enabled = True
    # Rows per batch; a larger request is computed alone.
    batching.max_batch = 64
    # Milliseconds an idle worker waits for more requests to batch. While all
    # workers are busy, waiting requests are batched anyway.
    batching.max_wait_ms = 0.0

    config.limits = limits = ml_collections.ConfigDict()
    # Open connections, for REST and gRPC each; fewer if `ulimit -n` is low.
    limits.connections = 512
    limits.header_s = 10.0  # seconds to receive a request's header
    limits.body_s = 20.0  # seconds to receive its body
    # Seconds until an idle connection is closed. Longer than clients keep
    # theirs, so that none is closed just as a request is sent.
    limits.idle_s = 75.0
    limits.requests = 256  # being read, waiting or computed; others get 503
    limits.request_bytes = 32 * 2**20
    limits.instances = 1024  # rows per request
    limits.image_bytes = 16 * 2**20  # per file, sound or text too
    # Per image sent as numbers; for files see max_pixels of `export`.
    limits.pixels = 100_000_000
    return config
