"""What becomes of a tool's words before anybody reads them: made visible, scored, searched. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.guardrails.scanning import PII, SECRETS, scan

_NOTED = ":note"
_JOINERS = frozenset("\u200c\u200d")
"""Part of how Persian and several Indic scripts are written, and of composed emoji."""
_HIDDEN = re.compile(
    "\x1b\\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # what colours a terminal
    "|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
    "|[\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_CONTROLS = bytes(set(range(32)) - {9, 10, 13}) + b"\x7f"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A text as it may be read. `score`: how much it sounds like instructions to the model, 0 to 1: a signal, no more.

    `hidden` counts characters that were made visible or removed. `redacted` counts by kind what the scan was asked to
    take out (`secrets`, `pii`), `noted` what it was asked to look for and leave (`secrets:note`, `pii:note`).
    """

    text: str
    hidden: int = 0
    score: float = 0.0
    redacted: Mapping[str, int] = field(default_factory=dict[str, int])
    noted: Mapping[str, int] = field(default_factory=dict[str, int])


def guard(text: str, scanned: Sequence[str] = ()) -> Guarded:
    """A tool's text as the model, the log and people may read it."""
    visible, hidden = reveal(text)
    score = injection_score(visible, hidden)
    noted: dict[str, int] = {}
    redacted: dict[str, int] = {}
    for word in sorted(scanned, reverse=True):  # what is noted, before anything is taken out
        group = word.removesuffix(_NOTED)
        if group in {SECRETS, PII}:
            visible, found = scan(visible, frozenset({group}), take_out=word == group)
            (redacted if word == group else noted).update(found)
    return Guarded(visible, hidden, score, redacted, noted)


def reveal(text: str) -> tuple[str, int]:
    """The text without what nobody sees: zero-width, bidirectional and tag characters go, control characters are shown
    as their pictures. Joiners inside words of scripts that need them stay. How many there were, with it.
    """
    if text.isascii():
        raw = text.encode()
        if len(raw.translate(None, _CONTROLS)) == len(raw):
            return text, 0
    removed = 0

    def judge(match: re.Match[str]) -> str:
        nonlocal removed
        if match[0] in _JOINERS and _joins(text, match.start()):
            return match[0]
        removed += len(match[0])
        return ""

    revealed = _HIDDEN.sub(judge, text)
    shown, controls = _CONTROL.subn(_picture, revealed)
    return shown, removed + controls


def injection_score(text: str, hidden: int = 0) -> float:
    """How much a text sounds as if it wanted to instruct a model, from 0 to 1, by fixed rules.

    Deterministic and cheap; misses whatever is put in other words, and honest texts about prompts score too.
    """
    lowered = text.lower()
    miss = 0.6 if hidden >= _MANY_HIDDEN else 1.0
    for anchor, pattern, weight in _RULES:
        if anchor in lowered and pattern.search(lowered):
            miss *= 1.0 - weight
    return round(1.0 - miss, 2)


def _joins(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return bool(before and after) and not before.isascii() and not after.isascii() and after not in _JOINERS


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


_MANY_HIDDEN = 8
_RULES: tuple[tuple[str, re.Pattern[str], float], ...] = (
    (
        "instruction",
        re.compile(
            r"(?:ignore|disregard|forget|override|bypass)\W{1,3}(?:\w+\W{1,3}){0,4}?"
            r"(?:previous|prior|above|earlier|preceding|all|any|your|the)\W{1,3}(?:\w+\W{1,3}){0,3}?instruction"
        ),
        0.8,
    ),
    ("instruction", re.compile(r"\b(?:new|updated|real|actual|important|system)\W{1,3}instructions?\b"), 0.4),
    ("prompt", re.compile(r"\b(?:system|developer|initial)\W{1,3}prompt"), 0.4),
    ("you are now", re.compile(r"\byou are now\b"), 0.4),
    (
        "you must",
        re.compile(r"\byou must (?:now |first |immediately )?(?:call|use|send|transfer|delete|run|execute)"),
        0.5,
    ),
    ("before you", re.compile(r"\bbefore you (?:can )?(?:solve|answer|complete|continue|finish)"), 0.4),
    ("do not tell", re.compile(r"\bdo not (?:tell|mention|reveal|inform)\b.{0,40}\buser"), 0.6),
    ("without tell", re.compile(r"\bwithout (?:telling|informing|asking) (?:the )?user"), 0.6),
    ("<information>", re.compile(r"<information>"), 0.6),
    ("<system", re.compile(r"</?system\b"), 0.6),
    ("<|im_", re.compile(r"<\|im_(?:start|end)\|>"), 0.7),
    ("[inst", re.compile(r"\[/?inst\]"), 0.6),
    ("[end ", re.compile(r"\[end [0-9a-f]{6,}\]"), 0.6),
    ("this is an important message", re.compile(r"this is an important message from"), 0.6),
    ("jailbreak", re.compile(r"\bjailbreak"), 0.3),
    ("ai assistant", re.compile(r"\b(?:dear|hey|attention|hello)\W{1,3}(?:the )?ai assistant"), 0.4),
    ("as an ai", re.compile(r"\bas an ai (?:language )?(?:model|assistant|agent),? you\b"), 0.4),
)
"""What has to stand in the text at all, what is then looked for, and how much it says."""
