"""A deployment's wire played by hand: what was asked is kept, what is answered is a test's to say."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx

from quarterdeck.sdk import AsyncQuarterdeck, Quarterdeck

URL = "http://deck.test"
Answer = httpx.Response | Exception
RUN = {"run_id": "r1", "agent": "desk", "status": "queued"}


class Wire:
    """Answers in turn; the last one again and again."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], httpx.Response]) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def client(self) -> AsyncQuarterdeck:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return AsyncQuarterdeck(URL, "qd_a_b", http=http)

    @property
    def plain_client(self) -> Quarterdeck:
        return Quarterdeck(URL, "qd_a_b", http=httpx.Client(transport=httpx.MockTransport(self)))


class Chunks(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A streamed body that may break off."""

    def __init__(self, *chunks: bytes, fault: Exception | None = None) -> None:
        self._chunks = chunks
        self._fault = fault

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._fault is not None:
            raise self._fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._fault is not None:
            raise self._fault


def problem(status: int, code: str = "some.code", **facts: object) -> httpx.Response:
    detail = f"What {code} says."
    body = {"type": "about:blank", "title": "T", "status": status, "detail": detail, "code": code, **facts}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


def event(seq: int, kind: str = "tool.called", **data: object) -> bytes:
    body = httpx.Response(200, json={"seq": seq, "attempt": 1, "at": "2026-01-01T00:00:00Z", "data": data}).content
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, kind.encode(), body)


def stream(*chunks: bytes, fault: Exception | None = None) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Chunks(*chunks, fault=fault))
