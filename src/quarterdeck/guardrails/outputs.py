"""The rules of the output edge: what an agent is about to say, before anybody reads it.

The first rule that blocks wins; what others take out adds up. A finding never holds what was found.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from quarterdeck.guardrails import judging, pii
from quarterdeck.guardrails import settings as read
from quarterdeck.guardrails.custom import Http, Python
from quarterdeck.guardrails.grounding import Grounding
from quarterdeck.guardrails.leaks import SHARE, PromptLeak
from quarterdeck.guardrails.links import Hosts, Links
from quarterdeck.guardrails.opinion import Judge
from quarterdeck.guardrails.patterns import Patterns, Topics
from quarterdeck.guardrails.presidio import Presidio
from quarterdeck.guardrails.private import Pii, Secrets
from quarterdeck.guardrails.records import Check, Edge, Judgement, Make, Ports, Subject, Verdict
from quarterdeck.guardrails.shape import Shape
from quarterdeck.releases.records import GuardrailRule

WITHHELD = "The answer is not shown: it did not pass the check {rule!r} of this agent."
"""What a user reads in the place of an answer that was blocked, unless the rule has a `message`."""
ESCALATED = "The answer did not pass the check {rule!r} of this agent, and a person looks at it before it is shown."
"""The same of an answer that is passed on."""


async def judge(rules: Iterable[GuardrailRule], subject: Subject, ports: Ports) -> Judgement:
    """What the rules of the output say of an answer.

    Where it is denied, `text` is empty and `reason` the sentence for the user; where a person is asked, `text` is what
    that person reads, and `reason` a sentence for both; where it is written anew, `reason` is for the model. Raises
    only what `ports.signals` names.
    """
    listed = tuple(rules)
    judgement = await judging.apply(Edge.OUTPUT, listed, MAKERS, subject, ports)
    if judgement.verdict not in {Verdict.DENY, Verdict.ASK}:
        return judgement
    rule = next(one for one in listed if one.edge == Edge.OUTPUT and one.name == judgement.rule)
    denied = judgement.verdict is Verdict.DENY
    own = rule.settings.get("message")
    neutral = (WITHHELD if denied else ESCALATED).format(rule=rule.name)
    reason = own if isinstance(own, str) and own else neutral
    return replace(judgement, text="" if denied else judgement.text, reason=reason)


def _pii(settings: read.Settings) -> Check:
    kinds = read.texts(settings, "kinds", sorted(pii.KINDS))
    regions, allow = read.texts(settings, "regions", pii.REGIONS), read.texts(settings, "allow")
    if read.text(settings, "engine", "builtin") == "presidio":
        return Presidio(read.texts(settings, "kinds", (*sorted(pii.KINDS), "name", "address")), regions, allow)
    return Pii(kinds, regions, allow)


def _links(settings: read.Settings) -> Check:
    return Links(Hosts.of(read.texts(settings, "hosts")), images=read.flag(settings, "images"))


def _topics(settings: read.Settings) -> Check:
    topics = read.mapping(settings, "topics")
    return Topics({topic: read.texts(topics, topic) for topic in topics}, int(read.number(settings, "matches", 1)))


def _patterns(settings: read.Settings) -> Check:
    return Patterns(read.texts(settings, "patterns"), ignore_case=read.flag(settings, "ignore_case"))


def _leak(settings: read.Settings) -> Check:
    return PromptLeak(read.number(settings, "threshold", SHARE))


def _secrets(_settings: read.Settings) -> Check:
    return Secrets()


MAKERS: Mapping[str, Make] = {
    "pii": _pii,
    "secrets": _secrets,
    "prompt_leak": _leak,
    "links": _links,
    "patterns": _patterns,
    "topics": _topics,
    "schema": Shape,
    "grounding": Grounding,
    "judge": Judge,
    "python": Python,
    "http": Http,
}
"""The checks of the output by their names in `agent.yaml`."""
