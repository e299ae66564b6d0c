"""Spans and metrics on their way to an OpenTelemetry collector (OTLP over HTTP): the only door to opentelemetry.

The law: no exchange waits for a collector, and none fails with it. What waits for it is bounded, what finds no room is
dropped and counted; a collector that takes no spans, or no metrics, is told of in the log once, and once more when it
does again; and the end of the process waits for it ``patience`` seconds at most.

Spans are made here when an exchange has ended, from values (see record/span.py): one that is not traced costs nothing
of it. Metrics are our own numbers (see readings.py), pushed as they stand. Headers, certificates and compression come
from the environment variables ``OTEL_EXPORTER_OTLP_*``, names of the service from ``OTEL_RESOURCE_ATTRIBUTES``.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, Final
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context

from proxy.metrics import Point, Reading, Spread
from proxy.record.span import Span

__all__ = ["Telemetry"]

EVERY: Final = 60.0  # seconds between two pushes of metrics
DELAY: Final = 2.0  # seconds that a span waits for others, at most
PATIENCE: Final = 4.0
_MOST: Final = 4096  # spans that wait
_BATCH: Final = 512
_TIMEOUT: Final = 5.0  # seconds for one request to the collector, repetitions included
_NAME: Final = "countermark"
_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_UNKNOWN: Any = (None, None)  # the least and the most of a histogram: OTLP can go without, the SDK's type cannot

log = logging.getLogger("countermark")


class Telemetry:
    """The way to one collector, with two threads of its own."""

    def __init__(
        self, url: str, readings: Callable[[], Sequence[Reading]], *, every: float = EVERY, delay: float = DELAY
    ) -> None:
        """``url`` is the collector's base address; ``readings`` is asked every so many seconds, in a thread."""
        sdk = logging.getLogger("opentelemetry")
        sdk.propagate = False  # what goes wrong is told here, and once
        sdk.addHandler(_SAID)
        self._readings = readings
        self._every = every
        self._since = time.time_ns()
        self._resource = _resource()
        self._reach = _Reach(url, "metrics")
        self._courier = _Courier(OTLPSpanExporter(f"{url}/v1/traces", timeout=_TIMEOUT), _Reach(url, "spans"))
        self._ids = _Given()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=self._resource, id_generator=self._ids, shutdown_on_exit=False
        )
        waiting = BatchSpanProcessor(
            self._courier, max_queue_size=2 * _MOST, schedule_delay_millis=delay * 1000, max_export_batch_size=_BATCH
        )
        self._provider.add_span_processor(waiting)
        self._tracer = self._provider.get_tracer(_NAME)
        self._told = 0
        self._metrics = OTLPMetricExporter(f"{url}/v1/metrics", timeout=_TIMEOUT)
        self._closing = threading.Event()
        self._pushing = threading.Thread(target=self._push, name="countermark-metrics", daemon=True)
        self._pushing.start()

    def tell(self, span: Span) -> bool:
        """Take a finished span; False where there is no room for it. For the event loop."""
        if self._told - self._courier.gone >= _MOST:
            return False
        self._told += 1
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.id, 16)
        around = Context()
        if span.parent:
            parent = SpanContext(self._ids.trace_id, int(span.parent, 16), span.remote, _SAMPLED)
            around = set_span_in_context(NonRecordingSpan(parent), around)
        made = self._tracer.start_span(span.name, around, _KINDS[span.kind], span.attributes, start_time=span.begun)
        if span.failed:
            made.set_status(StatusCode.ERROR)
        made.end(span.ended)
        return True

    def close(self, patience: float = PATIENCE) -> None:
        """Send what waits, and the metrics as they are now, within so many seconds; the rest is lost."""
        until = time.monotonic() + patience
        self._closing.set()
        spans = threading.Thread(target=self._provider.shutdown, name="countermark-spans", daemon=True)
        spans.start()
        for thread in (spans, self._pushing):
            thread.join(max(0.0, until - time.monotonic()))
        # Whatever still waits between two tries ends now.
        self._courier.shutdown()
        self._metrics.shutdown()

    def _push(self) -> None:
        ending = False
        while not ending:
            ending = self._closing.wait(self._every)
            try:
                sent = self._metrics.export(_data(self._readings(), self._resource, self._since))
                self._reach.found(sent is points.MetricExportResult.SUCCESS)
            except Exception:
                log.exception("the metrics could not be read")


