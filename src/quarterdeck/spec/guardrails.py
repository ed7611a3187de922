"""What is wrong with a guardrail as it is written: an unknown check or setting, an action that does not go with its
edge, a value that no check could use.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten
from quarterdeck.spec import endpoints
from quarterdeck.spec.checks import CHECKS, COMMON, INPUT, ON_INPUT, ON_OUTPUT, OUTPUT, CheckKind, Kind, Setting
from quarterdeck.spec.findings import did_you_mean, listed
from quarterdeck.spec.patterns import BadPattern, Pattern
from quarterdeck.spec.schemas import schema_fault
from quarterdeck.spec.values import CHECK_FUNCTION

LONGEST_PATTERN = 500
LONGEST_RUBRIC = 16_000
MOST_PATTERNS = 200
MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a guardrail: which of its members (empty = as a whole), what, and the fix."""

    member: str
    problem: str
    fix: str


def flaws(edge: str, check: str, action: str, settings: Mapping[str, Json]) -> list[Flaw]:
    """What is wrong with a guardrail. The author's machine and the server both ask this."""
    kind = CHECKS.get(check)
    if kind is None:
        return [Flaw("check", f"there is no check `{shorten(check, 60)}`", did_you_mean(check, list(checks_on(edge))))]
    if edge not in kind.actions:
        other = OUTPUT if edge == INPUT else INPUT
        return [Flaw("check", f"`{check}` is no check of the {edge}", f"move it to `guardrails.{other}`")]
    found: list[Flaw] = []
    if action not in kind.actions[edge]:
        found.append(_action_flaw(edge, check, action))
    for name, value in settings.items():
        if name not in COMMON:
            found += _setting_flaws(check, kind, name, value)
    for name, setting in kind.settings.items():
        if setting.required and settings.get(name) is None:
            found.append(Flaw("", f"`{check}` needs `{name}`", f"add `{setting.example}`"))
    if kind.one_of and not any(settings.get(name) is not None for name in kind.one_of):
        first = kind.settings[kind.one_of[0]].example
        found.append(Flaw("", f"`{check}` needs one of {listed(kind.one_of)}", f"add `{first}`"))
    return found


def checks_on(edge: str) -> tuple[str, ...]:
    """The checks that an edge has."""
    return tuple(name for name, kind in CHECKS.items() if edge in kind.actions)


def _action_flaw(edge: str, check: str, action: str) -> Flaw:
    fitting = CHECKS[check].actions[edge]
    both = {*ON_INPUT, *ON_OUTPUT}
    if action not in both:
        return Flaw("action", f"there is no action `{shorten(action, 60)}`", did_you_mean(action, fitting))
    of_edge = ON_INPUT if edge == INPUT else ON_OUTPUT
    why = f"of the {edge}" if action not in of_edge else f"of `{check}`"
    return Flaw("action", f"`{action}` is no action {why}", f"write one of {listed(fitting)}")


def _setting_flaws(check: str, kind: CheckKind, name: str, value: Json) -> list[Flaw]:
    setting = kind.settings.get(name)
    if setting is None:
        known = [*kind.settings, *COMMON]
        return [Flaw(name, f"`{check}` has no setting `{shorten(name, 60)}`", did_you_mean(name, known))]
    fault = _FAULTS[setting.kind](setting, value)
    return [] if fault is None else [Flaw(name, f"`{name}` {fault}", f"write `{setting.example}`")]


