"""What went wrong at a provider, in our few words, with whether another try may help. Secrets never get this far."""

from collections.abc import Iterator
from typing import TypeAlias, cast

from pydantic_ai import exceptions as theirs

from quarterdeck.core.json import encode_text
from quarterdeck.core.text import shorten, storable
from quarterdeck.models.records import RETRYABLE, Fault, ModelFault
from quarterdeck.models.redaction import Redactor
from quarterdeck.models.transport import AnswerTooLarge, ForeignOrigin, NotAnAnswer, Redirected

_MOST_RAW = 2000
_MOST_SAID = 400


_Kind: TypeAlias = tuple[type[BaseException], Fault, str]

# The first that fits counts, so what is narrower stands before what it is a kind of.
_KINDS: tuple[_Kind, ...] = (
    (theirs.ModelRequestTimeout, Fault.TIMEOUT, "gave no answer in time"),
    (theirs.ModelTimeoutError, Fault.TIMEOUT, "fell silent"),
    (theirs.ModelConnectionError, Fault.CUT_OFF, "broke off its answer"),
    (theirs.ModelQuotaExceededError, Fault.QUOTA, "says that the account's quota or credit is used up"),
    (theirs.ModelRateLimitError, Fault.RATE_LIMITED, "says that it is asked too often"),
    (theirs.ModelUnavailableError, Fault.OVERLOADED, "is overloaded or away"),
    (theirs.ModelServerError, Fault.SERVER_ERROR, "failed on its side"),
    (theirs.ModelAuthenticationError, Fault.UNAUTHENTICATED, "does not accept the connection's key"),
    (theirs.ModelNotFoundError, Fault.UNKNOWN_MODEL, "does not know this model"),
    (theirs.ModelContextWindowExceededError, Fault.TOO_LONG, "says that the conversation is longer than its context"),
    (theirs.ModelRequestRejectedError, Fault.REFUSED_REQUEST, "refuses this request"),
    (theirs.UserError, Fault.REFUSED_REQUEST, "can't be asked this"),
)
_BY_CAUSE: tuple[_Kind, ...] = (
    (AnswerTooLarge, Fault.TOO_LARGE, "answered with more than any model has to say"),
    (NotAnAnswer, Fault.MALFORMED, "answered with something that is no model's answer"),
    (Redirected, Fault.REFUSED_REQUEST, "redirects elsewhere, where its key must not go"),
    (ForeignOrigin, Fault.REFUSED_REQUEST, "would have been asked at another address than its own"),
)


def explain(fault: Exception, provider: str, redactor: Redactor) -> ModelFault:
    """Our fault for whatever the model layer raised. What nobody foresaw is an answer that could not be read."""
    code, sentence = _kind_of(fault)
    status = fault.status_code if isinstance(fault, theirs.ModelHTTPError) else None
    said = redactor.known(storable(_said(fault)))
    answered = f" (HTTP {status})" if status is not None else ""
    return ModelFault(
        f"`{provider}` {sentence}{answered}{': ' + shorten(said, _MOST_SAID) if said else '.'}",
        code=code,
        retryable=code in RETRYABLE,
        status=status,
        retry_after=fault.retry_after if isinstance(fault, theirs.ModelAPIError) else None,
        raw=shorten(redactor.known(storable(_raw(fault))), _MOST_RAW) or None,
    )


def _kind_of(fault: Exception) -> tuple[Fault, str]:
    for cause in _causes(fault):
        for type_, code, sentence in _BY_CAUSE:
            if isinstance(cause, type_):
                return code, sentence
    if isinstance(fault, theirs.ModelConnectionError) and fault.phase in {"pool", "connect"}:
        return Fault.UNREACHABLE, "can't be reached"
    for type_, code, sentence in _KINDS:
        if isinstance(fault, type_):
            return code, sentence
    return Fault.MALFORMED, "answered with something that can't be read"


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__


def _said(fault: Exception) -> str:
    """What the provider says in its own words, else what the model layer makes of it."""
    body = fault.body if isinstance(fault, theirs.ModelAPIError) else None
    if isinstance(body, dict):
        values = cast("dict[str, object]", body)
        inner = values.get("error", values)
        message = cast("dict[str, object]", inner).get("message") if isinstance(inner, dict) else inner
        if isinstance(message, str):
            return message
    if isinstance(fault, theirs.ModelHTTPError):
        return body if isinstance(body, str) else ""
    message: object = getattr(fault, "message", None)
    return message if isinstance(message, str) else type(fault).__name__


def _raw(fault: Exception) -> str:
    body: object = getattr(fault, "body", None)
    if body is None or isinstance(body, str):
        return body or ""
    try:
        return encode_text(body)
    except (TypeError, ValueError):
        return ""
