"""JSON in one place: fast, strict and always storable."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
import rfc8785

if TYPE_CHECKING:
    Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
    JsonObject: TypeAlias = Mapping[str, Json]
else:  # the decoders that read the log build themselves from annotations and can't follow a recursive alias
    Json = Any
    JsonObject = dict[str, Any]

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of plain values, dataclasses, structs, dates and UUIDs. Raises TypeError for anything else."""
    return _encoder.encode(value)


def encode_text(value: object) -> str:
    """The same as `encode`, as text: what a jsonb parameter takes."""
    return _encoder.encode(value).decode()


def decode(data: bytes | str) -> Json:
    """Parse JSON. Raises `msgspec.DecodeError` with the position of the fault."""
    return cast("Json", _decoder.decode(data))


def decode_object(data: bytes | str) -> dict[str, Json]:
    """Parse JSON that must be an object. Raises `msgspec.ValidationError` when it is another type."""
    return cast("dict[str, Json]", msgspec.json.decode(data, type=dict[str, object]))


def is_finite(value: Json) -> bool:
    """Whether JSON has a form for every number in it: NaN and the infinities, which some parsers let in, have none."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(is_finite(item) for item in value.values())
    return not isinstance(value, Sequence) or isinstance(value, str) or all(is_finite(item) for item in value)


def canonical(value: Json) -> bytes:
    """RFC 8785 canonical form: what digests and release ids are made of."""
    return rfc8785.dumps(value)


def digest(value: Json) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def fingerprint(value: Json) -> str:
    """The digest; for a value without a canonical form (an integer beyond 2^53) that of how Python writes it.

    Equal values have equal fingerprints either way within this product; others can't compute the second kind.
    """
    try:
        return digest(value)
    except ValueError:
        return hashlib.sha256(repr(_sorted(value)).encode("utf-8", "replace")).hexdigest()


def _sorted(value: Json) -> Json:
    """The same with the members of each object by name: the database gives them back in an order of its own."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_sorted(item) for item in value]
    return value