def _count_fault(_setting: Setting, value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000_000:
        return "has to be a whole number from 1 on"
    return None


def _share_fault(_setting: Setting, value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        return "has to be a number above 0, up to 1"
    return None


def _seconds_fault(_setting: Setting, value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 60:
        return "has to be seconds above 0, up to 60"
    return None


def _flag_fault(_setting: Setting, value: Json) -> str | None:
    return None if isinstance(value, bool) else "has to be true or false"


def _word_fault(setting: Setting, value: Json) -> str | None:
    return None if value in setting.choices else f"has to be one of {listed(setting.choices)}"


def _words_fault(setting: Setting, value: Json) -> str | None:
    words = _texts(value)
    if not words or len(words) > MOST_WORDS:
        return f"has to be a list of 1 to {MOST_WORDS} words"
    for word in words:
        if setting.choices and word not in setting.choices:
            return f"knows no `{shorten(word, 60)}`, only {listed(setting.choices)}"
        if setting.pattern and not re.fullmatch(setting.pattern, word):
            return f"knows no `{shorten(word, 60)}`"
    return None


def _patterns_fault(_setting: Setting, value: Json) -> str | None:
    patterns = _texts(value)
    if not patterns or len(patterns) > MOST_PATTERNS:
        return f"has to be a list of 1 to {MOST_PATTERNS} regular expressions"
    for pattern in patterns:
        if len(pattern) > LONGEST_PATTERN:
            return f"holds an expression of {len(pattern):,} characters; {LONGEST_PATTERN} are allowed"
        try:
            _ = Pattern(pattern)
        except BadPattern as fault:
            return f"holds `{shorten(pattern, 60)}`, which is no regular expression of RE2's ({fault})"
    return None


def _topics_fault(_setting: Setting, value: Json) -> str | None:
    if not isinstance(value, Mapping) or not value:
        return "has to be topics, each with a list of words"
    for topic, given in value.items():
        words = _texts(given)
        if not words or len(words) > MOST_WORDS:
            return f"needs a list of 1 to {MOST_WORDS} words for `{shorten(topic, 60)}`"
    return None


def _model_fault(_setting: Setting, value: Json) -> str | None:
    # What stands in it is judged as a model anywhere is.
    return None if isinstance(value, Mapping) else "has to name a `provider` connection and an exact model `id`"


def _text_fault(_setting: Setting, value: Json) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return "has to be a file with words in it"
    return f"is longer than {LONGEST_RUBRIC:,} characters" if len(value) > LONGEST_RUBRIC else None


def _schema_fault(_setting: Setting, value: Json) -> str | None:
    if isinstance(value, str):
        return None if value else "is empty"
    if not isinstance(value, Mapping):
        return "has to be a JSON Schema or a file with one"
    fault = schema_fault(cast("JsonObject", value), of_object=False)
    return None if fault is None else f"can't be used: {fault}"


def _function_fault(_setting: Setting, value: Json) -> str | None:
    if not isinstance(value, str) or not re.fullmatch(CHECK_FUNCTION, value):
        return "has to be a Python file and a function in it"
    return None


def _url_fault(_setting: Setting, value: Json) -> str | None:
    fault = endpoints.url_fault(value) if isinstance(value, str) else "it is no text"
    return None if fault is None else f"can't be used: {fault}"


def _headers_fault(_setting: Setting, value: Json) -> str | None:
    if not isinstance(value, Mapping) or len(value) > 32:
        return "has to be at most 32 headers"
    for name, text in value.items():
        fault = endpoints.header_fault(name, text) if isinstance(text, str) else "its value is no text"
        if fault is not None:
            return f"can't hold `{shorten(name, 60)}`: {fault}"
    return None


_FAULTS: Mapping[Kind, Callable[[Setting, Json], str | None]] = {
    Kind.COUNT: _count_fault,
    Kind.SHARE: _share_fault,
    Kind.SECONDS: _seconds_fault,
    Kind.FLAG: _flag_fault,
    Kind.WORD: _word_fault,
    Kind.WORDS: _words_fault,
    Kind.PATTERNS: _patterns_fault,
    Kind.TOPICS: _topics_fault,
    Kind.MODEL: _model_fault,
    Kind.TEXT_FILE: _text_fault,
    Kind.SCHEMA: _schema_fault,
    Kind.FUNCTION: _function_fault,
    Kind.URL: _url_fault,
    Kind.HEADERS: _headers_fault,
}


def _texts(value: Json) -> list[str]:
    """A list of texts; empty where it is none."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [one for one in value if isinstance(one, str) and one] if all(isinstance(one, str) for one in value) else []
