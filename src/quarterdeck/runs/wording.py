"""The exact effect of a call in words, for whoever has to say yes to it. Pure.

What stands in arguments was chosen by a model, perhaps by an attacker behind it. So a value that could be taken for our
own words is quoted, and nothing that changes how a line is read (control and direction characters) gets through.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from quarterdeck.core.json import Json, JsonObject, encode_text
from quarterdeck.core.text import shorten

LONGEST = 1_000
LONGEST_VALUE = 200

_PLACE = re.compile(r"\{([A-Za-z_][\w.\[\]-]*)(?::(usd|cents|micro_usd))?\}")
_STEP = re.compile(r"[^.\[\]]+")
_PLAIN = re.compile(r"[\w@.+:/#%&=-]+", re.ASCII)
_PER_DOLLAR = {"usd": 1, "cents": 100, "micro_usd": 1_000_000}
_ENDINGS = (("_micro_usd", "micro_usd"), ("_usd_cents", "cents"), ("_usd", "usd"))
_MISSING = "(nothing)"


def in_words(tool: str, arguments: JsonObject, template: str = "") -> str:
    """What a call would do, in a sentence.

    `template` is the author's, such as `refund {amount:usd} to order {order.id}`: each `{argument}` is a path into the
    arguments, with `:usd`, `:cents` or `:micro_usd` for amounts of money. Without one, the tool and all its arguments.
    """
    if template:
        said = _PLACE.sub(lambda place: _placed(arguments, place[1], place[2]), template)
    else:
        said = f"{tool}: " + ", ".join(f"{name} = {_named(name, value)}" for name, value in arguments.items())
        said = said if arguments else f"{tool}, without arguments"
    return shorten(_harmless(said), LONGEST)


def _placed(arguments: JsonObject, path: str, unit: str | None) -> str:
    value: Json = arguments
    for step in _STEP.findall(path):
        value = _member(value, step)
    return _money(value, unit) if unit else _shown(value)


def _member(value: Json, step: str) -> Json:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, Sequence) and not isinstance(value, str) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None


def _named(name: str, value: Json) -> str:
    unit = next((unit for ending, unit in _ENDINGS if name.lower().endswith(ending)), None)
    return _money(value, unit) if unit else _shown(value)


def _money(value: Json, unit: str) -> str:
    """An amount in dollars; as it stands where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _shown(value)
    try:
        dollars = Decimal(str(value)) / _PER_DOLLAR[unit]
        return f"${dollars:,.2f}" if dollars == round(dollars, 2) else f"${dollars.normalize():,f}"
    except (InvalidOperation, ValueError):
        return _shown(value)


def _shown(value: Json) -> str:
    """A value: plain words as they are, anything else in quotes or as JSON, cut with a mark where it is long."""
    if value is None:
        return _MISSING
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and len(value) <= LONGEST_VALUE:
            return value
        return encode_text(shorten(value, LONGEST_VALUE))
    return shorten(encode_text(value), LONGEST_VALUE)


def _harmless(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
