"""A collector for OpenTelemetry on a real port of 127.0.0.1: takes OTLP over HTTP, and keeps what it decodes.

with collector() as there: ...            # there.url, there.spans, there.metrics
with collector(status=503) as there: ...  # one that takes nothing
with collector(lacks="/v1/metrics") as there: ...  # one that takes spans alone
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1 import trace_pb2

KINDS = {trace_pb2.Span.SPAN_KIND_SERVER: "server", trace_pb2.Span.SPAN_KIND_CLIENT: "client"}


@dataclass
class Told:
    """A span as it arrived; ids are hex digits, ``parent`` is empty where it has none."""

    kind: str
    name: str
    trace_id: str
    id: str
    parent: str
    remote: bool
    begun: int
    ended: int
    failed: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    url: str = ""
    raw: list[bytes] = field(default_factory=list)  # every request's body
    spans: list[Told] = field(default_factory=list)
    pushes: list[dict[str, Metric]] = field(default_factory=list)  # of metrics, by name
    resource: dict[str, Any] = field(default_factory=dict)

    def only(self, kind: str) -> Told:
        """The only span of this kind."""
        (span,) = [one for one in self.spans if one.kind == kind]
        return span

    @property
    def metrics(self) -> dict[str, Metric]:
        """What the last push said."""
        return self.pushes[-1]

    def number(self, name: str, **labels: str) -> float:
        """A counter or a gauge, as the last push has it; 0 where it does not."""
        metric = self.metrics.get(name)
        for point in [*metric.sum.data_points, *metric.gauge.data_points] if metric is not None else ():
            if plain(point.attributes) == labels:
                return float(point.as_int if point.HasField("as_int") else point.as_double)
        return 0

    def timed(self, name: str, **labels: str) -> int:
        """How many a histogram has counted."""
        return sum(
            point.count for point in self.metrics[name].histogram.data_points if plain(point.attributes) == labels
        )

    def take(self, path: str, body: bytes) -> None:
        self.raw.append(body)
        if path.endswith("/v1/traces"):
            for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = plain(batch.resource.attributes)
                self.spans += [told(span) for scope in batch.scope_spans for span in scope.spans]
        elif path.endswith("/v1/metrics"):
            for pushed in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resource = plain(pushed.resource.attributes)
                self.pushes.append({one.name: one for scope in pushed.scope_metrics for one in scope.metrics})
        else:
            raise AssertionError(path)


def plain(attributes: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {one.key: _value(one.value) for one in attributes if isinstance(one, KeyValue)}


def _value(value: AnyValue) -> Any:
    said = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if said == "array_value" else getattr(value, str(said))


def told(span: trace_pb2.Span) -> Told:
    remote = bool(span.flags & trace_pb2.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
    return Told(
        KINDS[span.kind],
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        remote,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        plain(span.attributes),
    )


@contextmanager
def collector(status: int = 200, port: int = 0, lacks: str = "") -> Iterator[Collector]:
    there = Collector()

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = 404 if lacks and self.path.endswith(lacks) else status
            if said == 200:
                there.take(self.path, body)
            self.send_response(said)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Desk)
    server.daemon_threads = True
    there.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
