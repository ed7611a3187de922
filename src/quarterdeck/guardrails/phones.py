"""Telephone numbers: by their international prefix, by the numbering plans of the regions that a rule names, and by the
words around them. The plans are those of the `phonenumbers` library; its own search costs ten times as much.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from quarterdeck.guardrails.spans import Span

PHONE = "phone"

_CANDIDATE = re.compile(
    r"(?<![\w./@#$€£%+-])(?<![0-9][,:])(?:\+ ?)?(?:\([0-9]{1,5}\)[0-9]{0,12}|[0-9]{1,15})"
    r"(?:[ ./-]{0,1}\([0-9]{1,5}\)[ ./-]?[0-9]{1,12}|[ ./-][0-9]{1,12}){0,8}"
    r"(?! ?%|[0-9]|[,:][0-9]|[^\W\dxe])"
)
_EXTENSION = re.compile(r"(?i)(?: ?x| ?ext\.? ?)[0-9]{1,6}\b")
_DATE = re.compile(
    r"(?:[0-3]?[0-9]([./ -])[0-3]?[0-9]\1(?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}([./ -])[01]?[0-9]\2[0-3]?[0-9])"
    r"(?: [0-9]{1,2})?$"
)
_IP = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}$")
_STRONG = re.compile(
    r"(?i)\b(?:(?:tele|smart|cell)?phones?|tel|telef[oó]n[eo]?|t[eé]l[eé]phone|t[eé]l|mobile?s?|m[oó]vil|mobiel|cell|cellulare"
    r"|handy|rufnummer|fax|call|calling|called|dial|ring|whatsapp|sms|text (?:me|us|him|her)|desk|landline|hotline)\b"
)
_WEAK = re.compile(r"(?i)\b(?:messages?|answering|reach(?:ed|able)?|contact|registered|emergency|number(?: is|'s))\b")
_BEHIND = re.compile(r"(?i)[^\w\n]{0,3}(?:(?:home|office|work|mobile|cell|fax|phone|tel|direct|desk)\b)")
_OTHER = re.compile(
    r"(?i)(?:\b(?:order|invoice|ticket|case|ref(?:erence)?|id|account|acct|tracking|part|sku|isbn|issn|zip|post ?code"
    r"|postal code|iban|card|serial|version|licen[cs]e|passport|policy|claim|(?:po )?box|doi|pages?|pp|years?|line)\b"
    r"(?: (?:no|nr|number|code|id))?(?: is)?[.:#]{0,2}|[#№§$€£])\W{0,3}$"
)
_WORD = re.compile(r"[^ ]+")
_NEAR = 40
_NORTH_AMERICAN = re.compile(
    r"(?<![0-9(])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])"
)
_TYPES = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan")
_WHOLE = frozenset({10, 11})
"""Digits of most national numbers with their trunk prefix."""
_CODES = frozenset(COUNTRY_CODE_TO_REGION_CODE)


@dataclass(frozen=True, slots=True)
class Plan:
    """How numbers of a region are made: those in use, and any that could be."""

    code: int
    trunk: str
    national: re.Pattern[str]
    possible: re.Pattern[str]

    def holds(self, digits: str) -> bool:
        """Whether a number, as it is dialled inside the region, is one that is given out."""
        return self.national.fullmatch(self._without_trunk(digits)) is not None

    def may_hold(self, digits: str) -> bool:
        """Whether it is made like one."""
        return self.possible.fullmatch(self._without_trunk(digits)) is not None

    def _without_trunk(self, digits: str) -> str:
        return digits[len(self.trunk) :] if self.trunk and digits.startswith(self.trunk) else digits


def phones(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Telephone numbers in a text. What has no international prefix is one where a region's plan knows it and it is
    written as telephone numbers are, or where the words around it say so.
    """
    for match in _CANDIDATE.finditer(text):
        written = match[0].rstrip(" ./-")
        if sum(map(str.isdigit, written)) < 7:
            continue
        found = _found(text, match.start(), written, regions)
        if found is not None:
            start, end, score = found
            extension = _EXTENSION.match(text, end)
            yield Span(PHONE, start, extension.end() if extension else end, score)


