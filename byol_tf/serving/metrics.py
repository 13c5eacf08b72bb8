"""The server's metrics, for Prometheus."""

import prometheus_client as prometheus

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """Metrics of one server, with their own registry."""

    content_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self):
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        count, histogram, gauge = (
            self._maker(metric_class)
            for metric_class in (
                prometheus.Counter,
                prometheus.Histogram,
                prometheus.Gauge,
            )
        )
        self.requests = count(
            "requests_total",
            "Requests by what they asked for and how they ended.",
            ("api", "method", "code"),
        )
        self.images = count("images_total", "Rows answered.")
        self.refused = count(
            "refused_images_total",
            "Files that were not computed.",
            ("reason",),
        )
        self.seconds = histogram(
            "request_seconds",
            "Time from the start of a prediction's request to its answer.",
            ("api",),
            buckets=_SECONDS,
        )
        self.batch_images = histogram(
            "batch_images", "Rows computed at once.", buckets=_SIZES
        )
        self.batch_requests = histogram(
            "batch_requests", "Requests computed at once.", buckets=_SIZES
        )
        self.progress = gauge(
            "requests_in_progress", "Requests being read or answered."
        )
        self.queue = gauge(
            "queue_requests", "Requests that wait to be computed."
        )
        self.version = gauge("model_version", "Newest version that is served.")
        self.broken = gauge(
            "versions_broken", "Versions that could not be loaded."
        )

    def text(self) -> bytes:
        """Returns all metrics in Prometheus' format."""
        return prometheus.generate_latest(self._registry)

    def _maker(self, metric_class):
        return lambda name, text, labels=(), **options: metric_class(
            f"byol_{name}", text, labels, registry=self._registry, **options
        )
