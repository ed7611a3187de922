"""What stands outside a deployment in flow tests: a model provider, a tool server that keeps books of every effect, and
a place where webhooks arrive. All of it runs in a thread of the test process, so nothing that is killed takes it along.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from tests.fakes.mcp_http import Asked as Call
from tests.fakes.mcp_http import FakeHttp, Reply, answer, well
from tests.fakes.provider import Asked, FakeProvider, Says, Turn

T = TypeVar("T")

SCHEMA = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
_FREE = {"autonomy": "free", "trust": "trusted"}
DECLARED = {
    "look": {"effect": "read", "repeat": "safe", "timeout": 20, **_FREE},
    "pay": {"effect": "payment", "repeat": "never", "timeout": 5, **_FREE},
    "pay_keyed": {"effect": "payment", "repeat": "keyed", "timeout": 20, **_FREE},
    "pay_slowly": {"effect": "payment", "repeat": "never", "timeout": 30, **_FREE},
    "pay_if_approved": {"effect": "payment", "repeat": "never", "timeout": 5, "trust": "trusted"},
}
"""The tools of the books, as an agent declares them. All but `look` leave an entry, and one asks a person first."""


class Hold:
    """A call that is kept from being answered until the test lets it go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.released = threading.Event()

    def await_call(self, within: float = 30.0) -> None:
        assert self.began.wait(within), f"nobody called within {within:g} s"


class Books(FakeHttp):
    """A remote tool server. Every call but a look is an effect, entered under its key; `pay_keyed` enters it once."""

    def __init__(self) -> None:
        tools = [{"name": name, "description": f"The tool {name}.", "inputSchema": SCHEMA} for name in DECLARED]
        super().__init__(tools=tools)
        self.entries: list[tuple[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.odd: dict[str, Reply] = {}
        self._holds: dict[str, Hold] = {}

    def effects(self, what: str) -> int:
        """How often something was done."""
        return sum(entry == what for _, entry in self.entries)

    def keys(self, what: str) -> set[str]:
        """The keys under which something was asked for."""
        return {key for key, entry in self.entries if entry == what}

    @contextmanager
    def holding(self, what: str) -> Iterator[Hold]:
        """Calls about `what` have their effect at once, and no answer until the block ends or the hold is released."""
        hold = self._holds[what] = Hold()
        try:
            yield hold
        finally:
            hold.released.set()
            self._holds.pop(what, None)

    async def _call(self, asked: Call) -> web.StreamResponse:
        asked_for = asked.body["params"]
        name, what = asked_for["name"], asked_for["arguments"]["what"]
        key = asked_for["_meta"]["quarterdeck/key"]
        self.asked[what] += 1
        if name != "look" and (name != "pay_keyed" or (key, what) not in self.entries):
            self.entries.append((key, what))
        hold = self._holds.get(what)
        if hold is not None:
            hold.began.set()
            while not hold.released.is_set():
                await asyncio.sleep(0.01)
        if (reply := self.odd.get(what)) is not None:
            return await reply(asked)
        return answer(asked, well(f"{name}: {what}"))


@dataclass(frozen=True)
class Letter:
    """A webhook's message as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def record(self) -> dict[str, Any]:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is right, computed here from the standard and not by the product."""
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        mac = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
        return f"v1,{base64.b64encode(mac).decode()}" in self.headers["webhook-signature"].split(" ")


class Letterbox:
    """Takes webhooks. `statuses[path]` are the answers of a path in turn, the last one for ever; 204 by default."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.statuses: dict[str, list[int]] = {}
        self.redirects: dict[str, str] = {}
        self.url = ""

    async def open(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        await self._runner.cleanup()

    def to(self, path: str) -> list[Letter]:
        """What came to a path."""
        return [letter for letter in self.letters if letter.path == path]

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.letters.append(Letter(request.path, headers, await request.read()))
        if request.path in self.redirects:
            return web.Response(status=307, headers={"location": self.redirects[request.path]})
        answers = self.statuses.get(request.path, [204])
        return web.Response(status=answers.pop(0) if len(answers) > 1 else answers[0])


class Outside:
    """All of it. Attributes may be read from the test's thread; what they are set to counts from the next request."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="outside", daemon=True)
        self.books = Books()
        self.letterbox = Letterbox()
        self.provider = FakeProvider(plan=self._plan)
        self.plans: dict[str, Callable[[Asked], Turn]] = {}

    def open(self) -> None:
        self._thread.start()
        self._run(self.books.__aenter__())
        self._run(self.letterbox.open())
        self._run(self.provider.start())

    def close(self) -> None:
        for work in (self.provider.close(), self.letterbox.close(), self.books.__aexit__()):
            self._run(work)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def targets(self) -> str:
        """What outbound calls of the deployment have to be allowed to reach."""
        return ",".join(url.split("/")[2] for url in (self.books.url, self.letterbox.url))

    def _plan(self, asked: Asked) -> Turn:
        """The first plan whose name stands in what was asked: each test names its own."""
        text = json.dumps(asked.body)
        return next((plan(asked) for name, plan in self.plans.items() if name in text), Says("hello"))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
