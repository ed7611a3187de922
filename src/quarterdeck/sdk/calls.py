"""A request as a value: what is asked, what the answer is read as, and whether it may be repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import msgspec

from quarterdeck.core.ids import token
from quarterdeck.core.json import encode
from quarterdeck.sdk.errors import NotUnderstood

T = TypeVar("T")

Text: TypeAlias = str | int | float | bool | None
Query: TypeAlias = str | int | float | bool | datetime | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `bytes` as `answer` takes the body as it is, `NoneType` expects none."""

    answer: type[T]
    method: str
    path: str
    query: Mapping[str, Query] = field(default_factory=dict[str, Query])
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    repeatable: bool = False
    """Sent twice it does no more than sent once: reads, and what carries an Idempotency-Key."""
    patience: float = 0.0
    """Seconds that the deployment itself may hold the answer."""

    @property
    def content(self) -> bytes | None:
        """The body's bytes; members that are None are left out, since absent is what they mean."""
        if self.body is None:
            return None
        return encode({name: value for name, value in self.body.items() if value is not None})

    @property
    def parameters(self) -> list[tuple[str, Text]]:
        """The query as pairs."""
        return [(name, text) for name, value in self.query.items() for text in _texts(value)]

    def read(self, body: bytes) -> T:
        """The answer's body as what was asked for. Raises NotUnderstood."""
        if self.answer is type(None) or self.answer is bytes:
            return cast("T", body if self.answer is bytes else None)
        try:
            return msgspec.json.decode(body, type=self.answer)
        except msgspec.MsgspecError as fault:
            raise NotUnderstood(f"The answer to {self.method} {self.path} can't be read: {fault}.") from fault


def get(answer: type[T], path: str, query: Mapping[str, Query] | None = None, patience: float = 0.0) -> Call[T]:
    """A read."""
    return Call(answer, "GET", path, query or {}, repeatable=True, patience=patience)


def create(
    answer: type[T],
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    key: str = "",
    query: Mapping[str, Query] | None = None,
    patience: float = 0.0,
) -> Call[T]:
    """A POST that creates. It carries an Idempotency-Key, a fresh one unless given, and may so be repeated."""
    headers = {"idempotency-key": f'"{key or token(16)}"'}
    return Call(answer, "POST", path, query or {}, body, headers, repeatable=True, patience=patience)


def act(answer: type[T], path: str, body: Mapping[str, object] | None = None) -> Call[T]:
    """A POST that makes something happen and is not repeated when its answer is lost."""
    return Call(answer, "POST", path, body=body)


def change(
    answer: type[T], path: str, body: Mapping[str, object], *, etag: str = "", nulls: Sequence[str] = ()
) -> Call[T]:
    """A PATCH. Members in `nulls` are sent as null where they are None, which takes them away."""
    given = {name: value for name, value in body.items() if value is not None}
    kept = {name: msgspec.Raw(b"null") for name in nulls}
    return Call(answer, "PATCH", path, body={**given, **kept}, headers={"if-match": etag} if etag else {})


def put(
    answer: type[T], path: str, body: Mapping[str, object], *, etag: str = "", nulls: Sequence[str] = ()
) -> Call[T]:
    """A PUT: the same again changes nothing more. `nulls` as in `change`."""
    return replace(change(answer, path, body, etag=etag, nulls=nulls), method="PUT")


def remove(path: str) -> Call[None]:
    """A DELETE."""
    return Call(type(None), "DELETE", path, repeatable=True)


def at(*segments: str) -> str:
    """A path under /v1 of segments that may hold anything."""
    return "/v1/" + "/".join(quote(segment, safe="@") for segment in segments)


def _texts(value: Query) -> list[Text]:
    match value:
        case None:
            return []
        case bool():
            return ["true" if value else "false"]
        case str():
            return [value]
        case datetime():
            return [value.isoformat()]
        case int() | float():
            return [str(value)]
        case _:
            return list(value)
