"""E-mail and IP addresses in a text."""

import ipaddress
import re
from collections.abc import Iterator

from quarterdeck.guardrails.spans import Span

EMAIL, IP = "email", "ip"

_EMAIL = re.compile(
    r"(?<![\w.%+'-])[\w%+'-][\w.%+'-]*@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-zA-Z0-9-]{2,59})"
    r"(?![\w-]*@)"
)
_IPV4 = re.compile(r"(?<![\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w-]|\.[0-9])")
_VERSION = re.compile(r"(?i)(?:\bv|version|release|build|section|chapter|§)[ .:]{0,3}$")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]{0,38}:[0-9A-Fa-f:]{0,38}:)[0-9A-Fa-f:]{2,39}(?:\.[0-9]{1,3}){0,3}(?![\w:])"
)
_FILES = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "py", "json", "html"))
"""Ends of file names, none of which is a top-level domain: `icon@2x.png` is no address."""


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses, also of other scripts than Latin."""
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        local, _, host = match[0].partition("@")
        if ".." in local or local.endswith(".") or host.rpartition(".")[2].lower() in _FILES:
            continue
        quotes = len(local) - len(local.lstrip("'"))  # opened before an address, and no part of it
        yield Span(EMAIL, match.start() + quotes, match.end(), 1.0)


def ips(text: str) -> Iterator[Span]:
    """IP addresses of either version that can be somebody's: not the unspecified, loopback or broadcast ones."""
    for match in _IPV4.finditer(text):
        if _is_somebodys(match[0]) and not _VERSION.search(text, max(0, match.start() - 12), match.start()):
            yield Span(IP, *match.span(), 0.9)
    if text.count(":") < 2:
        return
    for match in _IPV6.finditer(text):
        found = match[0]
        if not found.endswith("::"):
            found = found.rstrip(":")  # a colon behind it belongs to the sentence
        if _tells(found) and _is_somebodys(found):
            yield Span(IP, match.start(), match.start() + len(found), 0.9)


def _tells(text: str) -> bool:
    """Rules out what is only written like a shortened address, as `a::b` in code is."""
    groups = [group for group in text.split(":") if group]
    return len(groups) == 8 or (
        any(one.isdigit() for one in text) and (len(groups) >= 4 or any(len(group) >= 3 for group in groups))
    )


def _is_somebodys(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback or text == "255.255.255.255")
