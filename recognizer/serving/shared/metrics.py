"""What the server counts, for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The metrics of one server; process metrics (memory, processor time, open files) as usual.

    Attributes:
        streams: websocket streams that are open.
        streams_total: streams that have ended, by outcome: "finished" (the client ended its audio),
            "left" (it closed the connection before), "refused" (no room, or shutting down), "error"
            (a limit or a wrong message).
        uploads: uploads that are being read, waiting or being recognised.
        responses: answers over HTTP by path and status.
        audio_seconds: audio recognised, by source: "stream" or "upload".
        reply_seconds: from a stream's message to its answer.
        upload_seconds: from an upload's first byte to its answer.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.streams = Gauge(
            "recognizer_streams", "Websocket streams that are open.", registry=self.registry
        )
        self.streams_total = Counter(
            "recognizer_streams_ended",
            "Websocket streams that have ended.",
            ["outcome"],
            registry=self.registry,
        )
        self.uploads = Gauge("recognizer_uploads", "Uploads under way.", registry=self.registry)
        self.responses = Counter(
            "recognizer_http_responses",
            "Answers over HTTP.",
            ["path", "status"],
            registry=self.registry,
        )
        self.audio_seconds = Counter(
            "recognizer_audio_seconds",
            "Seconds of audio recognised.",
            ["source"],
            registry=self.registry,
        )
        self.reply_seconds = Histogram(
            "recognizer_stream_reply_seconds",
            "From a stream's message to its answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.upload_seconds = Histogram(
            "recognizer_upload_seconds",
            "From an upload's first byte to its answer.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def uploaded(self, audio_seconds: float, began: float) -> None:
        """Count an upload that was answered.

        Args:
            audio_seconds: its length.
            began: when its first byte came, by `time.monotonic`.
        """
        self.audio_seconds.labels("upload").inc(audio_seconds)
        self.upload_seconds.observe(time.monotonic() - began)

    def text(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
