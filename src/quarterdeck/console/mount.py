"""Puts the console beside the API: its page on the addresses that are the console's, a problem on all others.

A framework's own fallback would answer an unknown `/v1/...` with a page and status 200, and set no cache headers.
"""

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response

from quarterdeck.console.assets import Asset, Console, load
from quarterdeck.core.errors import NotFound
from quarterdeck.core.settings import Settings
from quarterdeck.http.asgi import Receive, Scope, Send
from quarterdeck.http.problems import NoSuchMethod

PLACES = frozenset(
    {"", "sign-in", "runs", "approvals", "agents", "policy", "budgets", "usage", "switches", "audit", "keys"}
)
"""First parts of the addresses that are pages of the console; the routes in `web/src/routes.tsx` are the same."""

_KEEP = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_READ = frozenset({"GET", "HEAD"})

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Quarterdeck</title>
<h1>The console was not built</h1>
<p>The API works: see <a href="/docs">/docs</a>. In a source tree, this builds the pages, and a restart shows them:</p>
<pre>python hatch_build.py</pre>
</html>
"""


def mount(app: Starlette, settings: Settings) -> None:
    """Serve the console from every address that no route takes.

    Where the package holds no build, its pages say so and the API works all the same.
    """
    # Not a mount at "/": that would answer a wrong method of an address of the API, too, where 405 is due.
    app.router.default = Pages(load(settings.environment))


class Pages:
    """The console as an ASGI application. Raises our errors, which the application around it turns into problems."""

    def __init__(self, console: Console | None) -> None:
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        path = str(scope["path"]).lstrip("/")
        response = self._respond(path, scope["method"], _headers_of(scope))
        await response(scope, receive, send)

    def _respond(self, path: str, method: str, headers: dict[bytes, bytes]) -> Response:
        asset = self._console.files.get(path) if self._console else None
        is_page = path.split("/", 1)[0] in PLACES
        if asset is None and not is_page:
            raise NotFound("There is nothing at this address.")
        if method not in _READ:
            raise NoSuchMethod(allow="GET, HEAD")
        if asset is not None:
            return _sent(asset, headers, {"cache-control": _KEEP if asset.immutable else _ASK_AGAIN})
        if self._console is None:
            return HTMLResponse(_NOT_BUILT, status_code=503, headers={"cache-control": "no-store"})
        page = {"cache-control": _ASK_AGAIN, "content-security-policy": self._console.policy}
        return _sent(self._console.index, headers, {**page, "referrer-policy": "same-origin"})


def _sent(asset: Asset, headers: dict[bytes, bytes], extra: dict[str, str]) -> Response:
    """The file, or 304 where the browser has it; compressed where it takes that."""
    answered = {**extra, "etag": asset.etag, "vary": "accept-encoding"}
    if asset.etag.encode() in headers.get(b"if-none-match", b""):
        return Response(status_code=304, headers=answered)
    body = asset.body
    if asset.compressible and b"gzip" in headers.get(b"accept-encoding", b""):
        answered["content-encoding"] = "gzip"
        body = asset.compressed
    return Response(body, headers=answered, media_type=asset.media_type)


def _headers_of(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])
