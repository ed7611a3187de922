"""How settings name a secret without holding it: `secret://NAME`, alone or inside a text such as `Bearer secret://NAME`.

A name alone is kept in the vault; `env/NAME` and `file/NAME` are read from where the deployment keeps them.
"""

import re
from collections.abc import Mapping

SCHEME = "secret://"
NAME = r"(?:[a-z]{2,16}/)?[A-Za-z][A-Za-z0-9_.-]{0,62}"
_NAME = re.compile(NAME)
_REFERENCE = re.compile(rf"{SCHEME}({NAME})")


def is_name(text: str) -> bool:
    """Whether a text can name a secret."""
    return _NAME.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    """Whether a text is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def names_in(text: str) -> tuple[str, ...]:
    """The secrets that a text refers to, in order, each once."""
    return tuple(dict.fromkeys(_REFERENCE.findall(text))) if SCHEME in text else ()


def without_references(text: str) -> str:
    """The text with each reference cut out: what stands there literally."""
    return _REFERENCE.sub("", text)


def fault_in(text: str) -> str | None:
    """What is wrong with the references in a text, as a clause; None when nothing is."""
    if SCHEME in without_references(text):
        return "it refers to a secret by a name that none can have: letters, digits, `_`, `.` and `-`, at most 63"
    return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with each reference replaced by its value. Raises KeyError for a secret that is not among them."""
    return _REFERENCE.sub(lambda found: values[found[1]], text) if SCHEME in text else text
