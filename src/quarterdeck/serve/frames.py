"""From the log's rows, and from tokens that pass by, to frames on the wire."""

from uuid import UUID

import msgspec

from quarterdeck.core.json import Json, encode
from quarterdeck.http.streams import frame
from quarterdeck.runs.records import StoredEvent
from quarterdeck.runs.view import moment

LAST_KIND = "run.finished"
_ANSWERED = "model.answered"


class Delta(msgspec.Struct, frozen=True):
    """Some tokens of a message that is being written: an item of the channel `qd_deltas`.

    `offset` counts characters of this kind of text since the message began. With `reset` what was shown of this step
    is void: it is being written anew.
    """

    run: UUID
    step: int
    attempt: int
    offset: int = 0
    kind: str = "text"
    text: str = ""
    reset: bool = False


class _Shown(msgspec.Struct):
    seq: int
    attempt: int
    at: str | None
    data: msgspec.Raw


class _Step(msgspec.Struct):
    step: int = 0


def frame_of(event: StoredEvent) -> bytes:
    """An event of the log. Its facts go out as the database gave them: nothing is decoded on the way."""
    shown = _Shown(event.seq, event.attempt, moment(event.at), msgspec.Raw(event.data.encode()))
    return frame(event.kind, encode(shown), event.seq)


def delta_of(item: Json) -> Delta | None:
    """A delta as it came from another process; None for what is none."""
    try:
        return msgspec.convert(item, Delta)
    except msgspec.ValidationError:
        return None


def frame_of_delta(delta: Delta) -> bytes:
    """Tokens, without an id: nobody resumes from them."""
    shown: dict[str, Json] = {"step": delta.step, "attempt": delta.attempt}
    if delta.reset:
        return frame("message.reset", encode(shown))
    return frame("message.delta", encode({**shown, "offset": delta.offset, "kind": delta.kind, "text": delta.text}))


def is_last(event: StoredEvent) -> bool:
    """Whether a stream may end here."""
    return event.kind == LAST_KIND


def answered_step(event: StoredEvent) -> int | None:
    """The step whose message this event holds in full, so that its tokens are outdated from here on."""
    return msgspec.json.decode(event.data, type=_Step).step if event.kind == _ANSWERED else None
