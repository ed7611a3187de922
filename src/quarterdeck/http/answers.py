"""Answers are plain values encoded once, by our own JSON: response models describe them in OpenAPI and are not run."""

from collections.abc import Mapping

from fastapi import Response

from quarterdeck.core.json import encode


class Answer(Response):
    """A JSON answer. Values are what `core.json.encode` takes: plain values, dataclasses, structs, dates, UUIDs."""

    media_type = "application/json"

    def __init__(
        self,
        value: object,
        status: int = 200,
        *,
        location: str | None = None,
        etag: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.value = value
        super().__init__(encode(value), status_code=status, headers=headers)
        if location is not None:
            self.headers["location"] = location
        if etag is not None:
            self.headers["etag"] = etag


class Nothing(Response):
    """204: done, and there is nothing to say about it."""

    def __init__(self) -> None:
        super().__init__(status_code=204)
