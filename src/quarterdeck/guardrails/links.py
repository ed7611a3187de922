"""Links and images that lead to hosts which nobody allowed, and data that leaves in the address of an allowed one.

Whoever shows an answer fetches its images without asking and follows its links with a click: a model that was talked
into it sends out whatever it writes into such an address.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote_plus

from quarterdeck.guardrails import credentials, pii
from quarterdeck.guardrails.placed import Placed
from quarterdeck.guardrails.records import Subject
from quarterdeck.guardrails.spans import Span, last_word, settled
from quarterdeck.net.records import Reach, Refusal
from quarterdeck.net.rules import judge_url

LINK, IMAGE, LEAK = "link", "image", "leak"
_WORDS = {LINK: "link", IMAGE: "image", LEAK: "link with data in it"}

_BARE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{1,20}:[/\\]{2}|(?<![\w./@:-])www\.)[^\s<>\"'`]+")
_SET = re.compile(
    r"(?:(?P<inline>\]\()|\]:|(?P<shown>(?i:\b(?:src|srcset|poster|background|data)\s{0,3}=|\burl\())"
    r"|(?i:\b(?:href|action|formaction|cite|ping)\s{0,3}=)|<(?=[A-Za-z][A-Za-z0-9+.-]{1,20}:))"
    r"\s{0,5}[<\"'(]?(?P<to>[^\s<>\"']+)"
)
_ALT = re.compile(r"!\[[^\[\]]{0,500}\Z")
_NEAR = 520
_TRAILING = ".,;:!?*_~'\""
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_UNSEEN = re.compile(r"[\x00-\x20]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NOWHERE = frozenset({"tel:"})
"""Schemes that lead to no host."""
_ANYWHERE = Reach(allow_private=True)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Hosts:
    """Hosts that may be led to: a name, `*.example.com` for all below it, either with a port of its own, or `*`."""

    listed: frozenset[str]

    @classmethod
    def of(cls, hosts: Sequence[str]) -> Self:
        """As an author lists them."""
        return cls(frozenset(host.lower().rstrip(".") for host in hosts))

    def hold(self, host: str, port: str) -> bool:
        """Whether a host is one of them; `port` is empty or `:8080`."""
        labels = host.split(".")
        above = {"*." + ".".join(labels[at:]) for at in range(1, len(labels))}
        return "*" in self.listed or any(name + port in self.listed for name in (host, *above))


class Links(Placed):
    """Every address in a text, in Markdown, in HTML or bare."""

    behind = _NEAR + 80
    advice = "Leave out links and images that lead to other hosts than the allowed ones, and data in addresses."

    def __init__(self, hosts: Hosts, *, images: bool = False) -> None:
        self._hosts = hosts
        self._images = images

    def find(self, text: str, _subject: Subject, /) -> list[Span]:
        """Where addresses stand that may not be shown."""
        return settled(self._judged(text))

    def word(self, kind: str) -> str:
        """What was found."""
        return _WORDS[kind]

    def unfinished(self, text: str, _subject: Subject, /) -> int:
        """An address is one word, whatever stands around it."""
        return last_word(text, len(text))

    def _judged(self, text: str) -> Iterator[Span]:
        # Those in constructs first: of two that are found at one place it is told which was an image.
        for match in _SET.finditer(text):
            kind = self._judge(match["to"], shown=_is_shown(text, match))
            if kind:
                yield Span(kind, match.start("to"), match.start("to") + len(_whole(match["to"])), 1.0)
        for match in _BARE.finditer(text):
            kind = self._judge(match[0], shown=False)
            if kind:
                yield Span(kind, match.start(), match.start() + len(_whole(match[0])), 1.0)

    def _judge(self, written: str, *, shown: bool) -> str:
        """What is wrong with an address; empty where nothing is."""
        for url in _as_browsers_read(_whole(written)):
            if not self._leads_home(url) or (shown and not self._images):
                return IMAGE if shown else LINK
            said = unquote_plus(url.partition("?")[2] if url.startswith("mailto:") else url)
            if credentials.find(said) or pii.find(said):
                return LEAK
        return ""

    def _leads_home(self, url: str) -> bool:
        scheme, _, rest = url.partition(":")
        if scheme == "mailto":
            return all(self._hosts.hold(to.rpartition("@")[2].lower(), "") for to in rest.partition("?")[0].split(","))
        target = judge_url(url.partition("#")[0], _ANYWHERE)
        if isinstance(target, Refusal):
            return False
        port = "" if target.port == _PORTS[target.scheme] else f":{target.port}"
        return self._hosts.hold(target.host, port)


def _is_shown(text: str, match: re.Match[str]) -> bool:
    """Whether an address is fetched as soon as the text is shown."""
    if match["inline"] is None:
        return match["shown"] is not None
    return _ALT.search(text, max(0, match.start() - _NEAR), match.start()) is not None


def _whole(written: str) -> str:
    """An address without what belongs to the sentence or the Markdown around it."""
    depth = 0
    for at, one in enumerate(written):
        depth += (one == "(") - (one == ")")
        if depth < 0:
            written = written[:at]
            break
    return written.rstrip(_TRAILING) or written


def _as_browsers_read(written: str) -> set[str]:
    """The absolute addresses that this can be read as, in Markdown and in HTML, each in one spelling; none for one that
    leads nowhere else than to where the text is shown.
    """
    plain = html.unescape(written)
    read = (_absolute(_UNSEEN.sub("", one)) for one in (plain, _ESCAPED.sub(r"\1", plain)))
    return {url for url in read if url}


def _absolute(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        if url[:4].lower() == "www.":
            return f"https://{url}"
        return "https://" + url.lstrip("/\\") if len(url) > 1 and url[0] in "/\\" and url[1] in "/\\" else ""
    name = scheme[0].lower()
    rest = url[scheme.end() :]
    if name in {"http:", "https:"}:
        rest = "//" + rest.lstrip("/\\")
    return "" if name in _NOWHERE else name + rest
