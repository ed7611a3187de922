"""What came back from a model, as events: storable, with one id a call, and what was odd about it. Pure."""

from collections.abc import Iterator, Mapping

from quarterdeck.core.text import shorten, storable, storable_json
from quarterdeck.gates.asking import ModelAnswer, ModelFault, ModelRequest
from quarterdeck.runs.events import ModelAnswered, ModelDrifted, ModelFailed
from quarterdeck.runs.messages import Call, Spoken, Text


def answered(
    request: ModelRequest, answer: ModelAnswer, content: tuple[Spoken, ...] | None = None, tries: int = 1
) -> ModelAnswered:
    """The answer. `content` is what became of its words, where that is not what the model said."""
    return ModelAnswered(
        step=request.step,
        call=request.call,
        content=clean(answer.content) if content is None else content,
        finish=answer.finish,
        served_model=answer.served_model,
        usage=answer.usage,
        cost=answer.cost,
        response_id=answer.response_id,
        ms=answer.ms,
        first_token_ms=answer.first_token_ms,
        tries=tries,
        purpose=request.purpose,
    )


def drifts(request: ModelRequest, answer: ModelAnswer, *, same_model: bool) -> Iterator[ModelDrifted]:
    """What differs from what was pinned or recorded."""
    if not same_model:
        yield _drift(request, answer.served_model, "")
    for difference in answer.differences:
        yield _drift(request, answer.served_model, storable(difference))


def failed(
    request: ModelRequest,
    fault: ModelFault,
    retry_in_ms: int | None = None,
    ms: int = 0,
    tries: int = 1,
    presumed: int = 0,
) -> ModelFailed:
    """A try of which nothing came."""
    return ModelFailed(
        step=request.step,
        call=request.call,
        code=fault.fault,
        message=storable(shorten(fault.detail, 2000)),
        status=fault.http_status,
        retry_in_ms=retry_in_ms,
        ms=ms,
        try_=tries,
        purpose=request.purpose,
        presumed=presumed,
    )


def clean(content: tuple[Spoken, ...]) -> tuple[Spoken, ...]:
    """Storable, and with one id a call: what the model said twice under one id must not be answered as one."""
    seen: set[str] = set()
    cleaned: list[Spoken] = []
    for part in content:
        match part:
            case Text(text=text):
                safe = storable(text)
                cleaned.append(part if safe is text else Text(safe, part.label))
            case Call():
                cleaned.append(_clean_call(part, seen))
            case _:
                cleaned.append(part)
    return tuple(cleaned)


def _clean_call(call: Call, seen: set[str]) -> Call:
    id_, number = storable(call.id) or "call", 2
    while id_ in seen:
        id_, number = f"{call.id or 'call'}-{number}", number + 1
    seen.add(id_)
    arguments = storable_json(call.arguments)
    assert isinstance(arguments, Mapping)
    return Call(id_, storable(call.tool), arguments, storable(call.raw) if call.raw is not None else None)


def _drift(request: ModelRequest, served: str, difference: str) -> ModelDrifted:
    return ModelDrifted(
        step=request.step, call=request.call, wanted=request.pin.id, served=served, difference=difference
    )
