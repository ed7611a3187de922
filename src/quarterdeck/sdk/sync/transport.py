# Made by `python -m scripts.sdk` from sdk/aio; change that instead.
"""Sends calls: one connection pool, retries where they do no harm, problems as exceptions."""

from collections.abc import Generator
from contextlib import contextmanager
from time import sleep
from typing import TypeVar

import httpx

from quarterdeck.sdk.calls import Call
from quarterdeck.sdk.errors import QuarterdeckError, Refused, TimedOut, Unreachable, refusal
from quarterdeck.sdk.options import Options
from quarterdeck.sdk.rules import Attempt, pause_before_next

T = TypeVar("T")

# A stream that a proxy compresses comes in lumps.
_STREAMED = {b"accept": b"text/event-stream", b"accept-encoding": b"identity"}


class Transport:
    """The client's connection to its deployment. Never follows redirects: a key goes to the address it is for."""

    def __init__(self, options: Options, http: httpx.Client) -> None:
        self.options = options
        self.http = http

    def send(self, call: Call[T]) -> T:
        """The answer. Raises Refused for a refusal, Unreachable when there was none, NotUnderstood for nonsense."""
        number = 0
        while True:
            number += 1
            try:
                return call.read(self._once(call))
            except _Lost as lost:
                error: QuarterdeckError = lost.error
                attempt = Attempt(number, loss="unsent" if lost.unsent else "unanswered")
            except Refused as refused:
                error = refused
                attempt = Attempt(number, refused.status, refused.code, refused.retry_after)
            pause = pause_before_next(attempt, repeatable=call.repeatable, retries=self.options.retries)
            if pause is None:
                raise error
            sleep(pause)

    @contextmanager
    def open_stream(self, call: Call[bytes], silence: float) -> Generator[httpx.Response]:
        """A streamed answer, tried once. Raises Refused or Unreachable, also while it is read.

        `silence` are the seconds without a byte after which it is taken for cut.
        """
        try:
            with self.http.stream(
                call.method,
                self.options.base_url + call.path,
                params=call.parameters,
                headers={**self.options.sent, **_STREAMED, **_encoded(call)},
                timeout=httpx.Timeout(self.options.timeout, read=silence),
            ) as response:
                if response.status_code not in {200, 204}:
                    raise refusal(response.status_code, response.read(), response.headers.get("retry-after"))
                yield response
        except httpx.HTTPError as fault:
            raise _lost(fault, self.options.base_url).error from fault

    def _once(self, call: Call[T]) -> bytes:
        content = call.content
        kind = {b"content-type": b"application/json"} if content is not None else {}
        try:
            response = self.http.request(
                call.method,
                self.options.base_url + call.path,
                params=call.parameters,
                content=content,
                headers={**self.options.sent, **kind, **_encoded(call)},
                timeout=httpx.Timeout(self.options.timeout, read=self.options.timeout + call.patience),
            )
        except httpx.HTTPError as fault:
            raise _lost(fault, self.options.base_url) from fault
        if not 200 <= response.status_code < 300:
            raise refusal(response.status_code, response.content, response.headers.get("retry-after"))
        return response.content


class _Lost(Exception):
    """No answer came; `unsent` says that the deployment never saw the request."""

    def __init__(self, error: Unreachable, *, unsent: bool) -> None:
        super().__init__(error.detail)
        self.error = error
        self.unsent = unsent


def _lost(fault: httpx.HTTPError, base_url: str) -> _Lost:
    unsent = isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    reason = str(fault) or type(fault).__name__
    if isinstance(fault, httpx.TimeoutException):
        return _Lost(TimedOut(f"{base_url} did not answer in time.", reason=reason), unsent=unsent)
    if unsent:
        return _Lost(Unreachable(f"Nothing answers at {base_url}: {reason}.", reason=reason), unsent=True)
    return _Lost(Unreachable(f"The connection to {base_url} was lost: {reason}.", reason=reason), unsent=False)


def _encoded(call: Call[T]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in call.headers.items()}
