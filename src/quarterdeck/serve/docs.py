"""`/docs`: the API's description for people, from files of our own: it needs no network and no leave of a policy."""

from importlib.resources import files

from fastapi import APIRouter, Response

from quarterdeck.core.errors import NotFound

router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"docs.html": "text/html", "docs.css": "text/css", "docs.js": "text/javascript"}
_FOLDER = files("quarterdeck.serve") / "pages"


@router.get("/docs")
async def read_docs() -> Response:
    """The page."""
    return _file("docs.html")


@router.get("/docs/{name}")
async def read_docs_file(name: str) -> Response:
    """What the page needs."""
    if name not in _TYPES:
        raise NotFound
    return _file(name)


def _file(name: str) -> Response:
    headers = {"content-security-policy": POLICY, "cache-control": "no-cache"}
    return Response((_FOLDER / name).read_bytes(), media_type=_TYPES[name], headers=headers)
