"""Which model ids name one exact model for ever and which may mean another one tomorrow.

Three sources, in this order: `exact_ids.json` (what vendors list, checked by hand), what a vendor promises of ids of a
certain shape, and the shape of a floating alias. What none of them knows is said to be unknown, never guessed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import TypeAlias

import msgspec

_MOST_SUGGESTIONS = 8


@dataclass(frozen=True, slots=True)
class Exact:
    """This id names one model, unchanged for as long as its vendor serves it. `listed`: it stands in our table."""

    listed: bool


@dataclass(frozen=True, slots=True)
class Floating:
    """This id is an alias whose meaning its vendor may change; `exact` lists what to pin instead, the closest first."""

    exact: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither a table nor a vendor's promise speaks of this id; `near` lists exact ids that look like it."""

    near: tuple[str, ...]


Judgement: TypeAlias = Exact | Floating | Unknown

KindOf: TypeAlias = Callable[[str], str | None]
"""The kind of a provider connection by its name, where that is known."""

SETTINGS = frozenset(
    {
        "cache",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "service_tier",
        "stop_sequences",
        "thinking",
        "top_k",
        "anthropic_thinking",
        "google_safety_settings",
        "google_thinking_config",
        "openai_prompt_cache_key",
        "openai_reasoning_effort",
        "openai_reasoning_summary",
        "openai_text_verbosity",
    }
)
"""Model settings that a release may send along beyond those that have a field of their own. The rest stays ours:
headers and bodies, time-outs and retries, state kept at the vendor, and tools run there past our gates."""


def judge_pin(kind: str | None, model: str) -> Judgement:
    """What is known of a model id on a connection of this kind.

    Kinds `openai`, `anthropic` and `google` are judged by their vendor's ids alone. Any other kind (`ollama`,
    `openai_compatible`, `recorded`, `scripted`) and None, where the kind is not known yet, may serve anybody's models:
    all tables are asked. There an id that nobody knows is Exact(listed=False) on a server of one's own, because its
    operator decides what it means, and Unknown where the kind is None.
    """
    name = bare(model)
    vendors = [kind] if kind in _VENDORS else list(_VENDORS)
    if any(name in _table()[vendor].exact for vendor in vendors):
        return Exact(listed=True)
    if _FLOATING.search(name) or any(name in _table()[vendor].floating for vendor in vendors):
        return Floating(suggest(vendors, name))
    if kind == "ollama" and ":" not in name:
        return Floating(())
    if any(shape.fullmatch(name) for vendor in vendors for shape in _EXACT_SHAPES[vendor]):
        return Exact(listed=False)
    if kind is None or kind in _VENDORS:
        return _judge_by_family(vendors, name)
    return Exact(listed=False)


def refusal(kind: str | None, model: str) -> str | None:
    """Why this id can't be pinned, in one sentence that names the fix; None when it can.

    An unknown id is refused only where the vendor is known: elsewhere the connection may well serve it.
    """
    judgement = judge_pin(kind, model)
    if isinstance(judgement, Floating):
        return f"`{model}` is a floating alias: {_instead(kind, judgement.exact)}"
    if isinstance(judgement, Unknown) and kind is not None:
        return f"`{model}` is not an exact model id of {kind}: {_instead(kind, judgement.near)}"
    return None


def same_model(pinned: str, served: str) -> bool:
    """Whether the id that a provider answered with is the pinned model under another spelling.

    Allowed differences: upper case, a path before the name (`models/`, `accounts/.../`), `@` before a date, Ollama's
    `:latest`, and more digits at the end when the pin itself has no date: the vendor then names the snapshot behind it.
    A dated pin answered by a shorter name is another model: nobody can tell which.
    """
    want, got = _plain(pinned), _plain(served)
    if want == got:
        return True
    if got.startswith(want + "-") and not _DATED.search(want):
        return _SNAPSHOT.fullmatch(got[len(want) :]) is not None
    # The Gemini API drops the three digits of a stable version in its answers.
    return want.startswith("gemini-") and re.fullmatch(re.escape(got) + r"-\d{3}", want) is not None


def bare(model: str) -> str:
    """The id without the path that gateways and the Gemini API put before it."""
    return model.strip().rpartition("/")[2]


