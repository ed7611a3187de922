"""The client itself."""

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import httpx

from quarterdeck.sdk import calls
from quarterdeck.sdk.aio.agents import AsyncAgents, AsyncReleases
from quarterdeck.sdk.aio.alerts import AsyncAlerts
from quarterdeck.sdk.aio.approvals import AsyncApprovals
from quarterdeck.sdk.aio.audit import AsyncAudit
from quarterdeck.sdk.aio.autonomy import AsyncAutonomy
from quarterdeck.sdk.aio.budgets import AsyncBudgets
from quarterdeck.sdk.aio.escalations import AsyncEscalations
from quarterdeck.sdk.aio.guardrails import AsyncGuardrails
from quarterdeck.sdk.aio.keys import AsyncKeys, AsyncTenants
from quarterdeck.sdk.aio.policies import AsyncPolicies
from quarterdeck.sdk.aio.providers import AsyncProviders, AsyncWorkers
from quarterdeck.sdk.aio.rates import AsyncRates
from quarterdeck.sdk.aio.runs import AsyncRuns
from quarterdeck.sdk.aio.secrets import AsyncSecrets
from quarterdeck.sdk.aio.switches import AsyncSwitches
from quarterdeck.sdk.aio.threads import AsyncThreads
from quarterdeck.sdk.aio.transport import AsyncTransport
from quarterdeck.sdk.aio.usage import AsyncUsage
from quarterdeck.sdk.aio.webhooks import AsyncWebhooks
from quarterdeck.sdk.errors import Unavailable
from quarterdeck.sdk.holdings import Actor, Readiness
from quarterdeck.sdk.options import RETRIES, TIMEOUT, Options, options, trust


class AsyncQuarterdeck:
    """A deployment of Quarterdeck, for programs with asyncio.

        async with AsyncQuarterdeck() as deck:
            run = await deck.runs.run_and_wait("desk", "Where is order 1001?")

    Without arguments, QUARTERDECK_URL and QUARTERDECK_KEY say where it is and who asks. `tenant` is for deployment
    admins who act in a tenant, `user` for keys that may name the end user they act for. Keep one client and share it;
    it may be used by many tasks at once. `http` is a client of your own to send with, which you close yourself.
    """

    def __init__(
        self,
        base_url: str | None = None,
        key: str | None = None,
        *,
        tenant: str | None = None,
        user: str = "",
        timeout: float = TIMEOUT,
        retries: int = RETRIES,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        settled = options(base_url, key, tenant, user)
        settled = replace(settled, timeout=timeout, retries=retries, headers=dict(headers or {}))
        self._owns_http = http is None
        self._use(settled, http or httpx.AsyncClient(verify=trust(settled.base_url), limits=_LIMITS))

    @property
    def base_url(self) -> str:
        """Where the deployment is."""
        return self._transport.options.base_url

    def acting(self, *, tenant: str | None = None, user: str | None = None) -> Self:
        """The same client in another tenant or for another end user. Shares its connections; close the first one."""
        known = self._transport.options
        other = object.__new__(type(self))
        other._owns_http = False
        other._use(
            replace(
                known,
                tenant=known.tenant if tenant is None else tenant,
                user=known.user if user is None else user,
            ),
            self._transport.http,
        )
        return other

    async def whoami(self) -> Actor:
        """Who this key is to the deployment."""
        return await self._transport.send(calls.get(Actor, calls.at("sessions", "current")))

    async def ready(self) -> Readiness:
        """Whether the process that answers can serve."""
        try:
            return await self._transport.send(calls.get(Readiness, "/readyz"))
        except Unavailable as refused:
            return Readiness(ready=False, checks=refused.checks)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._owns_http:
            await self._transport.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _use(self, known: Options, http: httpx.AsyncClient) -> None:
        self._transport = AsyncTransport(known, http)
        self.runs = AsyncRuns(self._transport)
        self.threads = AsyncThreads(self._transport)
        self.approvals = AsyncApprovals(self._transport)
        self.escalations = AsyncEscalations(self._transport)
        self.autonomy = AsyncAutonomy(self._transport)
        self.agents = AsyncAgents(self._transport)
        self.releases = AsyncReleases(self._transport)
        self.keys = AsyncKeys(self._transport)
        self.tenants = AsyncTenants(self._transport)
        self.policies = AsyncPolicies(self._transport)
        self.providers = AsyncProviders(self._transport)
        self.secrets = AsyncSecrets(self._transport)
        self.rates = AsyncRates(self._transport)
        self.budgets = AsyncBudgets(self._transport)
        self.usage = AsyncUsage(self._transport)
        self.alerts = AsyncAlerts(self._transport)
        self.guardrails = AsyncGuardrails(self._transport)
        self.workers = AsyncWorkers(self._transport)
        self.webhooks = AsyncWebhooks(self._transport)
        self.switches = AsyncSwitches(self._transport)
        self.audit = AsyncAudit(self._transport)


_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)
