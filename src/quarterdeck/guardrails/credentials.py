"""Credentials that nobody has named: known by the forms that their issuers give them, or by the word in front of them.

What a run has been given is taken out by its value, whatever it looks like (`secrets.redaction`); this is for the rest.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quarterdeck.guardrails.spans import Span, last_word, settled

_BITS = 3.5
"""Bits a character: words and paths stay below, random hexadecimal is just above, base64 far above."""
_CERTAIN, _LIKELY = 1.0, 0.8


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of thing. `anchor` stands, in lower case, in every text that holds one; `sure` rules look-alikes out."""

    kind: str
    pattern: re.Pattern[str]
    anchor: str
    sure: Callable[[str], bool] = bool
    score: float = _CERTAIN


def find(text: str) -> list[Span]:
    """Where a text holds credentials, in the order of the text and without overlaps. Linear in the text's length."""
    lowered = text.lower()
    return settled(
        Span(shape.kind, *match.span(), shape.score)
        for shape in _SHAPES
        if shape.anchor in lowered
        for match in shape.pattern.finditer(text)
        if shape.sure(match[0])
    )


def unfinished(text: str) -> int:
    """From which place on a text may be the beginning of a credential; all of it stands in words behind that place.

    Whatever stands there is no whole word yet, or a key of several lines, or a name that waits for its value.
    """
    starts = [last_word(text, len(text))]
    begun = text.rfind(_BEGIN)
    if begun >= 0 and _WHOLE_KEY.match(text, begun) is None and _KEY_SO_FAR.match(text, begun):
        starts.append(begun)
    named = _NAMED_SO_FAR.search(text, max(0, len(text) - _LONGEST_NAMED))
    if named is not None:
        starts.append(named.start())
    return min(starts)


def is_random(text: str) -> bool:
    """Whether a text looks drawn at random, as keys are: many different characters, digits and letters among them."""
    value = _NAME_END.split(text)[-1]
    if len(value) < 20 or value.isalpha() or value.isdigit():
        return False
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) >= _BITS


_NAME_END = re.compile(r"[=:\s\"']+")
_BEGIN = "-----BEGIN "
_WHOLE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?-----END [A-Z ]{0,30}KEY-----", re.DOTALL)
_KEY_SO_FAR = re.compile(r"-----BEGIN [A-Z ]{0,42}(?:-{0,5}\Z|PRIVATE KEY-----)")
_NAME = r"(?:secret|token|passw(?:or)?d|api[_-]?key|access[_-]?key)[\"']?\s{0,3}"
_NAMED_SO_FAR = re.compile(rf"(?i){_NAME}(?:[:=]\s{{0,3}}[\"']?[\w+/.~-]*)?\Z")
_LONGEST_NAMED = 450

_SHAPES: tuple[Shape, ...] = (
    Shape(
        "private key",
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}KEY-----|\Z)", re.DOTALL),
        "private key-----",
    ),
    Shape("api key", re.compile(r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]{1,12}[-_]){0,3}[A-Za-z0-9_-]{16,200}"), "k"),
    Shape("github token", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,255}|\bgithub_pat_\w{22,255}"), "gh"),
    Shape("slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}"), "xox"),
    Shape("aws key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), "ia"),
    Shape("google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}"), "aiza"),
    Shape("json web token", re.compile(r"(?<![\w-])eyJ[\w-]{8,4000}\.eyJ[\w-]{8,4000}\.[\w-]{8,1000}"), "eyj"),
    Shape("quarterdeck key", re.compile(r"\bqd_[A-Za-z0-9]{1,40}_[A-Za-z0-9_-]{30,100}"), "qd_"),
    Shape("webhook secret", re.compile(r"\bwhsec_[A-Za-z0-9+/=]{20,200}"), "whsec_"),
    Shape("password in a url", re.compile(r"(?<=://)[^\s/:@]{1,100}:[^\s/:@]{3,200}(?=@)"), "://"),
    Shape("bearer token", re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/-]{20,4000}=*"), "bearer ", is_random, _LIKELY),
    Shape("credential", re.compile(rf"(?i){_NAME}[:=]\s{{0,3}}[\"']?[\w+/.~-]{{20,400}}"), "", is_random, _LIKELY),
)
WORDS: Mapping[str, str] = {shape.kind: shape.kind for shape in _SHAPES}
"""Their kinds are words already."""