def _found(text: str, start: int, written: str, regions: Sequence[str]) -> tuple[int, int, float] | None:
    """Where exactly the number stands and how sure it is: beside it there may be a number of something else."""
    for at, part in _parts(written):
        score = _judge(text, start + at, part, regions)
        if score:
            return start + at, start + at + len(part), score
    return None


def _parts(written: str) -> Iterator[tuple[int, str]]:
    yield 0, written
    groups = list(_WORD.finditer(written))
    if len(groups) > 1 and not written.startswith("+"):
        yield 0, written[: groups[-2].end()]
        yield from ((match.start(), match[0]) for match in _NORTH_AMERICAN.finditer(written))


def _judge(text: str, start: int, written: str, regions: Sequence[str]) -> float:
    digits = "".join(one for one in written if one.isdigit())
    if not 7 <= len(digits) <= 15 or _DATE.match(written) or _IP.match(written):
        return 0.0
    if written.startswith("+") or (digits.startswith("00") and len(digits) >= 10):
        return _international(digits.removeprefix("00") if not written.startswith("+") else digits)
    before = text[max(0, start - _NEAR) : start]
    if _OTHER.search(before):
        return 0.0
    separated = len(digits) < len(written)
    if _STRONG.search(before) or _BEHIND.match(text, start + len(written)):
        return 0.85 if separated or len(digits) >= 8 else 0.6
    return _unannounced(written, digits, before, regions) if separated else _bare(digits, before, regions)


def _unannounced(written: str, digits: str, before: str, regions: Sequence[str]) -> float:
    """A number that no word announces: only what is written as nothing else is."""
    if "US" in regions and _NORTH_AMERICAN.fullmatch(written):
        return 0.9 if plan("US").holds(digits) else 0.6
    if _WEAK.search(before):
        return 0.6
    if not written.startswith(("0", "(")) or written.startswith("0.") or len(digits) < 9:
        return 0.0
    plans = [plan(region) for region in regions]
    if any(one.holds(digits) for one in plans):
        return 0.7
    whole = digits.startswith("0") and len(digits) in _WHOLE
    return 0.55 if whole and any(one.may_hold(digits) for one in plans) else 0.0


def _bare(digits: str, before: str, regions: Sequence[str]) -> float:
    """Digits alone, as they may stand in a table: a national number of full length behind its trunk prefix."""
    if len(digits) == 10 and _WEAK.search(before) and "US" in regions and plan("US").holds(digits):
        return 0.55
    if len(digits) not in _WHOLE or not digits.startswith("0"):
        return 0.0
    return 0.55 if any(plan(region).trunk == "0" and plan(region).holds(digits) for region in regions) else 0.0


def _international(digits: str) -> float:
    if len(digits) < 8:
        return 0.0
    code = next((int(digits[:length]) for length in (1, 2, 3) if int(digits[:length]) in _CODES), None)
    if code is None:
        return 0.0
    national = digits[len(str(code)) :]
    known = (plan(region) for region in COUNTRY_CODE_TO_REGION_CODE[code] if region != "001")
    return 1.0 if any(one.holds(national) for one in known) else 0.75


@cache
def plan(region: str) -> Plan:
    """The numbering plan of a region, by its two letters. Raises KeyError for one that nobody knows."""
    known = PhoneMetadata.metadata_for_region(region)
    if known is None:
        raise KeyError(region)
    kinds = (getattr(known, kind) for kind in _TYPES)
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern]
    national = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    general = known.general_desc.national_number_pattern if known.general_desc is not None else None
    possible = re.compile(general or r"(?!)")
    return Plan(known.country_code or 0, known.national_prefix or "", national, possible)
