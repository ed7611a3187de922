"""What has to be checked on each edge of a run: by this version's gates, and by the guardrails that its release has.

Said here apart from the gates, so that a gate that forgets a check can't excuse itself: a test holds the two together,
and the proof of a run holds its log against this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quarterdeck.releases.records import Release
from quarterdeck.runs.messages import Trust

GUARDED_SINCE = 3
"""The behaviour from which on what comes in is judged, and questions are priced and paid in advance."""

TOOL: Mapping[int, tuple[str, ...]] = {
    2: ("known", "switch", "schema", "limits", "depth", "scope", "permission", "approval"),
    3: ("known", "switch", "schema", "limits", "depth", "scope", "permission", "approval"),
}
"""The checks of a tool call, by behaviour."""
MODEL: Mapping[int, tuple[str, ...]] = {
    2: ("switch", "connection", "pin", "limits"),
    3: ("switch", "connection", "pin", "limits", "price", "budget"),
}
"""The checks of a question to a model."""
READ_RESULT = "read_result"
"""The built-in tool that shows a kept result again."""
READING: tuple[str, ...] = ("switch", "schema", "limits", "kept")
"""The checks of a call that shows a kept result again."""


@dataclass(frozen=True, slots=True)
class Demands:
    """What the log of a run has to show. `trust` is what the release declares of each tool's words.

    `input` and `output` are its guardrails by name, in order. `behaviour` is that of the release: what a newer version
    checks beyond it is welcome.
    """

    behaviour: int
    tool: tuple[str, ...]
    model: tuple[str, ...]
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    trust: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def guarded(self) -> bool:
        """Whether what comes in has to be judged, even by no rule at all."""
        return self.behaviour >= GUARDED_SINCE

    def of_tool(self, tool: str) -> tuple[str, ...]:
        """The checks of a call of this tool."""
        return READING if tool == READ_RESULT and tool not in self.trust else self.tool


def demands_of(release: Release) -> Demands:
    """What the log of a run of this release has to show."""
    behaviour = max((known for known in TOOL if known <= release.behaviour), default=min(TOOL))
    return Demands(
        behaviour=release.behaviour,
        tool=TOOL[behaviour],
        model=MODEL[behaviour],
        input=tuple(rule.name for rule in release.guardrails if rule.edge == "input"),
        output=tuple(rule.name for rule in release.guardrails if rule.edge == "output"),
        trust={tool.name: Trust.TRUSTED if tool.trust == Trust.TRUSTED else Trust.UNTRUSTED for tool in release.tools},
    )
