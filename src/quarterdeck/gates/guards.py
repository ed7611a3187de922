"""How the checks that an author wrote reach their code: a function in the release's tool host, a service over HTTP.

Nothing of theirs runs in this process, and neither has any effect that would have to be recorded as an intent: a check
reads a text and answers. A call that fails is the check's failure; the rule says what becomes of that.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from quarterdeck.core.clock import Clock
from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, uuid7
from quarterdeck.core.json import Json, JsonObject, decode, encode
from quarterdeck.core.signature import sign
from quarterdeck.gates.secrecy import Secrecy
from quarterdeck.guardrails.records import Ports
from quarterdeck.net.client import Outbound
from quarterdeck.releases.records import GuardrailRule, ModelPin, Release, ToolGrant, ToolServer
from quarterdeck.runs.records import Effect, Repeat
from quarterdeck.spec.references import fill, names_in
from quarterdeck.tools.host.checks import ANSWER, PARAMETERS
from quarterdeck.tools.records import Answered, Toolbox, ToolRequest

_START = 30.0
"""Seconds for which a check waits for its host to start: that happens once, and is no slowness of the check's."""
_LARGEST_ANSWER = 64 * 1024
_SIGNATURE = "webhook-signature"
_LOCK = "requirements.lock"
_PREFIX = "check:"


class CheckFailed(Error):
    """A check that this agent's author wrote did not answer as it should."""

    code, status = "guardrail.check_failed", 502


@dataclass(frozen=True, slots=True)
class Guards:
    """The ways to checks of others, one per process. Nothing of a run is kept in it."""

    tools: Toolbox
    outbound: Outbound
    clock: Clock
    secrecy: Secrecy | None = None

    def ports(
        self,
        release: Release,
        run: RunId,
        user: str,
        *,
        ask: Callable[[ModelPin | None, str, str], Awaitable[str | None]] | None = None,
        signals: tuple[type[BaseException], ...] = (),
    ) -> Ports:
        """What the guardrails of a release may reach in a run; `ask` puts a question to a model."""
        equipped = with_checks(release)

        async def call(function: str, told: JsonObject, seconds: float) -> Json:
            return await self._call(equipped, run, user, function, told, seconds)

        async def hook(url: str, headers: Mapping[str, str], body: JsonObject, seconds: float) -> Json:
            return await self._post(release, url, headers, body, seconds)

        return Ports(ask=ask, call=call, hook=hook, signals=signals)

    async def _call(
        self, release: Release, run: RunId, user: str, function: str, told: JsonObject, seconds: float
    ) -> Json:
        """What a function of the release answers. Raises CheckFailed."""
        file, _, name = function.partition(":")
        within = _START + seconds
        request = ToolRequest(
            tenant=release.tenant,
            run=run,
            user=user,
            release=release,
            grant=_grant(file, name, seconds),
            call=f"{_PREFIX}{name}",
            arguments={"told": told},
            key=str(uuid7()),
            not_after=int((self.clock.now().timestamp() + within) * 1000),
            boot_deadline=self.clock.boot() + within,
        )
        outcome = await self.tools.perform(request)
        if not isinstance(outcome, Answered) or outcome.is_error or not isinstance(outcome.structured, Mapping):
            raise CheckFailed(f"`{function}` did not answer.")
        return outcome.structured.get(ANSWER)

    async def _post(
        self, release: Release, url: str, headers: Mapping[str, str], body: JsonObject, seconds: float
    ) -> Json:
        """What a service answers. Raises CheckFailed, SecretMissing, and what `net` raises.

        A header `webhook-signature` names the secret (`whsec_...`) with which the request is signed, after Standard
        Webhooks; it is never sent itself.
        """
        raw = encode(body)
        filled = await self._filled(release, headers)
        signing = filled.pop(_SIGNATURE, None)
        if signing is not None:
            filled |= sign([signing], str(uuid7()), self.clock.now(), raw)
        sent = {"content-type": "application/json", "accept": "application/json", **filled}
        reply = await self.outbound.request(
            "POST", url, sent, raw, timeout=seconds, connect_timeout=min(5.0, seconds), max_bytes=_LARGEST_ANSWER
        )
        if not 200 <= reply.status < 300:
            raise CheckFailed(f"The service answered with status {reply.status}.")
        try:
            return decode(reply.body) if reply.body.strip() else None
        except ValueError:
            raise CheckFailed("The service's answer is no JSON.") from None

    async def _filled(self, release: Release, headers: Mapping[str, str]) -> dict[str, str]:
        names = tuple(dict.fromkeys(name for text in headers.values() for name in names_in(text)))
        values: Mapping[str, str] = {} if self.secrecy is None else await self.secrecy.named(release.tenant, names)
        try:
            return {name.lower(): fill(text, values) for name, text in headers.items()}
        except KeyError:
            raise CheckFailed("A secret of this check's headers can't be had here.") from None


def with_checks(release: Release) -> Release:
    """The release with a server for each file that its guardrails call functions of, beside those of its tools."""
    functions: defaultdict[str, list[str]] = defaultdict(list)
    for rule in release.guardrails:
        file, _, name = _function_of(rule).partition(":")
        if name and name not in functions[file]:
            functions[file].append(name)
    lock = next((server.lock_digest for server in release.servers if server.lock_digest), release.files.get(_LOCK, ""))
    servers = tuple(
        ToolServer(_PREFIX + file, "python", module=f"{file}:{','.join(names)}", lock_digest=lock)
        for file, names in functions.items()
        if names
    )
    return replace(release, servers=(*release.servers, *servers)) if servers else release


def _function_of(rule: GuardrailRule) -> str:
    function = rule.settings.get("function")
    return function if isinstance(function, str) else ""


def _grant(file: str, name: str, seconds: float) -> ToolGrant:
    return ToolGrant(
        name=f"{_PREFIX}{file}:{name}",
        server=_PREFIX + file,
        remote_name=name,
        description="",
        parameters=PARAMETERS,
        effect=Effect.READ,
        repeat=Repeat.SAFE,
        trust="untrusted",
        timeout=seconds,
        max_output=_LARGEST_ANSWER,
        retries=0,
    )