class _Said(logging.Handler):
    """What the SDK says goes wrong, in the thread that asks."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        vars(self._thread).setdefault("first", record.getMessage())

    def first(self) -> str:
        """The first of it since the last call, empty where there is none."""
        return str(vars(self._thread).pop("first", ""))


_SAID: Final = _Said()


class _Reach:
    """Whether the collector is reached: told where that changes. Spans and metrics have one each, for there are
    collectors that take only one of them."""

    def __init__(self, url: str, what: str) -> None:
        self._url = url
        self._what = what
        self._lost = False

    def found(self, reached: bool) -> None:
        why = _SAID.first()
        if reached is not self._lost:
            return
        self._lost = not reached
        if reached:
            log.info("telemetry: %s takes %s again", self._url, self._what)
        else:
            log.warning("telemetry: %s takes no %s, which are lost until it does: %s", self._url, self._what, why)


class _Courier(SpanExporter):
    """Sends batches; ``gone`` spans have left the queue so far."""

    def __init__(self, inner: SpanExporter, reach: _Reach) -> None:
        self.gone = 0
        self._inner = inner
        self._reach = reach
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._inner.export(spans)
        finally:
            self.gone += len(spans)
        self._reach.found(result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        if not self._ended:
            self._ended = True
            self._inner.shutdown()


class _Given(IdGenerator):
    """The ids that the span at hand has already: upstream has heard of them."""

    trace_id = 0
    span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id


def _resource() -> Resource:
    try:
        version = metadata.version(_NAME)
    except metadata.PackageNotFoundError:
        version = "source"
    # What the environment says of the same names counts.
    given = Resource.create()
    ours = {"service.version": version, "service.instance.id": str(uuid4())}
    if str(given.attributes.get("service.name", "")).startswith("unknown_service"):
        given = given.merge(Resource({"service.name": _NAME}))
    return Resource(ours).merge(given)


def _data(readings: Sequence[Reading], resource: Resource, since: int) -> points.MetricsData:
    """The readings as OTLP has them: sums and histograms since the process began, ``since`` in Unix nanoseconds."""
    now = time.time_ns()
    metrics = [_metric(reading, since, now) for reading in readings if reading.points]
    scope = points.ScopeMetrics(InstrumentationScope(_NAME), metrics, "")
    return points.MetricsData([points.ResourceMetrics(resource, [scope], "")])


def _metric(reading: Reading, since: int, now: int) -> points.Metric:
    data: points.DataT
    total = points.AggregationTemporality.CUMULATIVE
    numbers = [
        points.NumberDataPoint(dict(zip(reading.labels, point.labels, strict=True)), since, now, point.value)
        for point in reading.points
        if isinstance(point, Point)
    ]
    match reading.kind:
        case "counter":
            data = points.Sum(numbers, total, is_monotonic=True)
        case "gauge":
            data = points.Gauge(numbers)
        case "histogram":
            spreads = [_spread(reading, point, since, now) for point in reading.points if isinstance(point, Spread)]
            data = points.Histogram(spreads, total)
    return points.Metric(f"{_NAME}.{reading.name}", reading.about, reading.unit or "1", data)


def _spread(reading: Reading, spread: Spread, since: int, now: int) -> points.HistogramDataPoint:
    return points.HistogramDataPoint(
        dict(zip(reading.labels, spread.labels, strict=True)),
        since,
        now,
        sum(spread.counts),
        spread.sum,
        spread.counts,
        reading.bounds,
        *_UNKNOWN,
    )
