# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""The client itself."""

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

import httpx

from quarterdeck.sdk import calls
from quarterdeck.sdk.errors import Unavailable
from quarterdeck.sdk.holdings import Actor, Readiness
from quarterdeck.sdk.options import RETRIES, TIMEOUT, Options, options, trust
from quarterdeck.sdk.sync.agents import Agents, Releases
from quarterdeck.sdk.sync.alerts import Alerts
from quarterdeck.sdk.sync.approvals import Approvals
from quarterdeck.sdk.sync.audit import Audit
from quarterdeck.sdk.sync.autonomy import Autonomy
from quarterdeck.sdk.sync.budgets import Budgets
from quarterdeck.sdk.sync.escalations import Escalations
from quarterdeck.sdk.sync.guardrails import Guardrails
from quarterdeck.sdk.sync.keys import Keys, Tenants
from quarterdeck.sdk.sync.policies import Policies
from quarterdeck.sdk.sync.providers import Providers, Workers
from quarterdeck.sdk.sync.rates import Rates
from quarterdeck.sdk.sync.runs import Runs
from quarterdeck.sdk.sync.secrets import Secrets
from quarterdeck.sdk.sync.switches import Switches
from quarterdeck.sdk.sync.threads import Threads
from quarterdeck.sdk.sync.transport import Transport
from quarterdeck.sdk.sync.usage import Usage
from quarterdeck.sdk.sync.webhooks import Webhooks


class Quarterdeck:
    """A deployment of Quarterdeck.

        with Quarterdeck() as deck:
            run = deck.runs.run_and_wait("desk", "Where is order 1001?")

    Without arguments, QUARTERDECK_URL and QUARTERDECK_KEY say where it is and who asks. `tenant` is for deployment
    admins who act in a tenant, `user` for keys that may name the end user they act for. Keep one client and share it;
    it may be used by many threads at once. `http` is a client of your own to send with, which you close yourself.
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
        http: httpx.Client | None = None,
    ) -> None:
        settled = options(base_url, key, tenant, user)
        settled = replace(settled, timeout=timeout, retries=retries, headers=dict(headers or {}))
        self._owns_http = http is None
        self._use(settled, http or httpx.Client(verify=trust(settled.base_url), limits=_LIMITS))

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

    def whoami(self) -> Actor:
        """Who this key is to the deployment."""
        return self._transport.send(calls.get(Actor, calls.at("sessions", "current")))

    def ready(self) -> Readiness:
        """Whether the process that answers can serve."""
        try:
            return self._transport.send(calls.get(Readiness, "/readyz"))
        except Unavailable as refused:
            return Readiness(ready=False, checks=refused.checks)

    def close(self) -> None:
        """Let go of the connections."""
        if self._owns_http:
            self._transport.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _use(self, known: Options, http: httpx.Client) -> None:
        self._transport = Transport(known, http)
        self.runs = Runs(self._transport)
        self.threads = Threads(self._transport)
        self.approvals = Approvals(self._transport)
        self.escalations = Escalations(self._transport)
        self.autonomy = Autonomy(self._transport)
        self.agents = Agents(self._transport)
        self.releases = Releases(self._transport)
        self.keys = Keys(self._transport)
        self.tenants = Tenants(self._transport)
        self.policies = Policies(self._transport)
        self.providers = Providers(self._transport)
        self.secrets = Secrets(self._transport)
        self.rates = Rates(self._transport)
        self.budgets = Budgets(self._transport)
        self.usage = Usage(self._transport)
        self.alerts = Alerts(self._transport)
        self.guardrails = Guardrails(self._transport)
        self.workers = Workers(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.switches = Switches(self._transport)
        self.audit = Audit(self._transport)


_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)