def suggest(vendors: Iterable[str], name: str) -> tuple[str, ...]:
    """Exact ids that somebody who wrote `name` may have meant: snapshots of it before its siblings, newest first."""
    known = [exact for vendor in vendors for exact in reversed(_table()[vendor].exact)]
    words = [word for word in name.replace(":", "-").split("-") if word not in _NOISE]
    stem = "-".join(words)
    family = [exact for exact in known if exact == stem or exact.startswith(stem + "-")] if words else []
    if not family:
        family = [exact for exact in known if words and set(words) <= set(exact.split("-"))]
    # A longer rest means a sibling (mini, turbo), not a snapshot of the family itself.
    siblings = sorted(family, key=lambda exact: _ISO_OR_DIGITS.fullmatch(exact[len(stem) :]) is None)
    return tuple(siblings[:_MOST_SUGGESTIONS])


class _Vendor(msgspec.Struct, frozen=True):
    exact: tuple[str, ...]
    floating: tuple[str, ...]


_VENDORS = ("openai", "anthropic", "google")
_NOISE = {"latest", "preview", "stable", "exp", "experimental"}
_DATE = r"20\d\d-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])"
_DATED = re.compile(rf"({_DATE}|-\d{{4}}|-\d{{3}})(-preview)?$")
_SNAPSHOT = re.compile(rf"-({_DATE}|\d{{3,4}})")
_ISO_OR_DIGITS = re.compile(rf"(-({_DATE}|\d{{3,4}})(-preview)?)?")
_FLOATING = re.compile(r"(^|[-:])latest($|[-:])")

_EXACT_SHAPES: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "openai": (
        re.compile(rf"(gpt|o|chatgpt|codex)[\w.-]*-{_DATE}"),
        re.compile(r"gpt-[\w.-]+-(0[1-9]|1[0-2])\d\d(-preview)?"),
        re.compile(r"ft:[\w.-]+-(20\d\d-\d\d-\d\d|\d{4}):.+"),
    ),
    "anthropic": (
        re.compile(rf"claude-[a-z0-9-]+[-@]{_DATE}"),
        # From the 4.6 generation on the vendor promises that ids without a date are pinned (its page on model ids).
        re.compile(r"claude-[a-z]+-(4-([6-9]|[1-9]\d)|[5-9]|[1-9]\d|([5-9]|[1-9]\d)-\d{1,2})"),
    ),
    "google": (
        re.compile(r"gemini-[\w.-]+-\d{3}"),
        # From 2.5 on stable versions carry no digits any more: the plain name is the version (its page on model names).
        re.compile(r"gemini-(2\.[5-9]|([3-9]|[1-9]\d)(\.\d+)?)-(?!.*(preview|exp))[a-z]+(-lite)?"),
        re.compile(r"gemini-[\w.-]+-(preview|exp)-(\d\d-\d\d|\d\d-20\d\d)"),
        re.compile(r"gemma-[\w.-]+-it"),
    ),
}


def _judge_by_family(vendors: Sequence[str], name: str) -> Floating | Unknown:
    """An undated id of a family that is known to be dated is an alias of it."""
    family = suggest(vendors, name)
    if family:
        return Floating(family)
    known = [exact for vendor in vendors for exact in _table()[vendor].exact]
    return Unknown(tuple(get_close_matches(name, known, _MOST_SUGGESTIONS, 0.75)))


def _instead(kind: str | None, ids: tuple[str, ...]) -> str:
    if ids:
        return f"pin one of {', '.join(ids)}."
    if kind == "ollama":
        return "name the tag too, as `ollama list` shows it, for example `llama3.1:8b-instruct-q4_K_M`."
    return "pin the vendor's dated id; none of this family is known here, but one that ends in its date is accepted."


def _plain(model: str) -> str:
    return bare(model).lower().replace("@", "-").removesuffix(":latest")


@cache
def _table() -> Mapping[str, _Vendor]:
    source = files("quarterdeck.spec").joinpath("exact_ids.json").read_bytes()
    whole = msgspec.json.decode(source, type=dict[str, msgspec.Raw])
    return {vendor: msgspec.json.decode(whole[vendor], type=_Vendor) for vendor in _VENDORS}
