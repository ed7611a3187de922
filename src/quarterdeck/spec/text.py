"""Text files of an agent's folder: UTF-8, without control characters, and every complaint with its line."""

import re

from quarterdeck.spec.findings import AgentInvalid, Finding, Place

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_BYTE_ORDER_MARK = "\ufeff"


def text_of(content: bytes, file: str) -> str:
    """The text of a file with LF line ends and without a byte order mark.

    Raises AgentInvalid when it is not UTF-8 or holds control characters.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as fault:
        place = place_in(content[: fault.start].decode(errors="replace"), file)
        problem = f"byte 0x{content[fault.start]:02x} is not UTF-8"
        raise AgentInvalid([Finding(place, problem, "save the file as UTF-8")]) from None
    text = text.removeprefix(_BYTE_ORDER_MARK).replace("\r\n", "\n").replace("\r", "\n")
    control = _CONTROL.search(text)
    if control is not None:
        place = place_in(text[: control.start()], file)
        problem = f"there is a control character (U+{ord(control[0]):04X})"
        raise AgentInvalid([Finding(place, problem, "remove it")])
    return text


def place_in(before: str, file: str) -> Place:
    """The place after some text."""
    return Place(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
