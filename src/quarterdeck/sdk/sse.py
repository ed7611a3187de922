"""Server-sent events as a parser sees them: bytes in, whole frames out. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One event on the wire. `id` is empty for what can't be resumed from."""

    event: str
    data: str
    id: str = ""


class Parser:
    """Takes chunks however the network cuts them. A frame that is cut off at the end is never given out."""

    def __init__(self) -> None:
        self._rest = b""
        self._event = ""
        self._id = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes."""
        # A carriage return at the end may be half of a line's end: it waits for what follows.
        text = self._rest + chunk
        held = text.endswith(b"\r")
        lines = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop() + (b"\r" if held else b"")
        return [frame for line in lines if (frame := self._take(line.decode(errors="replace"))) is not None]

    def _take(self, line: str) -> Frame | None:
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id":
                self._id = value
            case _:  # comments, `retry`, and what later versions may add
                pass
        return None

    def _complete(self) -> Frame | None:
        frame = Frame(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event, self._id, self._data = "", "", []
        return frame
