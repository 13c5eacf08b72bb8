"""What the server counts, for Prometheus."""

import functools

import prometheus_client as prometheus

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Counters of one server; each has a registry of its own."""

    content_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self):
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        self._add_counters()
        self._add_histograms()
        self._add_gauges()

    def text(self) -> bytes:
        """All of them in Prometheus' format."""
        return prometheus.generate_latest(self._registry)

    def _add_counters(self):
        counter = functools.partial(prometheus.Counter, registry=self._registry)
        self.requests = counter(
            "byol_requests_total",
            "Requests by what they asked for and how they ended.",
            ("api", "method", "code"),
        )
        self.images = counter("byol_images_total", "Images answered.")
        self.refused = counter(
            "byol_refused_images_total",
            "Image files that were not computed.",
            ("reason",),
        )

    def _add_histograms(self):
        histogram = functools.partial(
            prometheus.Histogram, registry=self._registry
        )
        self.seconds = histogram(
            "byol_request_seconds",
            "Time from the start of a prediction's request to its answer.",
            ("api",),
            buckets=_SECONDS,
        )
        self.batch_images = histogram(
            "byol_batch_images", "Images computed at once.", buckets=_SIZES
        )
        self.batch_requests = histogram(
            "byol_batch_requests", "Requests computed at once.", buckets=_SIZES
        )

    def _add_gauges(self):
        gauge = functools.partial(prometheus.Gauge, registry=self._registry)
        self.progress = gauge(
            "byol_requests_in_progress", "Requests being read or answered."
        )
        self.queue = gauge(
            "byol_queue_requests", "Requests that wait to be computed."
        )
        self.version = gauge(
            "byol_model_version", "Newest version that is served."
        )
        self.broken = gauge(
            "byol_versions_broken", "Versions that could not be loaded."
        )
