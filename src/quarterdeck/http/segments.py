"""Names and words at one place of an address: `/v1/switches/preview` is no switch that is called `preview`."""

import re

from starlette.convertors import StringConvertor, register_url_convertor


def keep_apart(kind: str, *words: str) -> None:
    """Let `{name:kind}` in paths stand for any segment but these words, which have addresses of their own there.

    Without this, a method that only names take would be tried on a word, and be promised in its `Allow`.
    """

    class Name(StringConvertor):
        regex = f"(?!(?:{'|'.join(map(re.escape, words))})(?:/|$))[^/]+"

    register_url_convertor(kind, Name())
