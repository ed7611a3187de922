"""One request to a collector by OTLP over HTTP, and what its answer means for what was sent."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from quarterdeck.core import log
from quarterdeck.core.errors import Error, Misconfigured
from quarterdeck.core.settings import Settings
from quarterdeck.net import rules
from quarterdeck.net.client import Outbound
from quarterdeck.net.records import Reach, Refusal, Reply, Target

TIMEOUT = 15.0
_PATH = "/v1/traces"
_ANSWER_BYTES = 64 * 1024
_COMPRESS_FROM = 1_024
_AGAIN = frozenset({401, 403, 404, 405, 408, 421, 425, 429})
"""Beside 5xx: what goes away by waiting, or when somebody puts the settings right. All else stays refused."""

_log = log.get("quarterdeck.traces")


class Verdict(StrEnum):
    """What a request came to."""

    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `retry_after` in seconds, where the collector said so."""

    verdict: Verdict
    why: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans go, as the deployment set it: it may stand inside, as collectors do."""

    url: str
    reach: str
    headers: Mapping[str, str]
    content: bool

    @classmethod
    def of(cls, settings: Settings) -> "Collector | None":
        """The collector of a deployment; None where none is set. Raises Misconfigured for what is no URL."""
        if not settings.otlp_endpoint:
            return None
        base = settings.otlp_endpoint.rstrip("/")
        target = rules.judge_url(base if base.endswith(_PATH) else base + _PATH, Reach(allow_private=True))
        if isinstance(target, Refusal):
            raise Misconfigured(f"QUARTERDECK_OTLP_ENDPOINT: {target.why}")
        headers = _headers(settings.otlp_headers.get_secret_value())
        return cls(target.url, _reach(target), headers, settings.otlp_content)

    def outbound(self, settings: Settings) -> Outbound:
        """A client that reaches this collector wherever it stands, and else what the deployment's settings allow."""
        return Outbound.of(settings, [self.reach])


async def send(outbound: Outbound, collector: Collector, body: bytes) -> Outcome:
    """Send one request. Never raises what the network does."""
    headers = {**collector.headers, "content-type": "application/x-protobuf"}
    if len(body) >= _COMPRESS_FROM:
        body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
    try:
        reply = await outbound.request("POST", collector.url, headers, body, timeout=TIMEOUT, max_bytes=_ANSWER_BYTES)
    except Error as error:
        return Outcome(Verdict.AGAIN, f"{error.detail} ({error.code})")
    return judge(reply)


def judge(reply: Reply) -> Outcome:
    """What an answer means. A part that the collector rejects is not sent again: it would be rejected again."""
    if 200 <= reply.status < 300:
        _note_partial(reply)
        return Outcome(Verdict.TAKEN)
    why = f"the collector answered {reply.status}"
    if reply.status in _AGAIN or reply.status >= 500:
        after = reply.header("retry-after") or ""
        return Outcome(Verdict.AGAIN, why, float(after) if after.isdecimal() else None)
    return Outcome(Verdict.REFUSED, why)


def _note_partial(reply: Reply) -> None:
    try:
        partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    except DecodeError:
        return
    if partial.rejected_spans:
        _log.warning("traces.rejected", spans=partial.rejected_spans, why=partial.error_message)


def _reach(target: Target) -> str:
    return f"{target.host_text}:{target.port}"


def _headers(text: str) -> dict[str, str]:
    """`name=value` pairs, comma-separated, as collectors' own documentation writes them."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    faulty = [name for name, equals, _ in pairs if not equals or not name.strip()]
    if faulty:
        raise Misconfigured("QUARTERDECK_OTLP_HEADERS: write name=value pairs, separated by commas.")
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
