"""Where spans go, and what a collector's answer means."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from quarterdeck.core.errors import Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.net.records import Reply
from quarterdeck.traces.collector import Collector, Verdict, judge


def configured(**settings: str) -> Collector | None:
    return Collector.of(Settings.model_validate(settings))


@pytest.mark.parametrize(
    ("endpoint", "url", "reach"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces", "collector:4318"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces", "127.0.0.1:4318"),
        ("https://otlp.example.com/v1/traces", "https://otlp.example.com/v1/traces", "otlp.example.com:443"),
        ("https://example.com/otlp", "https://example.com/otlp/v1/traces", "example.com:443"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces", "[::1]:4318"),
    ],
)
def test_the_endpoint_is_a_base_to_which_the_path_is_added(endpoint: str, url: str, reach: str):
    collector = configured(otlp_endpoint=endpoint)
    assert collector is not None
    assert (collector.url, collector.reach) == (url, reach)


def test_without_an_endpoint_nothing_is_exported():
    assert configured() is None


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://user:pass@collector"])
def test_an_endpoint_that_is_none_stops_the_process_at_its_start(endpoint: str):
    with pytest.raises(Misconfigured, match="QUARTERDECK_OTLP_ENDPOINT"):
        configured(otlp_endpoint=endpoint)


def test_headers_are_pairs():
    collector = configured(otlp_endpoint="http://c:1", otlp_headers="X-Key=a=b, tenant = 7 ,")
    assert collector is not None
    assert collector.headers == {"x-key": "a=b", "tenant": "7"}
    with pytest.raises(Misconfigured, match="name=value"):
        configured(otlp_endpoint="http://c:1", otlp_headers="just a token")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN),
        (202, Verdict.TAKEN),
        (400, Verdict.REFUSED),
        (413, Verdict.REFUSED),
        (401, Verdict.AGAIN),
        (404, Verdict.AGAIN),
        (429, Verdict.AGAIN),
        (500, Verdict.AGAIN),
        (503, Verdict.AGAIN),
    ],
)
def test_what_may_go_away_is_tried_again_and_what_can_not_is_let_go(status: int, verdict: Verdict):
    assert judge(Reply(status, (), b"")).verdict is verdict


def test_a_collector_says_when_to_come_back():
    assert judge(Reply(429, (("retry-after", "7"),), b"")).retry_after == 7
    assert judge(Reply(503, (("retry-after", "soon"),), b"")).retry_after is None


def test_rejected_spans_are_not_sent_again():
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    assert judge(Reply(200, (), answer.SerializeToString())).verdict is Verdict.TAKEN
    assert judge(Reply(200, (), b"not protobuf")).verdict is Verdict.TAKEN
