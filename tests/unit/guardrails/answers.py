"""What tests of the output edge are made of: rules, a subject, ports that answer what they are told."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.guardrails.records import Ports, Subject
from quarterdeck.releases.records import GuardrailRule, ModelPin

TENANT = TenantId(UUID(int=1))
RUN = RunId(UUID(int=2))


def rule(check: str, action: str, name: str = "", **settings: Json) -> GuardrailRule:
    """A rule of the output."""
    return GuardrailRule(name or check, "output", check, action, settings)


def said(text: str, sources: Sequence[str] = (), system: str = "", canary: str = "") -> Subject:
    """An answer about to be shown."""
    return Subject(TENANT, RUN, "desk", "ann", text, tuple(sources), system, canary)


class Asked:
    """Ports that remember what they were asked and answer what a test wants."""

    def __init__(
        self,
        model: str | Exception | None = None,
        custom: Json | Exception = None,
        signals: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.model = model
        self.custom = custom
        self.questions: list[tuple[ModelPin | None, str, str]] = []
        self.calls: list[tuple[str, JsonObject, float]] = []
        self.hooks: list[tuple[str, Mapping[str, str], JsonObject, float]] = []
        self.ports = Ports(ask=self._ask, call=self._call, hook=self._hook, signals=signals)

    async def _ask(self, pin: ModelPin | None, system: str, text: str) -> str | None:
        self.questions.append((pin, system, text))
        if isinstance(self.model, Exception):
            raise self.model
        return self.model

    async def _call(self, function: str, arguments: JsonObject, seconds: float) -> Json:
        self.calls.append((function, arguments, seconds))
        return self._custom()

    async def _hook(self, url: str, headers: Mapping[str, str], body: JsonObject, seconds: float) -> Json:
        self.hooks.append((url, headers, body, seconds))
        return self._custom()

    def _custom(self) -> Json:
        if isinstance(self.custom, Exception):
            raise self.custom
        return self.custom
