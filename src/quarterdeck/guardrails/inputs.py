"""The rules of the input edge: what a user says, before a model reads it.

All checks but an author's own are computations on the text, a few milliseconds together.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quarterdeck.guardrails import injection, judging, repetition
from quarterdeck.guardrails import settings as read
from quarterdeck.guardrails.characters import HOMOGLYPHS, KINDS, SELECTORS, latinised, look_alikes, reveal
from quarterdeck.guardrails.custom import Http, Python
from quarterdeck.guardrails.records import NOTHING, Edge, Hit, Judgement, Make, Ports, Seen, Subject, Unusable
from quarterdeck.guardrails.shape import Shape
from quarterdeck.releases.records import GuardrailRule

THRESHOLD = 0.8
"""From this score on a text counts as an injection, unless the rule says otherwise."""
_BYTES_A_TOKEN = 3.5


async def judge(rules: Iterable[GuardrailRule], subject: Subject, ports: Ports) -> Judgement:
    """What the rules of the input say of a user's words. `text` is what goes on: without what nobody sees, where a rule
    strips it. Raises only what `ports.signals` names.
    """
    return await judging.apply(Edge.INPUT, rules, MAKERS, subject, ports)


def tokens(text: str) -> int:
    """About how many tokens a text has: English a little over, most others a little more. For limits, not for money."""
    plain = len(text.encode("ascii", "ignore"))
    return math.ceil(plain / _BYTES_A_TOKEN) + len(text) - plain


@dataclass(frozen=True, slots=True)
class Length:
    """Limits on how much is said. 0 = no limit."""

    max_characters: int
    max_bytes: int
    max_tokens: int

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """What is longer than it may be, and by how much."""
        text = subject.text
        measured = (
            ("characters", len(text), self.max_characters),
            ("bytes", len(text.encode("utf-8", "replace")), self.max_bytes),
            ("tokens", tokens(text) if self.max_tokens else 0, self.max_tokens),
        )
        hits = (_too_long(what, count, most) for what, count, most in measured if most and count > most)
        return Seen(tuple(hits))


def _too_long(what: str, count: int, most: int) -> Hit:
    about = "about " if what == "tokens" else ""
    advice = (
        f"This is too long: it has {about}{count:,} {what} and at most {most:,} are accepted. Say less, or in parts."
    )
    return Hit(what, count, advice=advice)


@dataclass(frozen=True, slots=True)
class Characters:
    """Characters that nobody sees, and letters that pass for others."""

    kinds: frozenset[str]
    strip: bool

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """How many there are of each kind; with `strip`, the text without them."""
        revealed = reveal(subject.text)
        counts = {**revealed.found, HOMOGLYPHS: look_alikes(revealed.text)}
        hits = tuple(
            Hit(kind, count, advice=_UNSEEN[kind == HOMOGLYPHS])
            for kind, count in counts.items()
            if count and kind in self.kinds
        )
        if not hits:
            return NOTHING
        return Seen(hits, latinised(revealed.text) if self.strip else None, strips=self.strip)


_UNSEEN = {
    False: "The text holds characters that can't be seen, as copied text sometimes does. Type it anew, or paste it as "
    "plain text.",
    True: "Some words mix letters of different alphabets that look alike. Type them anew.",
}


@dataclass(frozen=True, slots=True)
class Injection:
    """Words that want to instruct the model against those who run it."""

    threshold: float
    classes: frozenset[str]
    classifier: bool

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """The class that says most, with the score of all."""
        assessed = injection.assess(subject.text, classifier=self.classifier)
        wanted = {what: weight for what, weight in assessed.classes.items() if what in self.classes}
        score = injection.together(wanted)
        if score < self.threshold:
            return NOTHING
        leading = injection.Assessment(score, wanted).leading
        where = ", ".join(sorted(what for what in wanted if what != leading))
        return Seen((Hit(leading, score=score, where=f"also {where}" if where else "", advice=ADVICE[leading]),))


_ABOUT = "Your message reads like {what}. Ask for what you need in plain words, without that."
ADVICE: Mapping[str, str] = {
    what: _ABOUT.format(what=words)
    for what, words in {
        "ignore_instructions": "a request to ignore this assistant's instructions",
        "role_play": "a request to play a role that has no rules",
        "no_rules": "a request to answer without any rules",
        "hypothetical": "a made-up setting in which rules do not count",
        "prompt_extraction": "a request to show this assistant's own instructions",
        "exfiltration": "a request to send private content elsewhere",
        "concealment": "a request to hide something from the user",
        "forged_markup": "marks that only the system itself may write, such as <system>",
        "encoded": "instructions that are written in a code",
        "flooding": "the same words over and over",
        "hidden_characters": "text that is hidden in characters which can't be seen",
        "learned": "an attempt to change how this assistant works",
    }.items()
}
"""What a user is told, by class: what was found and what to change."""


@dataclass(frozen=True, slots=True)
class Flooding:
    """One thing said over and over."""

    threshold: float

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """Whether the text repeats itself beyond what tables and logs do."""
        if not repetition.floods(subject.text, self.threshold):
            return NOTHING
        return Seen((Hit("repetition", advice="The text says the same over and over. Say it once."),))


def _length(settings: read.Settings) -> Length:
    limits = (int(read.number(settings, f"max_{what}", 0)) for what in ("characters", "bytes", "tokens"))
    return Length(*limits)


def _characters(settings: read.Settings) -> Characters:
    kinds = frozenset(read.texts(settings, "kinds", KINDS))
    unknown = sorted(kinds.difference(KINDS))
    if unknown:
        raise Unusable(f"There is no kind {unknown[0]!r} of characters.")
    return Characters(kinds | {SELECTORS} if "tags" in kinds else kinds, read.flag(settings, "strip"))


def _injection(settings: read.Settings) -> Injection:
    return Injection(
        read.number(settings, "threshold", THRESHOLD),
        frozenset(read.texts(settings, "classes", injection.CLASSES)) | {injection.LEARNED},
        read.flag(settings, "classifier", default=True),
    )


def _flooding(settings: read.Settings) -> Flooding:
    return Flooding(read.number(settings, "threshold", repetition.THRESHOLD))


MAKERS: Mapping[str, Make] = {
    "length": _length,
    "characters": _characters,
    "schema": Shape,
    "injection": _injection,
    "flooding": _flooding,
    "python": Python,
    "http": Http,
}
"""The checks of the input by their names in `agent.yaml`."""
