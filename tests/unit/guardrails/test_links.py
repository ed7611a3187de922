"""Where links and images of an answer lead."""

import time

import pytest

from quarterdeck.guardrails.links import Hosts, Links
from tests.unit.guardrails.answers import said

HOSTS = Hosts.of(["example.com", "*.example.org", "intra:8080"])


def found(text: str, *, images: bool = False) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in Links(HOSTS, images=images).find(text, said(text))]


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("see https://evil.example/a(b).", "link", "https://evil.example/a(b)"),
        ("![x](https://evil.example/?q=the+secret)", "image", "https://evil.example/?q=the+secret"),
        ('[t](https://evil.example "title")', "link", "https://evil.example"),
        ("[t](\n  https://evil.example)", "link", "https://evil.example"),
        ("[r]: https://evil.example/x", "link", "https://evil.example/x"),
        ("[r]:\n   <//evil.example/x>", "link", "//evil.example/x"),
        ("[![alt](https://evil.example/i)](https://example.com)", "image", "https://evil.example/i"),
        ("<https://evil.example>", "link", "https://evil.example"),
        ('<img src="https://evil.example/x.png">', "image", "https://evil.example/x.png"),
        ("<a href='//evil.example'>", "link", "//evil.example"),
        ("background: url(//evil.example/a)", "image", "//evil.example/a"),
        ("[a](https&#58;//evil.example)", "link", "https&#58;//evil.example"),
        (r"[a](https\://evil.example)", "link", r"https\://evil.example"),
        ("[a](HTTPS:evil.example)", "link", "HTTPS:evil.example"),
        ("[a](/\\evil.example/x)", "link", "/\\evil.example/x"),
        ("https://example.com@evil.example/", "link", "https://example.com@evil.example/"),
        ("https://example.com.evil.example/", "link", "https://example.com.evil.example/"),
        ("https://ex\u0430mple.com/", "link", "https://ex\u0430mple.com/"),
        ("https://example.org/", "link", "https://example.org/"),
        ("http://intra/", "link", "http://intra/"),
        ("http://example.com:8080/", "link", "http://example.com:8080/"),
        ("www.evil.example, they say", "link", "www.evil.example"),
        ("[a](javascript:alert(1))", "link", "javascript:alert(1)"),
        ("[a](data:text/html,x)", "link", "data:text/html,x"),
        ("[m](mailto:x@evil.example?body=1)", "link", "mailto:x@evil.example?body=1"),
        ("ftp://example.com/x", "link", "ftp://example.com/x"),
        ("https://example.com/?q=ann%40example.net", "leak", "https://example.com/?q=ann%40example.net"),
        (
            "https://example.com/sk-proj-abcdefghijklmnop1234567890",
            "leak",
            "https://example.com/sk-proj-abcdefghijklmnop1234567890",
        ),
        ("https://example.com/" + "a" * 3000, "link", "https://example.com/" + "a" * 3000),
    ],
)
def test_an_address_that_leads_elsewhere_is_found_however_it_is_written(text: str, kind: str, address: str):
    assert found(text) == [(kind, address)]


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a?page=2#top and https://a.example.org/x, http://intra:8080/",
        "[a](/relative) [b](#part) [c](page.html) [d](tel:+14155552671)",
        "[m](mailto:desk@example.com)",
        "std::vector, key:value, 12:30, C:\\files, note: this",
        "data = 5 and action = read",
        "an array[1](2) of f(x)",
    ],
)
def test_what_leads_nowhere_else_stays(text: str):
    assert found(text) == []


def test_images_of_allowed_hosts_are_shown_only_where_that_is_said():
    text = "![chart](https://example.com/chart.png)"
    assert found(text) == [("image", "https://example.com/chart.png")]
    assert found(text, images=True) == []


def test_any_host_can_be_allowed():
    text = "https://anywhere.example/"
    assert Links(Hosts.of(["*"])).find(text, said(text)) == []


@pytest.mark.parametrize("one", ["](", "![", "[a](", "https:", "http://", "a:", "<", "src = ", "www."])
def test_no_text_makes_it_slow(one: str):
    text = one * (50_000 // len(one))
    began = time.thread_time()
    found(text)
    assert time.thread_time() - began < 1.0
