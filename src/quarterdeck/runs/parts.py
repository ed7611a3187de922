"""What several events are made of: decisions, handoffs, findings, and what a parent run leaves its child."""

import msgspec


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a gate said and the rule that decided: the first check that did not allow, or `default`.

    `policies` are the Cedar policies that made it so, by id; `effective` is the digest of everything live that narrowed
    the release at that moment (tenant policies, switches, autonomy). `later_ms` is set where the answer is "not now".
    """

    verdict: str
    rule: str
    reason: str = ""
    checks: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    effective: str = ""
    later_ms: int | None = None


class Handoff(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run that did not succeed leaves behind for whoever goes on: never empty-handed."""

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    why: str = ""
    last_words: str = ""


class Narrowing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a parent run leaves of its child's release: a child may do less than it was granted, never more.

    `tools` None = all of them. `tainted`: what it was told has been near words that outsiders can write. `vouched` are
    the addresses and accounts in its task that were clean where it comes from; the rest is the caller's model's word.
    `ancestors` are the runs above it, outermost first: it spends from their budgets too.
    """

    depth: int = 0
    tools: tuple[str, ...] | None = None
    autonomy: str | None = None
    max_steps: int | None = None
    max_tool_calls: int | None = None
    max_seconds: float | None = None
    max_tokens: int | None = None
    tainted: bool = False
    ancestors: tuple[str, ...] = ()
    vouched: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a guardrail found, and never the thing itself: `what` names its kind, `where` the place in words."""

    check: str
    action: str
    what: str
    count: int = 1
    score: float = 0.0
    where: str = ""
