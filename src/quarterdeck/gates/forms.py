"""The forms in which one value can be written: what makes `DE89 3704 …` and `DE893704…` the same account, and no more.

A form is only folded where every reader takes both spellings for the same thing. Look-alike letters, percent-encoding,
the case of a path: whatever a tool may read otherwise than a person stays different, so that a value which nobody named
is never taken for one that somebody did.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit


class Kind(StrEnum):
    """What a value is, judged by its looks. All but text, numbers and dates point at somebody or something."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    ACCOUNT = "account"
    DIGITS = "digits"
    NUMBER = "number"
    DATE = "date"
    TEXT = "text"


class Form(NamedTuple):
    """A value's kind and its one spelling. A tuple, because it is looked up by the thousand."""

    kind: Kind
    key: str


POINTERS = frozenset({Kind.EMAIL, Kind.URL, Kind.HOST, Kind.ACCOUNT, Kind.DIGITS})
"""Kinds of values that can be told from words by themselves."""

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})+"
# All characters that may stand before an @: leaving one out would find bob@x.com in a!bob@x.com.
_EMAIL = re.compile(rf"(?<![\w.+@-])(?>\w[\w.!#$%&'*+/=?^`{{|}}~-]{{0,63}}@{_HOST})(?![\w@-])")
_URL = re.compile(r"(?<![\w.+-])[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"'`“”]+")
_BARE_HOST = re.compile(rf"(?<![\w@/.:-])(?>{_HOST})(?![\w@/:?#-])")
_ACCOUNT = re.compile(r"(?<![\w.-])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){8,30}(?![\w-])")
_DIGITS = re.compile(r"(?<![\w.,-])\+?\d(?:[ ()./-]{0,2}\d){6,18}(?![\w,-]|\.\d)")
_NUMBER = re.compile(r"(?<![\w.,])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w]|[.,]\d)")
_ISO_DATE = re.compile(r"(?<![\w-])\d{4}-\d\d-\d\d(?![\w-])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_SPOKEN_DATES = (
    re.compile(rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)? {_MONTH},? (?P<year>\d{{4}})\b", re.IGNORECASE),
)
_TOKEN = re.compile(r"[^\s,;|()\[\]{}<>\"“”„«»]+")
_TRIM = "'’‘`´.:!?*\\"
_AT_END = ".,;:!?)]}*"
_SHORT = 2_000
"""Characters of a value up to which what was found out about it is kept."""


def form_of(value: str) -> Form:
    """The form of a whole value."""
    return _form_kept(value) if len(value) <= _SHORT else _form(value)


def _form(value: str) -> Form:
    text = unicodedata.normalize("NFC", value.strip())
    if _EMAIL.fullmatch(text):
        return Form(Kind.EMAIL, _lower(text))
    if "://" in text and _URL.fullmatch(text):
        return Form(Kind.URL, url_key(text))
    if text.isascii() and _ACCOUNT.fullmatch(text.upper()):
        return Form(Kind.ACCOUNT, text.replace(" ", "").replace("-", "").upper())
    return _plain_form(text)


def _plain_form(text: str) -> Form:
    if _ISO_DATE.fullmatch(text):
        return Form(Kind.DATE, text)
    if text.isascii() and _NUMBER.fullmatch(text) and len(text.replace("-", "")) < 8:
        return Form(Kind.NUMBER, number_key(text))
    if text.isascii() and _DIGITS.fullmatch(text):
        return Form(Kind.DIGITS, _digits(text))
    if _NUMBER.fullmatch(text) and text.isascii():
        return Form(Kind.NUMBER, number_key(text))
    if _BARE_HOST.fullmatch(text) and not text.replace(".", "").isdigit():
        return Form(Kind.HOST, _lower(text))
    return Form(Kind.TEXT, _worded(text))


def _worded(text: str) -> str:
    """Words without their punctuation; a single word keeps its own: `.https://…` or `<bob>` is another value."""
    found = tokens(text)
    if len(found) == 1 and len(found[0]) != len(text):
        return text
    return " ".join(found)


def forms_in(text: str) -> Iterator[Form]:
    """Every form that stands in a text as a whole: no part of a longer address, number or name is one."""
    text = unicodedata.normalize("NFC", text)
    if "@" in text:
        yield from (Form(Kind.EMAIL, _lower(found[0])) for found in _EMAIL.finditer(text))
    if "://" in text:
        yield from (Form(Kind.URL, url_key(found[0].rstrip(_AT_END))) for found in _URL.finditer(text))
    yield from _accounts(text)
    yield from (Form(Kind.HOST, _lower(found[0])) for found in _BARE_HOST.finditer(text))
    for found in _DIGITS.finditer(text):
        yield Form(Kind.DIGITS, _digits(found[0]))
    for found in _NUMBER.finditer(text):
        yield Form(Kind.NUMBER, number_key(found[0]))
    yield from _dates(text)


def _accounts(text: str) -> Iterator[Form]:
    for found in _ACCOUNT.finditer(text):
        whole = found[0]
        yield Form(Kind.ACCOUNT, whole.replace(" ", "").replace("-", ""))
        # `… 0130 00 EUR 50`: what follows an account looks like more of it; its checksum or its spacing tells.
        for end in (at.start() for at in re.finditer(r"[ -]", whole)):
            part = whole[:end].replace(" ", "").replace("-", "")
            if len(part) >= 12 and (valid_iban(part) or " " not in whole[:end]):
                yield Form(Kind.ACCOUNT, part)


def _dates(text: str) -> Iterator[Form]:
    yield from (Form(Kind.DATE, found[0]) for found in _ISO_DATE.finditer(text))
    for pattern in _SPOKEN_DATES:
        for found in pattern.finditer(text):
            month = _MONTHS.index(found[1].lower() if found[1].lower() in _MONTHS else found[2].lower()) + 1
            yield Form(Kind.DATE, f"{found['year']}-{month:02}-{int(found['day']):02}")


def tokens(text: str) -> Sequence[str]:
    """The words of a text in order, without the punctuation around them. Case is folded in plain words only."""
    return _tokens_kept(text) if len(text) <= _SHORT else _tokens(text)


def _tokens(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for match in _TOKEN.finditer(unicodedata.normalize("NFC", text)):
        token = match[0].strip(_TRIM)
        if token.endswith(("'s", "’s")):
            token = token[:-2]
        if token:
            found.append(token.lower() if token.isascii() and token.isalpha() else token)
    return tuple(found)


# One decision looks at the same few values many times over.
_form_kept = lru_cache(4096)(_form)
_tokens_kept = lru_cache(4096)(_tokens)


def url_key(url: str) -> str:
    """An address with scheme and host in lower case, the rest as it is. What can't be taken apart stays whole."""
    try:
        parts = urlsplit(url)
        host, port = parts.netloc, parts.port
    except ValueError:
        return url
    if not host.isascii() or parts.username is not None:
        return url
    default = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = host.lower().removesuffix(f":{port}") if port is not None and port == default else host.lower()
    rest = url[url.index("://") + 3 + len(host) :]
    return f"{parts.scheme}://{netloc}{rest if rest not in {'', '/'} else '/'}"


def host_of_root(key: str) -> str | None:
    """The host of an address that names nothing but a host; None where there is a path or a query."""
    found = re.fullmatch(r"https?://([^/?#@]+)/", key)
    return found[1] if found else None


def number_key(text: str) -> str:
    """A number without thousands' commas and needless zeros: `1,000.50` is 1000.5. No digit that counts is lost."""
    plain = text.replace(",", "")
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    whole, _, rest = digits.partition(".")
    rest = rest.rstrip("0")
    return f"{sign}{whole.lstrip('0') or '0'}{'.' if rest else ''}{rest}"


def valid_iban(compact: str) -> bool:
    """Whether the check digits of an account are right (ISO 13616)."""
    turned = compact[4:] + compact[:4]
    return compact.isalnum() and int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


def is_tiny(value: str) -> bool:
    """Whether a value is so short that it stands in any text by chance: one or two signs, a number under 100,000."""
    text = value.strip()
    return len(text) < 3 or (len(text) < 6 and text.lstrip("-").replace(".", "").isdigit())


def _lower(text: str) -> str:
    # Beyond ASCII, two spellings that fold to one can be two domains (straße, strasse).
    return text.lower() if text.isascii() else text


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())
