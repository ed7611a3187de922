"""Words that were written so that filters don't read them and models do: decoded, so that they can be looked at."""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

_MOST = 20
"""Payloads of one kind that are looked at in a text, and that many thousands of characters of each."""
_LONGEST = 8_000


def decoded(text: str) -> Iterator[tuple[str, str]]:
    """Each thing in a text that reads as words once it is decoded: the encoding, and the words."""
    lowered = text.lower()
    for name, read in _READERS:
        yield from ((name, words) for words in read(text, lowered))


def _each(pattern: re.Pattern[str], text: str, decode: Callable[[str], str | None]) -> Iterator[str]:
    for at, match in enumerate(pattern.finditer(text)):
        if at >= _MOST:
            return
        words = decode(match[0][:_LONGEST])
        if words is not None and _reads_as_words(words):
            yield words


def _reads_as_words(text: str) -> bool:
    letters = sum(one.isalpha() or one in " .,!?'\n" for one in text)
    return len(text) >= 8 and letters >= 0.85 * len(text)


_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,8000}={0,2}")


def _base64(text: str, _: str) -> Iterator[str]:
    return _each(_BASE64, text, _from_base64)


def _from_base64(one: str) -> str | None:
    plain = one.rstrip("=").translate(_URL_SAFE)
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


_URL_SAFE = str.maketrans("-_", "+/")
_HEX = re.compile(r"\b(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s:,]{0,2}){12,4000}")


def _hex(text: str, _: str) -> Iterator[str]:
    return _each(_HEX, text, _from_hex)


def _from_hex(one: str) -> str | None:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", one)
    try:
        return bytes.fromhex(digits).decode()
    except ValueError:
        return None


_BINARY = re.compile(r"\b(?:[01]{8}[\s,]{0,2}){8,4000}")


def _binary(text: str, _: str) -> Iterator[str]:
    if "011" not in text:  # with which every letter of ASCII begins
        return iter(())
    return _each(_BINARY, text, lambda one: "".join(chr(int(byte, 2)) for byte in re.findall("[01]{8}", one)))


_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9+._-]){12,8000}")


def _percent(text: str, _: str) -> Iterator[str]:
    if text.count("%") < 3:
        return iter(())
    return _each(_PERCENT, text, lambda one: unquote(one.replace("+", " ")) if one.count("%") >= 3 else None)


_ESCAPED = re.compile(r"(?:\\u[0-9a-fA-F]{4}|&#x?[0-9a-fA-F]{1,6};|[ A-Za-z,.]){8,8000}")


def _escapes(text: str, _: str) -> Iterator[str]:
    if "\\u" not in text and "&#" not in text:
        return iter(())
    return _each(_ESCAPED, text, _from_escapes)


def _from_escapes(one: str) -> str | None:
    if one.count("\\u") + one.count("&#") < 4:
        return None
    return html.unescape(re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), one))


_ROTATED = ("vtaber", "qvfertneq", "sbetrg", "cerivbhf", "vafgehpgvba", "flfgrz cebzcg", "erirny", "bireevqr")


def _rot13(text: str, lowered: str) -> Iterator[str]:
    if any(map(lowered.__contains__, _ROTATED)):
        yield codecs.decode(text[: 4 * _LONGEST], "rot13")


_BACKWARDS = ("snoitcurtsni", "suoiverp", "tpmorp", "erongi", "dragersid", "laever")


def _backwards(text: str, lowered: str) -> Iterator[str]:
    if any(map(lowered.__contains__, _BACKWARDS)):
        yield text[: 4 * _LONGEST][::-1]


_TELLING = (
    "instruct", "ignore", "previous", "prompt", "system", "disregard", "forget", "reveal", "bypass", "guideline",
    "restrict", "rules", "secret", "override",
)  # fmt: skip
_PLAIN = str.maketrans("0134578@$!|", "oieastbasil")
_PLAIN_L = str.maketrans("0134578@$!|", "oleastbasil")


def _leet(_: str, lowered: str) -> Iterator[str]:
    """Where words come to light that were not there before, the digits stood for letters."""
    start = lowered[: 4 * _LONGEST]
    plain = start.translate(_PLAIN)
    if sum(word in plain and plain.count(word) > start.count(word) for word in _TELLING) >= _TWO:
        yield plain
        yield start.translate(_PLAIN_L)


_TWO = 2
_SEPARATED = re.compile(r"\b\w[ .*_|/-]\w[ .*_|/-]\w\b")
_SPACED = re.compile(r"(?<!\S)[^\W_](?:[ .*_\-|/][^\W_]){7,2000}(?!\w)")


def _spaced(text: str, _: str) -> Iterator[str]:
    if _SEPARATED.search(text) is None:
        return
    for at, match in enumerate(_SPACED.finditer(text)):
        if at >= _MOST:
            return
        yield re.sub(r"[ .*_\-|/]", "", match[0])
    for at, match in enumerate(_SPREAD.finditer(text)):
        if at >= _MOST:
            return
        yield " ".join(re.sub(r"[ .*_\-|/]", "", word) for word in re.split(r"\s{2,}", match[0]))


_SPREAD = re.compile(r"(?<!\w)(?:[^\W_](?:[ .*_\-|/][^\W_]){1,40}\s{2,5}){2,200}[^\W_](?:[ .*_\-|/][^\W_]){1,40}(?!\w)")
_READERS: tuple[tuple[str, Callable[[str, str], Iterator[str]]], ...] = (
    ("base64", _base64),
    ("hexadecimal", _hex),
    ("binary", _binary),
    ("percent", _percent),
    ("escapes", _escapes),
    ("rot13", _rot13),
    ("backwards", _backwards),
    ("leet", _leet),
    ("spaced", _spaced),
)
