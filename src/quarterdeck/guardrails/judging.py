"""Rules applied to a text one after the other, alike on both edges, so that these never differ in what is safe."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from quarterdeck.core import log as logs
from quarterdeck.core.json import encode
from quarterdeck.guardrails.records import (
    STRENGTH,
    VERDICTS,
    Action,
    Check,
    Edge,
    Hit,
    Judgement,
    Make,
    Ports,
    Seen,
    Subject,
    Unusable,
    Verdict,
)
from quarterdeck.releases.records import GuardrailRule
from quarterdeck.runs.parts import Finding

_log = logs.get(__name__)
FAULT = "fault"
"""What is found where a check broke."""
_BROKEN = "A check that has to pass could not be carried out. Try again; if it stays so, tell whoever runs this agent."
_REFUSED = "This text was refused by the rule {rule!r} of this agent. Say it in other words."
_MOST_MADE = 2_000

_made: dict[tuple[str, str, bytes], Check] = {}
"""Checks are made once for each wording of their settings: schemas and patterns are compiled then."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    verdict: Verdict
    text: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""


async def apply(
    edge: Edge, rules: Iterable[GuardrailRule], makers: Mapping[str, Make], subject: Subject, ports: Ports
) -> Judgement:
    """What the rules of an edge say together: the strongest verdict, and the first rule that wanted it.

    Each check sees what those before it left of the text. After a denial nothing more is looked at. A check that breaks
    denies, unless its rule says `fail: open`; only exceptions named in `ports.signals` come out of here.
    """
    began = time.monotonic()
    verdict, decided, reason, text = Verdict.ALLOW, "", "", subject.text
    findings: list[Finding] = []
    names: list[str] = []
    for rule in rules:
        if rule.edge != edge:
            continue
        names.append(rule.name)
        outcome = await _follow(rule, makers, replace(subject, text=text), ports)
        text = outcome.text
        findings += outcome.findings
        if STRENGTH[outcome.verdict] > STRENGTH[verdict]:
            verdict, decided, reason = outcome.verdict, rule.name, outcome.reason
        if verdict is Verdict.DENY:
            break
    spent = round((time.monotonic() - began) * 1000)
    return Judgement(verdict, text, tuple(findings), tuple(names), decided, reason, spent)


async def _follow(rule: GuardrailRule, makers: Mapping[str, Make], subject: Subject, ports: Ports) -> _Outcome:
    try:
        action = Action(rule.action)
        seen = await made(rule, makers).look(subject, ports)
    except ports.signals:
        raise
    except Exception as fault:
        _log.warning("guardrail.broken", rule=rule.name, check=rule.check, error=type(fault).__name__)
        return _broken(rule, subject.text)
    return _decide(rule, action, seen, subject.text)


def _broken(rule: GuardrailRule, text: str) -> _Outcome:
    open_ = rule.settings.get("fail") == "open"
    action = Action.RECORD if open_ else (Action.REFUSE if rule.edge == Edge.INPUT else Action.BLOCK)
    found = Finding(check=rule.check, action=action, what=FAULT)
    return _Outcome(VERDICTS[action], text, (found,), "" if open_ else _BROKEN)


def _decide(rule: GuardrailRule, action: Action, seen: Seen, text: str) -> _Outcome:
    left = text if seen.text is None or not (seen.strips or action is Action.REDACT) else seen.text
    if not seen.hits:
        return _Outcome(Verdict.ALLOW, left)
    verdict = VERDICTS[action]
    if action is Action.REDACT and seen.text is None:
        verdict = Verdict.DENY  # nobody can say what would be left: then nothing may be shown
    findings = tuple(
        Finding(check=rule.check, action=action, what=hit.what, count=hit.count, score=hit.score, where=hit.where)
        for hit in seen.hits
    )
    return _Outcome(verdict, left, findings, _reason(rule, seen.hits))


def _reason(rule: GuardrailRule, hits: tuple[Hit, ...]) -> str:
    """The author's own words where the rule has a `message`, else what the checks advise."""
    own = rule.settings.get("message")
    if isinstance(own, str) and own:
        return own
    advice = dict.fromkeys(hit.advice for hit in hits if hit.advice)
    return " ".join(advice) or _REFUSED.format(rule=rule.name)


def made(rule: GuardrailRule, makers: Mapping[str, Make]) -> Check:
    """The check of a rule, made once. Raises Unusable."""
    key = (rule.edge, rule.check, encode(rule.settings))
    check = _made.get(key)
    if check is None:
        make = makers.get(rule.check)
        if make is None:
            raise Unusable(f"There is no check {rule.check!r} for the {rule.edge}.")
        if len(_made) >= _MOST_MADE:
            _made.clear()
        check = _made[key] = make(rule.settings)
    return check
