"""The console as a browser gets it: its page on its own addresses and nowhere else, kept as long as is safe."""

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from quarterdeck.console import assets, mount
from quarterdeck.console.assets import load
from quarterdeck.core.errors import Error
from quarterdeck.core.settings import Settings
from quarterdeck.http.problems import problem
from scripts.findings import ROOT

INLINE = "document.title = 'here'"
PAGE = f"""<!doctype html><html><head><meta name="environment" content="" />
<style>body {{ margin: 0 }}</style><script>{INLINE}</script>
<script type="module" crossorigin src="/assets/index-abc.js"></script></head><body></body></html>"""
SCRIPT = "export const many = 1;\n" * 200


async def taken(request: Request) -> Response:
    return PlainTextResponse("a run")


async def refused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Error)
    return problem(fault, request.scope)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-abc.js").write_text(SCRIPT)
    (tmp_path / "assets" / "inter-abc.woff2").write_bytes(b"font" * 1000)
    (tmp_path / "assets" / "index-abc.js.map").write_text("{}")
    return tmp_path


@pytest.fixture
def client(built: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    return served(built, monkeypatch)


def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(mount, "load", lambda environment: load(environment, folder))
    app = Starlette(routes=[Route("/v1/runs", taken)], exception_handlers={Error: refused})
    mount.mount(app, Settings(environment="staging"))
    return TestClient(app)


@pytest.mark.parametrize(
    "path", ["/", "/runs", "/runs/0192-some-run", "/agents", "/keys", "/sign-in", "/runs?status=failed"]
)
def test_the_consoles_addresses_answer_with_its_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/", "/nothing", "/runsx", "/assets/gone-abc.js", "/index.html", "/.env"]
)
def test_an_address_that_nobody_has_is_a_problem_and_never_a_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/../index.html", "/assets/../index.html", "/assets/%2e%2e/index.html", "//etc/passwd"]
)
def test_no_path_leads_out_of_the_build(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in {200, 404}
    assert "root:" not in client.get(path).text


def test_a_route_keeps_its_address_and_its_methods(client: TestClient) -> None:
    assert client.get("/v1/runs").text == "a run"
    assert client.delete("/v1/runs").status_code == 405


def test_a_page_is_only_read(client: TestClient) -> None:
    answer = client.post("/runs", json={})
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.head("/runs").status_code == 200


def test_a_file_with_a_digest_in_its_name_is_kept_for_ever(client: TestClient) -> None:
    kept = client.get("/assets/index-abc.js")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/favicon.svg").headers["cache-control"] == "no-cache"


def test_what_the_browser_has_is_not_sent_again(client: TestClient) -> None:
    etag = client.get("/runs").headers["etag"]
    again = client.get("/runs", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-security-policy" in again.headers
    assert client.get("/runs", headers={"if-none-match": '"another"'}).status_code == 200


def test_a_large_text_is_sent_compressed_to_whoever_takes_that(client: TestClient) -> None:
    packed = client.get("/assets/index-abc.js", headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(SCRIPT) / 5
    assert packed.text == SCRIPT
    plain = client.get("/assets/index-abc.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "accept-encoding"


def test_a_font_is_not_compressed_twice(client: TestClient) -> None:
    assert "content-encoding" not in client.get("/assets/inter-abc.woff2", headers={"accept-encoding": "gzip"}).headers


def test_source_maps_and_other_strangers_are_not_served(client: TestClient) -> None:
    assert client.get("/assets/index-abc.js.map").status_code == 404


def test_the_policy_allows_our_own_files_and_what_the_build_put_into_the_page(client: TestClient) -> None:
    policy = dict(part.split(" ", 1) for part in client.get("/").headers["content-security-policy"].split("; "))
    digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert policy["style-src"].startswith("'self' 'sha256-")
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["trusted-types"] == "'none'"
    assert not any(
        word in client.get("/").headers["content-security-policy"] for word in ("unsafe", "http", "*", "data:")
    )


def test_the_page_says_which_environment_it_shows(client: TestClient) -> None:
    assert '<meta name="environment" content="staging" />' in client.get("/").text


def test_without_a_build_the_pages_say_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served(tmp_path, monkeypatch)
    answer = client.get("/runs")
    assert answer.status_code == 503
    assert "python hatch_build.py" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/v1/runs").text == "a run"
    assert client.get("/assets/index-abc.js").status_code == 404


def test_what_is_compressed_is_the_same_in_every_process() -> None:
    first, second = (assets.Asset("assets/a.js", SCRIPT.encode(), "text/javascript") for _ in range(2))
    assert first.compressed == second.compressed
    assert gzip.decompress(first.compressed) == SCRIPT.encode()
    assert first.etag == second.etag


def test_the_servers_places_are_the_routers() -> None:
    routes = (ROOT / "web/src/routes.tsx").read_text(encoding="utf-8")
    paths = re.findall(r'path: "/([^"/$]*)', routes)
    assert set(paths) == mount.PLACES
