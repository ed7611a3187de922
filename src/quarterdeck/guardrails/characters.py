"""What a reader doesn't see but a model does: found by kind, taken out, and letters that only look alike told apart.

The joiners of Persian and Indic scripts, emoji, the flags of regions and the variants of ideographs are writing, and
stay.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

INVISIBLE, BIDI, TAGS, SELECTORS, CONTROLS, HOMOGLYPHS = (
    "invisible", "bidi", "tags", "variation_selectors", "control", "homoglyphs"
)  # fmt: skip
KINDS = (INVISIBLE, BIDI, TAGS, SELECTORS, CONTROLS, HOMOGLYPHS)

_ESCAPES = "\x1b\\[[0-?]{0,64}[ -/]{0,8}[@-~]"
_HIDDEN = re.compile(
    _ESCAPES  # what colours a terminal
    + "|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f]"
    "|[\u3164\ufeff\uffa0]"
    "|[\ufe00-\ufe0f]"
    "|[\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_CONTROLS = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_JOINERS = frozenset("\u200c\u200d")
_FLAG = "\N{WAVING BLACK FLAG}"
_REGION = re.compile(
    "|".join(
        f"{_FLAG}{''.join(chr(0xE0000 + ord(one)) for one in name)}\U000e007f" for name in ("gbeng", "gbsct", "gbwls")
    )
)


@dataclass(frozen=True, slots=True)
class Revealed:
    """A text without what nobody sees, and how much of it there was, by kind. Terminal controls became pictures."""

    text: str
    found: Mapping[str, int] = field(default_factory=dict[str, int])
    smuggled: str = ""
    """What tag characters and variation selectors spell, where they carry a text."""

    @property
    def count(self) -> int:
        """How many characters there were."""
        return sum(self.found.values())


def reveal(text: str) -> Revealed:
    """The text as a reader sees it. A plain text, which most are, is given back as it is."""
    if text.isascii():
        raw = text.encode()
        if len(raw.translate(None, _CONTROLS)) == len(raw):
            return Revealed(text)
    found: Counter[str] = Counter()
    flags = {at for match in _REGION.finditer(text) for at in range(*match.span())} if _FLAG in text else set[int]()

    def judge(match: re.Match[str]) -> str:
        one = match[0]
        if match.start() in flags or _is_writing(text, match.start(), one):
            return one
        found[_kind(one)] += len(one)
        return ""

    shown, controls = _CONTROL.subn(_picture, _HIDDEN.sub(judge, text))
    if controls:
        found[CONTROLS] += controls
    return Revealed(shown, found, _smuggled(text) if found[TAGS] > 1 or found[SELECTORS] > 1 else "")


def _smuggled(text: str) -> str:
    """Tag characters are ASCII moved up; the 256 variation selectors are used as bytes."""
    tags = "".join(chr(ord(one) - 0xE0000) for one in text if "\U000e0020" <= one <= "\U000e007e")
    selected = bytes(_byte(one) for one in text if _selects(one))
    return tags + selected.decode("utf-8", "ignore")


def _byte(one: str) -> int:
    return ord(one) - 0xFE00 if one <= "\ufe0f" else ord(one) - 0xE0100 + 16


def look_alikes(text: str) -> int:
    """How many words mix Latin letters with Cyrillic or Greek ones that look the same: no language writes so."""
    return 0 if text.isascii() else sum(1 for _ in _mixed_words(text))


def unify(text: str) -> str:
    """The text with every letter in its plain form: styled, full-width, circled and flag letters become the ones they
    look like, and words that mix scripts are written in Latin. For looking at, not for showing.
    """
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text).translate(_STYLED)
    words = dict.fromkeys(_mixed_words(plain))
    if not words:
        return plain
    return re.sub("|".join(re.escape(word) for word in words), lambda match: match[0].translate(_ALIKE), plain)


def latinised(text: str) -> str:
    """The text with look-alikes in mixed words put back: what is left when they are taken out."""
    words = dict.fromkeys(_mixed_words(text)) if not text.isascii() else {}
    if not words:
        return text
    return re.sub("|".join(re.escape(word) for word in words), lambda match: match[0].translate(_ALIKE), text)


def _is_writing(text: str, at: int, one: str) -> bool:
    """Whether a character that shows nothing by itself shapes the one before it, as scripts and emoji want it."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if one in _JOINERS:
        return bool(before and after) and not before.isascii() and not after.isascii() and after not in _JOINERS
    if one in "\ufe0e\ufe0f":  # text or emoji
        return bool(before) and (not before.isascii() or before in "0123456789#*") and not _selects(before)
    if _selects(one):
        return _is_ideograph(before) or (one <= "\ufe02" and "\u1000" <= before <= "\u22ff")
    return False


def _is_ideograph(one: str) -> bool:
    return "\u3400" <= one <= "\u9fff" or "\uf900" <= one <= "\ufaff" or "\U00020000" <= one <= "\U0003ffff"


def _selects(one: str) -> bool:
    return "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef"


def _kind(one: str) -> str:
    if one[0] == "\x1b":
        return CONTROLS
    if _selects(one):
        return SELECTORS
    if one >= "\U000e0000":
        return TAGS
    if one in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        return BIDI
    return INVISIBLE


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


_PAIRS = {
    "аеорсухіјѕԁһԛԝӏАВЕКМНОРСТХІЈЅ": "aeopcyxijsdhqwlABEKMHOPCTXIJS",
    "ονικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ": "ovikABEZHIKMNOPTYX",
}
_ALIKE = {ord(alike): latin for alikes, latins in _PAIRS.items() for alike, latin in zip(alikes, latins, strict=True)}
_ALIKES = "".join(map(chr, _ALIKE))
_SEAM = re.compile(f"[A-Za-z][{_ALIKES}]|[{_ALIKES}][A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")
_OTHERS = re.compile("[\u0370-\u03ff\u0400-\u052f]+")


def _mixed_words(text: str) -> list[str]:
    """Words in which every letter that is not Latin looks like one. Russians write `VIPа` and biologists `TNFα`: what
    only ends or begins in the other script counts where that script is not the text's own.
    """
    if _SEAM.search(text) is None:
        return []
    theirs = sum(len(run) for run in _OTHERS.findall(text))
    foreign = theirs * 2 > sum(one.isalpha() for one in text)
    return [word for word in _WORD.findall(text) if len(word) > 2 and _is_mixed(word, foreign=foreign)]


def _is_mixed(word: str, *, foreign: bool) -> bool:
    if _SEAM.search(word) is None or not all(one.isascii() or one in _ALIKES for one in word):
        return False
    return len(_SEAM.findall(word)) > 1 if foreign else True


def _styled() -> dict[int, str]:
    letters = {0x1F1E6 + at: chr(0x61 + at) for at in range(26)}  # flags of regions, used to spell
    for first in (0x1F150, 0x1F170):  # negative circled and squared capitals, which have no compatibility form
        letters |= {first + at: chr(0x61 + at) for at in range(26)}
    small = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))
    return letters | {ord(one): plain for one, plain in small.items()}


_STYLED = _styled()
