"""The application of the api process: the packages' routes behind one border, on parts that open and close with it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

import quarterdeck
from quarterdeck.alerts import routes as alerts
from quarterdeck.approvals import routes as approvals
from quarterdeck.audit import routes as audit
from quarterdeck.autonomy import routes as autonomy
from quarterdeck.budgets import routes as budgets
from quarterdeck.console.mount import mount
from quarterdeck.core.clock import SystemClock
from quarterdeck.core.settings import Settings
from quarterdeck.db.checks import refuse_unmigrated, refuse_unsafe
from quarterdeck.db.pool import Database
from quarterdeck.db.records import Urls
from quarterdeck.db.urls import urls_of
from quarterdeck.db.wakes import Wakes
from quarterdeck.engine import routes as workers
from quarterdeck.escalations import routes as escalations
from quarterdeck.guardrails import routes as guardrails
from quarterdeck.http import border
from quarterdeck.http.parts import Parts, join
from quarterdeck.policies import routes as policies
from quarterdeck.policies import routes_reports as policy_reports
from quarterdeck.providers import routes as providers
from quarterdeck.providers import routes_pace as providers_pace
from quarterdeck.rates import routes as rates
from quarterdeck.releases import routes as releases
from quarterdeck.runs import routes as runs
from quarterdeck.secrets import routes as secrets
from quarterdeck.serve import docs, health
from quarterdeck.serve.metrics import Metrics
from quarterdeck.serve.openapi import describe
from quarterdeck.serve.services import open_services
from quarterdeck.switches import routes as switches
from quarterdeck.tenants import routes as tenants
from quarterdeck.tenants import routes_sessions as sessions
from quarterdeck.tenants.authenticator import KeyAuthenticator
from quarterdeck.tenants.changes import spread
from quarterdeck.tenants.minting import Peppers
from quarterdeck.threads import routes as threads
from quarterdeck.traces import routes as traces
from quarterdeck.usage import routes as usage
from quarterdeck.webhooks import routes as webhooks

# Tried in this order at each request, so the busiest come first.
ROUTERS: tuple[APIRouter, ...] = (
    runs.router,
    threads.router,
    traces.router,
    approvals.router,
    escalations.router,
    autonomy.router,
    releases.router,
    sessions.router,
    tenants.router,
    providers.router,
    providers_pace.router,
    rates.router,
    budgets.router,
    secrets.router,
    switches.router,
    alerts.router,
    policy_reports.router,
    policies.router,
    usage.router,
    guardrails.router,
    webhooks.router,
    audit.router,
    workers.router,
    health.router,
    docs.router,
)


@asynccontextmanager
async def open_app(settings: Settings, urls: Urls | None = None) -> AsyncGenerator[FastAPI]:
    """The application with its parts open, for as long as the block lasts.

    `urls` says where the database is, where the settings don't (an embedded one). Raises what is wrong with the
    settings, the database or its tables, each as an error that says what to do.
    """
    app = build_app(settings)
    async with AsyncExitStack() as stack:
        await _open_parts(app, settings, urls or urls_of(settings), stack)
        yield app


def build_app(settings: Settings) -> FastAPI:
    """The application without its parts: enough to describe it, not to answer for anything."""
    app = FastAPI(
        title="Quarterdeck",
        version=quarterdeck.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=list(_routes()),
        # Spans of runs are projections of their logs; the framework's own would tell a second story, with contents.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    metrics = app.state.metrics = Metrics(SystemClock())
    app.state.closing = asyncio.Event()
    border.install(
        app, max_body=settings.max_body, https=settings.public_url.startswith("https://"), observe=metrics.observe
    )
    app.openapi = describe(app)
    mount(app, settings)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """All routes, worked out by the framework at the first request, once for all applications of a process."""
    whole = APIRouter(generate_unique_id_function=_operation_id)
    for router in ROUTERS:
        whole.include_router(router)
    return tuple(whole.routes)


async def _open_parts(app: FastAPI, settings: Settings, urls: Urls, stack: AsyncExitStack) -> None:
    """Open what routes need, to be closed with the stack in the opposite order."""
    closing: asyncio.Event = app.state.closing
    clock = SystemClock()
    database = await Database.open(urls, size=settings.pool_size)
    stack.push_async_callback(database.close)
    await refuse_unsafe(database)
    await refuse_unmigrated(database)
    wakes = Wakes(urls.listen)
    stack.push_async_callback(wakes.close)
    await wakes.start()
    authenticator = KeyAuthenticator(database, Peppers.of(settings), clock)
    stack.push_async_callback(authenticator.close)
    spread(authenticator, wakes)
    parts = Parts(settings, database, clock, wakes, closing)
    join(app, parts, authenticator)
    await open_services(app, parts, stack)


def closer(app: FastAPI) -> Callable[[], None]:
    """What tells an application that its process ends: streams end, held answers are given, readiness says no."""
    return app.state.closing.set


def _operation_id(route: APIRoute) -> str:
    return route.name
