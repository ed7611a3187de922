"""A browser sends its cookie whoever asks it to; the Origin header says who asked.

What is done by cookie must come from our own pages.
"""

from urllib.parse import urlsplit

from fastapi import Request

from quarterdeck.core.errors import Forbidden


class WrongOrigin(Forbidden):
    """A signed-in browser may change things only from our own pages; set QUARTERDECK_PUBLIC_URL to their address."""

    code = "auth.wrong_origin"


def check_origin(request: Request, *, required: bool = True) -> None:
    """Raise WrongOrigin unless the Origin is this server's own, as the request addressed it or as `public_url` says.

    Without `required` a request that names no origin (no browser sent it) passes.
    """
    origin = request.headers.get("origin")
    if origin is None and not required:
        return
    own = {f"{request.url.scheme}://{request.headers.get('host', '')}".lower()}
    public_url = str(getattr(request.app.state, "public_url", ""))
    if public_url:
        own.add(origin_of(public_url))
    if origin is None or origin.lower() not in own:
        raise WrongOrigin(origin=origin)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as browsers write an origin: no default port, no path."""
    parts = urlsplit(url.lower())
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port and parts.port != default else "")
