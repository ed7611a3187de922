"""What providers are told so that they find again what they have read before: marks and a key.

A prefix is found again only while its bytes stay the same, and costs a tenth of the price or less then. OpenAI and
Gemini find it by themselves (a key sends one release's questions to one place), Anthropic where it is marked.
"""

import hashlib
from collections.abc import Mapping, Sequence

from pydantic_ai.messages import CachePoint, ModelMessage, ModelRequest, UserPromptPart

from quarterdeck.models import records
from quarterdeck.providers.records import Kind

_MESSAGE_MARKS = 2
"""Of the four that Anthropic allows: the others stand after the tools and after the system prompt. The mark before the
last one is where the step before wrote to the cache; a provider looks only so many blocks back for it by itself."""
_OWN_WORD = frozenset({"cache"})
_OWN_KEY = "openai_prompt_cache_key"


def settings_for(kind: Kind, request: records.ModelRequest) -> Mapping[str, object]:
    """The settings that let this provider cache what a release's questions have in common.

    Nothing where the release itself says how to cache (`cache` among its model settings).
    """
    extra = request.pin.extra or {}
    if _OWN_WORD & extra.keys():
        return {}
    if kind == Kind.ANTHROPIC:
        return {"anthropic_cache_instructions": True, "anthropic_cache_tool_definitions": True}
    if kind == Kind.OPENAI and _OWN_KEY not in extra:
        return {_OWN_KEY: cache_key(request)}
    return {}


def cache_key(request: records.ModelRequest) -> str:
    """The same for all questions of a tenant's release, and another for every other tenant's."""
    return "qd-" + hashlib.sha256(f"{request.tenant}/{request.release}".encode()).hexdigest()[:32]


def finished(kind: Kind, messages: Sequence[ModelMessage], request: records.ModelRequest) -> list[ModelMessage]:
    """The conversation as it is sent: with the notice at its end, and with marks before it where the provider wants
    some. What was converted is not changed: it is sent again at the next step.
    """
    marks = _MESSAGE_MARKS if kind == Kind.ANTHROPIC and _goes_on(request) else 0
    sent = list(messages)
    for at in reversed([at for at, message in enumerate(sent) if isinstance(message, ModelRequest)]):
        asked = sent[at]
        is_last = at == len(sent) - 1
        notice = [request.notice] if is_last and request.notice else []
        if not marks and not notice:
            break
        content = [CachePoint(), *notice] if marks else notice
        sent[at] = ModelRequest([*asked.parts, UserPromptPart(content)])  # pyright: ignore[reportArgumentType]  # of a request
        marks = max(0, marks - 1)
    return sent


def _goes_on(request: records.ModelRequest) -> bool:
    """Whether another step is likely to follow: writing to a cache costs more than it is worth where none does."""
    return bool(request.tools) and not (_OWN_WORD & (request.pin.extra or {}).keys())
