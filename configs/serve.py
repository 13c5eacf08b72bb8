"""The server: every field, with unit and source.

byol_tf serve exported/quickstart --config.batching.max_batch=32
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.workers = 2  # threads that compute, each call with every core
    config.timeout_s = 30.0  # from the start of a request to its answer
    config.poll_s = 2.0  # seconds between two looks for new versions
    config.load_s = 120.0  # seconds until a version that does not load failed
    config.versions_kept = 1  # newest versions that are served
    # NaN in JSON: null, or NaN as TensorFlow Serving, which is no valid JSON.
    config.nan = "null"
    # After SIGTERM: seconds in which /readyz fails and each answer ends its
    # connection, but new ones are still taken; then seconds for the requests
    # in progress.
    config.drain_s = 0.0
    config.grace_s = 30.0

    config.batching = batching = ml_collections.ConfigDict()
    batching.enabled = True
    # Images computed at once; a request of more is computed alone.
    batching.max_batch = 64
    # Milliseconds an idle worker waits for more requests to batch; while all
    # are busy, requests wait and are joined anyhow.
    batching.max_wait_ms = 0.0

    config.limits = limits = ml_collections.ConfigDict()
    # Open at once, by REST and by gRPC each; fewer where `ulimit -n` is low.
    limits.connections = 512
    limits.header_s = 10.0  # seconds until the head of a request has come
    limits.body_s = 20.0  # seconds until its body has
    # Seconds of a connection without a request: more than clients keep them,
    # so that none is closed just when one is sent.
    limits.idle_s = 75.0
    limits.requests = 256  # being read, waiting or computed; more get 503
    limits.request_bytes = 32 * 2**20
    limits.instances = 1024  # images of a request
    limits.image_bytes = 16 * 2**20
    # Of an image that comes as numbers; for files see max_pixels of `export`.
    limits.pixels = 100_000_000
    return config
