"""Names and addresses of people, which have no form: found by Presidio's language model, where it is installed.

An extra (`quarterdeck[presidio]`), since it brings a language model and costs tens of milliseconds a text.
"""

import asyncio
import importlib
import importlib.util
from collections.abc import Collection, Sequence
from functools import cache
from typing import Protocol, cast

from quarterdeck.guardrails import pii
from quarterdeck.guardrails.private import Pii
from quarterdeck.guardrails.records import NOTHING, Hit, Ports, Seen, Subject, Unusable
from quarterdeck.guardrails.spans import Span, settled, taken_out

MISSING = "This guardrail needs Presidio, which is not installed here: pip install 'quarterdeck[presidio]'."
NO_MODEL = (
    "Presidio is installed and no spaCy model for it: install one of en_core_web_lg, en_core_web_md, en_core_web_sm."
)
NAME, ADDRESS = "name", "address"
_ENTITIES = {"PERSON": NAME, "LOCATION": ADDRESS}
_WORDS = {**pii.WORDS, NAME: "name", ADDRESS: "address"}
_LANGUAGE = "en"
_MODELS = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm")


class _Result(Protocol):
    """What Presidio answers for each thing that it found."""

    entity_type: str
    start: int
    end: int
    score: float


class _Analyzer(Protocol):
    def analyze(self, text: str, language: str, entities: list[str]) -> list[_Result]:
        """Presidio's own method."""
        ...


class Presidio:
    """Names and addresses by Presidio; what has a form by our own scanner, which knows it better."""

    def __init__(self, kinds: Collection[str], regions: Sequence[str] = pii.REGIONS, allow: Sequence[str] = ()) -> None:
        """Raises Unusable where Presidio is not installed."""
        if not is_installed():
            raise Unusable(MISSING)
        self._entities = [entity for entity, kind in _ENTITIES.items() if kind in kinds]
        self._formed = Pii([kind for kind in kinds if kind in pii.KINDS], regions, allow)

    async def look(self, subject: Subject, _ports: Ports) -> Seen:
        """What it finds, and the text without it. Works in a thread: it takes a while."""
        found = list(self._formed.find(subject.text, subject))
        if self._entities:
            found += await asyncio.to_thread(_named, subject.text, self._entities)
        spans = settled(found)
        if not spans:
            return NOTHING
        kinds = dict.fromkeys(span.kind for span in spans)
        hits = tuple(
            Hit(
                _WORDS[kind],
                sum(span.kind == kind for span in spans),
                round(max(span.score for span in spans if span.kind == kind), 2),
                advice=Pii.advice,
            )
            for kind in kinds
        )
        return Seen(hits, taken_out(subject.text, spans, _WORDS.__getitem__))


def is_installed() -> bool:
    """Whether Presidio can be had."""
    return importlib.util.find_spec("presidio_analyzer") is not None


def _named(text: str, entities: list[str]) -> list[Span]:
    results = _analyzer().analyze(text, _LANGUAGE, entities)
    return [Span(_ENTITIES[one.entity_type], one.start, one.end, one.score) for one in results]


@cache
def _analyzer() -> _Analyzer:
    """Loaded once in a process: that takes seconds. Left to itself Presidio would fetch a model from the network."""
    model = next((name for name in _MODELS if importlib.util.find_spec(name) is not None), None)
    if model is None:
        raise Unusable(NO_MODEL)
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    configured = {"nlp_engine_name": "spacy", "models": [{"lang_code": _LANGUAGE, "model_name": model}]}
    engine = engines.NlpEngineProvider(nlp_configuration=configured).create_engine()
    module = importlib.import_module("presidio_analyzer")
    return cast("_Analyzer", module.AnalyzerEngine(nlp_engine=engine, supported_languages=[_LANGUAGE]))
