"""The classic sentences in languages other than English: forget what you were told, show what you were told, be
somebody without rules. A table of words for each language, and one way to put them together.

It covers phrases that are known, not languages: whoever asks for something in other words is not found by it.
"""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec

from quarterdeck.guardrails.phrases import EXTRACTION, OVERRIDE, PERSONA, UNBOUND


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one language, a row of `languages.toml`, as alternatives of a pattern.

    `drop` with `before` and `orders` in any order is a wish to forget, `tell` with `prompt` one to see; `now` begins a
    role, `free` says that it has no rules. `spaced` is False where words are written without spaces, `verb_last` holds
    where what is done follows what it is done to.
    """

    drop: str
    before: str
    orders: str
    tell: str
    prompt: str
    now: str
    free: str
    spaced: bool = True
    verb_last: bool = False


_BEGINS = 3


@dataclass(frozen=True, slots=True)
class Saying:
    """A phrase in one language, compiled. `spaced`: it is looked for in the words of a text, else in the text itself.

    One of `anchors` stands in every text that holds it. `begins` tells most texts apart before: how the first word of
    each anchor begins, or in scripts without spaces its first character.
    """

    what: str
    language: str
    anchors: tuple[str, ...]
    begins: frozenset[str]
    pattern: re.Pattern[str]
    weight: float
    spaced: bool


def find(words: str, raw: str, sure: Collection[str] = ()) -> Iterator[Saying]:
    """What stands in a text, given as its words and as it is, both in lower case, but for classes that are `sure`."""
    begun = {word[:_BEGINS] for word in words.split()}
    there = set(raw)
    for saying in sayings():
        text, present = (words, begun) if saying.spaced else (raw, there)
        if saying.what in sure or present.isdisjoint(saying.begins) or not any(map(text.__contains__, saying.anchors)):
            continue
        if saying.pattern.search(text):
            yield saying


@cache
def sayings() -> tuple[Saying, ...]:
    """All of them, compiled at first use."""
    table = resources.files("quarterdeck.guardrails").joinpath("languages.toml").read_text("utf-8")
    rows = msgspec.convert(tomllib.loads(table), dict[str, Language])
    return tuple(saying for name, one in rows.items() for saying in _of(name, one))


def _of(name: str, one: Language) -> Iterator[Saying]:
    gap, wide, edge = r".{0,8}?", r".{0,15}?", ""
    if one.spaced:
        gap, wide, edge = r"(?: \S+){0,3}? ", r"(?: \S+){0,5}? ", r"\b"
    what = rf"(?:(?:{one.before}){gap}(?:{one.orders})|(?:{one.orders}){gap}(?:{one.before}))"
    told, tell = rf"(?:{one.drop}){gap}{what}", rf"(?:{one.tell}){wide}(?:{one.prompt})"
    if one.verb_last:
        told, tell = rf"{what}{wide}(?:{one.drop})", rf"(?:{one.prompt}){wide}(?:{one.tell})"
    elif not one.spaced:
        tell = rf"(?:{tell}|(?:{one.prompt}){wide}(?:{one.tell}))"
    for kind, needs, pattern, weight in (
        (OVERRIDE, one.drop, told, 0.85),
        (EXTRACTION, one.prompt, tell, 0.7),
        (UNBOUND, one.now, rf"(?:{one.now}).{{0,160}}?(?:{one.free})", 0.7),
        (PERSONA, one.now, f"(?:{one.now})", 0.3),
    ):
        anchors = tuple(_begins(needs))
        begins = frozenset(anchor.split()[0][:_BEGINS] if one.spaced else anchor[0] for anchor in anchors)
        yield Saying(kind, name, anchors, begins, re.compile(f"{edge}{pattern}"), weight, one.spaced)


def _begins(alternatives: str) -> Iterator[str]:
    """How each alternative of a pattern begins: one of these stands in every text that it fits."""
    for one in _split(alternatives):
        group = re.match(r"\(\?:([^()]*)\)", one)
        if group is not None:
            yield from _begins(group[1])
            continue
        literal = re.match(r"[^\\()\[\]?*+|]*", one)
        text = literal[0] if literal is not None else ""
        optional = one[len(text) : len(text) + 1] in {"?", "*"}
        yield text[:-1] if optional else text


def _split(alternatives: str) -> Iterator[str]:
    depth, current = 0, ""
    for one in alternatives:
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(one, 0)
        if one == "|" and not depth:
            yield current
            current = ""
        else:
            current += one
    yield current
