"""Numbers that carry check digits or a fixed form: payment cards, IBANs, US social security numbers."""

import re
from collections.abc import Iterator

from quarterdeck.guardrails.spans import Span

CARD, IBAN, SSN = "card", "iban", "ssn"

_GROUPS = re.compile(r"(?<![0-9A-Za-z_.,$€£+-])[0-9]{1,19}(?:[ -][0-9]{1,19})*(?![0-9A-Za-z_]|[.,][0-9])")
_GROUP = re.compile(r"[0-9]+")
_ISSUERS: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile(r"4"), frozenset({13, 16, 19})),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),  # Mastercard
    (re.compile(r"3[47]"), frozenset({15})),  # American Express
    (re.compile(r"30[0-5]|309|3[689]"), frozenset({14, 16, 19})),  # Diners Club
    (re.compile(r"6011|64[4-9]|65|622"), frozenset({16, 19})),  # Discover, and UnionPay in its range
    (re.compile(r"62|81"), frozenset({16, 17, 18, 19})),  # UnionPay
    (re.compile(r"35"), frozenset({16, 17, 18, 19})),  # JCB
    (re.compile(r"1800|2131"), frozenset({15})),  # JCB, as it was
    (re.compile(r"5018|502|503|5[6-8]|6[0-9]|0604"), frozenset(range(12, 20))),  # Maestro
    (re.compile(r"220[0-4]"), frozenset({16, 17, 18, 19})),  # Mir
)
"""Leading digits of an issuer and how long its numbers are (ISO/IEC 7812, the issuers' own pages)."""
_LEAD, _LONGEST = 4, 19
_SURE_FROM = 15
"""Digits: one in ten numbers passes Luhn by chance, and shorter ones are met more often."""

_IBAN_HEAD = re.compile(r"(?<![0-9A-Za-z])([A-Z]{2}|[a-z]{2}(?=[0-9a-z]{13}))[0-9]{2}(?=[ -]?[0-9A-Za-z])")
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""Characters of an IBAN by country (the registry of SWIFT, ISO 13616)."""
_SEPARATORS = " -"

_SSN = re.compile(
    r"(?<![0-9A-Za-z.-])(?<![0-9] )(?!000|666|9)[0-9]{3}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}"
    r"(?![0-9A-Za-z]|[ .-][0-9])"
)
_BARE_SSN = re.compile(
    r"(?<![0-9A-Za-z.-])(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}(?![0-9A-Za-z]|[.-][0-9])"
)
_SSN_NEAR = re.compile(r"(?i)\bssn\b|social\W{0,3}security|\bss ?#")
_NEAR = 40


def cards(text: str) -> Iterator[Span]:
    """Payment cards: an issuer's leading digits and length, and the check digit of ISO/IEC 7812."""
    for match in _GROUPS.finditer(text):
        if match.end() - match.start() < 12:
            continue
        yield from _cards_in(text, [(group.start(), group.end()) for group in _GROUP.finditer(text, *match.span())])


def _cards_in(text: str, groups: list[tuple[int, int]]) -> Iterator[Span]:
    """Cards among groups of digits: beside one there may be its date and its code, so every run of groups is tried."""
    first = 0
    while first < len(groups):
        last = _end_of_card(text, groups, first)
        if last is not None:
            digits = sum(end - start for start, end in groups[first : last + 1])
            yield Span(CARD, groups[first][0], groups[last][1], 1.0 if digits >= _SURE_FROM else 0.7)
            first = last
        first += 1


def _end_of_card(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    digits, lengths = "", None
    for last in range(first, len(groups)):
        digits += text[groups[last][0] : groups[last][1]]
        if lengths is None and len(digits) >= _LEAD:
            lengths = _lengths_of(digits)
        if len(digits) > _LONGEST or (lengths is not None and not lengths):
            return None
        if lengths is not None and len(digits) in lengths and len(set(digits)) > 1 and luhn(digits):
            return last
    return None


def is_card(digits: str) -> bool:
    """Whether plain digits are those of a payment card."""
    return len(digits) in _lengths_of(digits) and len(set(digits)) > 1 and luhn(digits)


def _lengths_of(digits: str) -> frozenset[int]:
    """How long the numbers of those issuers are whose leading digits these are; empty where there is none."""
    return frozenset[int]().union(*(lengths for lead, lengths in _ISSUERS if lead.match(digits)))


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it."""
    doubled = (sum(divmod(2 * int(one), 10)) if at % 2 else int(one) for at, one in enumerate(reversed(digits)))
    return sum(doubled) % 10 == 0


def ibans(text: str) -> Iterator[Span]:
    """International bank account numbers: a country's length and the check digits of ISO 13616."""
    for match in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(match[1].upper())
        end = None if length is None else _end_of(text, match.start(), length)
        if end is not None and is_iban(text[match.start() : end]):
            yield Span(IBAN, match.start(), end, 1.0)


def unfinished_ibans(text: str, start: int) -> Iterator[int]:
    """Where, from `start` on, numbers begin that more text could make IBANs."""
    for match in _IBAN_HEAD.finditer(text, start):
        length = _IBAN_LENGTHS.get(match[1].upper())
        if length is not None and _collected(text, match.start(), length)[0] == len(text):
            yield match.start()


def _end_of(text: str, start: int, length: int) -> int | None:
    """Where that many letters and digits end, single separators between them not counted."""
    at, counted = _collected(text, start, length)
    following = text[at : at + 1]
    return at if counted == length and not (following.isascii() and following.isalnum()) else None


def _collected(text: str, start: int, length: int) -> tuple[int, int]:
    """How far letters and digits with single separators go, at most so many of them, and how many there are."""
    counted, at = 0, start
    while counted < length and at < len(text):
        if text[at].isascii() and text[at].isalnum():
            counted += 1
        elif text[at] not in _SEPARATORS or text[at - 1] in _SEPARATORS:
            break
        at += 1
    return at, counted


def is_iban(text: str) -> bool:
    """Whether the check digits are right."""
    letters = "".join(one for one in text if one not in _SEPARATORS)
    return int("".join(str(int(one, 36)) for one in letters[4:] + letters[:4])) % 97 == 1


def ssns(text: str) -> Iterator[Span]:
    """US social security numbers of ranges that are given out: with separators, or bare where the text names them."""
    for match in _SSN.finditer(text):
        yield Span(SSN, *match.span(), 0.9 if match[1] == "-" else 0.6)
    if _SSN_NEAR.search(text):
        for match in _BARE_SSN.finditer(text):
            if _SSN_NEAR.search(text, max(0, match.start() - _NEAR), match.start()):
                yield Span(SSN, *match.span(), 0.8)
