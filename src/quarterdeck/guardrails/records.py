"""What guardrails look at, what a check finds, and what is made of it: the words that both edges share."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.releases.records import ModelPin
from quarterdeck.runs.parts import Finding


class Edge(StrEnum):
    """Where a text is looked at: before the model reads what a user said, or before the user reads an answer."""

    INPUT = "input"
    OUTPUT = "output"


class Action(StrEnum):
    """What a rule does when its check finds something. The first four are for the input, the rest for the output."""

    REFUSE = "refuse"
    LABEL = "label"
    """The message counts as untrusted from then on: what it says can't vouch for a destination."""
    ASK = "ask"
    """Input: calls that are not reads are reviewed by a person. Output: the answer is withheld and escalated."""
    RECORD = "record"
    BLOCK = "block"
    REDACT = "redact"
    RETRY = "retry"


class Verdict(StrEnum):
    """What comes of all rules together: the strongest that any of them wants. In the order of strength."""

    ALLOW = "allow"
    RECORD = "record"
    LABEL = "label"
    REDACT = "redact"
    RETRY = "retry"
    ASK = "ask"
    DENY = "deny"


STRENGTH: Mapping[Verdict, int] = {verdict: at for at, verdict in enumerate(Verdict)}

VERDICTS: Mapping[Action, Verdict] = {
    Action.REFUSE: Verdict.DENY,
    Action.BLOCK: Verdict.DENY,
    Action.ASK: Verdict.ASK,
    Action.RETRY: Verdict.RETRY,
    Action.REDACT: Verdict.REDACT,
    Action.LABEL: Verdict.LABEL,
    Action.RECORD: Verdict.RECORD,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A text on an edge and what a check may know about it.

    `sources` are texts that were retrieved for the answer, `system` the instructions that the model was given, and
    `canary` a code that stands in them and nowhere else.
    """

    tenant: TenantId
    run: RunId
    agent: str
    user: str
    text: str
    sources: tuple[str, ...] = ()
    system: str = ""
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One kind of thing that a check found. It never holds the thing itself.

    `score` is 1 where there is no doubt; `where` is the place in words; `advice` is a sentence for whoever wrote the
    text: what was found and what to change.
    """

    what: str
    count: int = 1
    score: float = 1.0
    where: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check made of a text. `text` is the text without what was found, where the check can say it: rules that
    redact or strip put it in the place of the original, for the checks that follow too.
    """

    hits: tuple[Hit, ...] = ()
    text: str | None = None
    strips: bool = False
    """`text` takes the original's place whatever the action is: what was taken out could be seen by nobody."""


NOTHING = Seen()


@dataclass(frozen=True, slots=True)
class Ports:
    """What checks may reach beyond the text, handed in by those who own the doors. None = there is no such way.

    `ask` puts a system prompt and a text to a pinned model, in a run's budget, and answers None where it could not be
    had; `call` runs a Python function of the release's own code; `hook` posts JSON to an address, with these headers,
    and returns what it answers; both take no more than the seconds that they are given. `signals` are exceptions that
    end the run's attempt and are no fault of a check.
    """

    ask: Callable[[ModelPin | None, str, str], Awaitable[str | None]] | None = None
    call: Callable[[str, JsonObject, float], Awaitable[Json]] | None = None
    hook: Callable[[str, Mapping[str, str], JsonObject, float], Awaitable[Json]] | None = None
    signals: tuple[type[BaseException], ...] = ()


class Check(Protocol):
    """One kind of check with its settings, ready to be applied to any number of texts."""

    async def look(self, subject: Subject, ports: Ports, /) -> Seen:
        """What it finds. May raise: the rule then counts as broken, and blocks unless it says `fail: open`."""
        ...


Make: TypeAlias = Callable[[Mapping[str, Json]], Check]
"""Makes a check of the settings of a rule. Raises Unusable for settings that make no sense."""


class Unusable(Error):
    """A guardrail of this release can't be applied as it is written."""

    code, status = "guardrail.unusable", 422


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules of an edge say of a text.

    `text` is what goes on: the original, or what is left after redaction. `checks` are the rules that were applied, in
    order, `rule` is the one that decided (empty = nothing was found) and `reason` tells whoever wrote the text what to
    change. `findings` never hold what was found. `ms` is the time it took.
    """

    verdict: Verdict
    text: str
    findings: tuple[Finding, ...] = ()
    checks: tuple[str, ...] = ()
    rule: str = ""
    reason: str = ""
    ms: int = 0
