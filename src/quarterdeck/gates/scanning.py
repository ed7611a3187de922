"""What does not belong into a conversation: credentials and personal data, known by their shape and their check digits.

Rules and checksums find what has a form. Names and addresses of people have none and are not found.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SECRETS, PII = "secrets", "pii"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of thing. `anchor` stands, in lower case, in every text that holds one; `sure` rules look-alikes out."""

    kind: str
    pattern: re.Pattern[str]
    anchor: str = ""
    sure: Callable[[str], bool] = bool


def scan(text: str, what: frozenset[str], *, take_out: bool) -> tuple[str, Mapping[str, int]]:
    """How many things of each kind stand in a text, and the text without them if so wanted.

    `what` holds `secrets`, `pii` or both.
    """
    found: Counter[str] = Counter()
    lowered = text.lower()
    for group, shapes in (("secrets", _CREDENTIALS), ("pii", _PERSONAL)):
        for shape in shapes if group in what else ():
            if shape.anchor in lowered:
                text = _search(text, shape, found, take_out=take_out)
    return text, found


def _search(text: str, shape: Shape, found: Counter[str], *, take_out: bool) -> str:
    def judge(match: re.Match[str]) -> str:
        if not shape.sure(match[0]):
            return match[0]
        found[shape.kind] += 1
        return f"[{shape.kind} removed]" if take_out else match[0]

    return shape.pattern.sub(judge, text)


def luhn(text: str) -> bool:
    """Whether the digits are those of a payment card: 13 to 19 of them, not all alike, with the right check digit."""
    digits = [int(one) for one in text if one.isascii() and one.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    doubled = (sum(divmod(2 * digit, 10)) if at % 2 else digit for at, digit in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether it is an international bank account number: the check digits of ISO 13616 are right."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def is_random(text: str) -> bool:
    """Whether a text looks drawn at random, as keys are: many different characters, digits and letters among them."""
    value = re.split(r"[=:\s\"']+", text)[-1]
    if len(value) < 20 or value.isalpha() or value.isdigit():
        return False
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) >= _BITS


_BITS = 3.5
"""Bits a character: words and paths stay below, random hexadecimal is just above, base64 far above."""


def _is_phone(text: str) -> bool:
    return 8 <= sum(one.isdigit() for one in text) <= 15


_CREDENTIALS: tuple[Shape, ...] = (
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
    Shape("json web token", re.compile(r"\beyJ[\w-]{8,4000}\.eyJ[\w-]{8,4000}\.[\w-]{8,1000}"), "eyj"),
    Shape("quarterdeck key", re.compile(r"\bqd_[A-Za-z0-9]{1,40}_[A-Za-z0-9_-]{30,100}"), "qd_"),
    Shape("webhook secret", re.compile(r"\bwhsec_[A-Za-z0-9+/=]{20,200}"), "whsec_"),
    Shape("password in a url", re.compile(r"(?<=://)[^\s/:@]{1,100}:[^\s/:@]{3,200}(?=@)"), "://"),
    Shape("bearer token", re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/-]{20,4000}=*"), "bearer ", is_random),
    Shape(
        "credential",
        re.compile(
            r"(?i)(?:secret|token|passw(?:or)?d|api[_-]?key|access[_-]?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[\w+/.~-]{20,400}"
        ),
        "",
        is_random,
    ),
)
_PERSONAL: tuple[Shape, ...] = (
    Shape(
        "e-mail address",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"),
        "@",
    ),
    Shape("iban", re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{2,4}){3,8}(?![A-Z0-9])"), "", is_iban),
    Shape("card number", re.compile(r"(?<![\w.-])[2-6](?:[ -]?[0-9]){12,18}(?![\w-])"), "", luhn),
    Shape(
        "phone number",
        re.compile(r"(?<![\w.+-])\+[1-9][0-9]{0,3}(?:[ ./-]?\(?[0-9]{1,5}\)?){2,6}(?![\w-])"),
        "+",
        _is_phone,
    ),
    Shape(
        "phone number",
        re.compile(r"(?<![\w.+-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![\w-])"),
    ),
)
