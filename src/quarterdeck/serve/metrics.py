"""Numbers for Prometheus: what this process did, and what the deployment is doing, counted when somebody asks."""

import asyncio
from collections.abc import Sequence

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from quarterdeck.core.clock import Clock
from quarterdeck.db.pool import Database
from quarterdeck.http.asgi import Scope
from quarterdeck.pacing.view import standings
from quarterdeck.runs.records import ENDED, Status
from quarterdeck.serve.live import Live
from quarterdeck.serve.store import take_census

CENSUS_LIFETIME = 5.0
"""Seconds for which one count serves all who ask."""

_GOING_ON: Sequence[str] = [status.value for status in Status if status not in ENDED]
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    """The numbers of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counted_at = float("-inf")
        self._counting = asyncio.Lock()
        self._sources: tuple[Database, Live] | None = None
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Histogram(
            "quarterdeck_http_request_seconds",
            "Time until an answer was complete; streams count until they ended.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._runs = Gauge("quarterdeck_runs", "Runs that have not ended.", ("status",), registry=registry)
        self._oldest = Gauge(
            "quarterdeck_queue_oldest_seconds", "How long the run waiting longest has been ready.", registry=registry
        )
        self._workers = Gauge("quarterdeck_workers", "Workers.", ("state",), registry=registry)
        self._capacity = Gauge("quarterdeck_worker_capacity", "Runs that living workers can hold.", registry=registry)
        self._deliveries = Gauge("quarterdeck_webhook_backlog", "Webhook messages to be delivered.", registry=registry)
        of_pace = ("provider", "model", "unit")
        self._pace_used = Gauge(
            "quarterdeck_provider_pace_used", "What a provider was asked lately, a minute.", of_pace, registry=registry
        )
        self._pace_limit = Gauge(
            "quarterdeck_provider_pace_limit", "What a provider is asked at most, a minute.", of_pace, registry=registry
        )
        self._pace_waiting = Gauge(
            "quarterdeck_provider_waiting", "Runs that wait for a provider.", ("provider", "model"), registry=registry
        )
        self._streams = Gauge("quarterdeck_live_streams", "Streams open in this process.", registry=registry)

    def attend(self, database: Database, live: Live) -> None:
        """Count these from now on."""
        self._sources = (database, live)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """An answer was given. Labels are routes and not addresses, so that their number is bounded."""
        method = str(scope["method"])
        self._requests.labels(
            method if method in _METHODS else "other", route_of(scope), str(status) if status else "gone"
        ).observe(seconds)

    async def render(self) -> tuple[bytes, str]:
        """The page that Prometheus reads, and its media type. The deployment's part is at most five seconds old."""
        async with self._counting:
            if self._sources is not None and self._clock.boot() - self._counted_at >= CENSUS_LIFETIME:
                await self._count(*self._sources)
                self._counted_at = self._clock.boot()
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    async def _count(self, database: Database, live: Live) -> None:
        census = await take_census(database, _GOING_ON)
        for status in _GOING_ON:
            self._runs.labels(status).set(census.runs.get(status, 0))
        for state in ("alive", "draining", "gone"):
            self._workers.labels(state).set(census.workers.get(state, 0))
        self._oldest.set(census.oldest_ready)
        self._capacity.set(census.capacity)
        self._deliveries.set(census.deliveries)
        self._streams.set(live.streams)
        await self._count_paces(database)

    async def _count_paces(self, database: Database) -> None:
        for gauge in (self._pace_used, self._pace_limit, self._pace_waiting):
            gauge.clear()
        for standing in await standings(database):
            lane = standing.lane
            labels = (lane.name.connection, lane.name.model or "all")
            rates = (("requests", lane.requests, lane.requests_used), ("tokens", lane.tokens, lane.tokens_used))
            for unit, rate, used in rates:
                if rate.now is not None:
                    self._pace_used.labels(*labels, unit).inc(used)
                    self._pace_limit.labels(*labels, unit).inc(rate.now)
            self._pace_waiting.labels(*labels).inc(standing.waiting + standing.called)


def route_of(scope: Scope) -> str:
    """The pattern of the route that answered, such as `/v1/runs/{run_id}`; the same word for all that met none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "none"
