"""Recorded conversations of AgentDojo as cassettes: what the model said, to be said again to whoever asks."""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quarterdeck.core.json import decode
from quarterdeck.models.cassettes import ANYTHING, Answer, Conversation, Exchange, Said, write
from quarterdeck.runs.messages import Call, Spoken, Text

_NOW = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
"""A time with microseconds was the clock of the recording's day."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One conversation: with which model about which task, under which attack, and how AgentDojo judged it then.

    `security` true on an attacked run means that the attack succeeded.
    """

    model: str
    suite: str
    task: str
    injection: str | None
    messages: Sequence[Mapping[str, Any]]
    utility: bool
    security: bool

    @property
    def id(self) -> str:
        """What its run's tag and its cassette call it."""
        return f"{self.model}/{self.suite}/{self.task}/{self.injection or 'none'}"

    @property
    def agent(self) -> str:
        """The agent that replays it: one for each suite and model, since a release pins its model."""
        return f"{self.suite}-{self.model}"

    @property
    def system(self) -> str:
        """The system prompt."""
        return self.messages[0]["content"]

    @property
    def prompt(self) -> str:
        """What the user wanted."""
        return self.messages[1]["content"]

    @property
    def results(self) -> list[str]:
        """What the tools answered, in order."""
        return [_words(message) for message in self.messages if message["role"] == "tool"]


def read(files: Iterable[Path]) -> list[Recording]:
    """All conversations in these files, gzipped, one JSON object a line."""
    found: list[Recording] = []
    for file in files:
        with gzip.open(file, "rb") as lines:
            found += [_recording(decode(line)) for line in lines]
    return found


def cassette(recordings: Iterable[Recording]) -> bytes:
    """The cassette that holds these conversations."""
    return write(conversation(recording) for recording in recordings)


def conversation(recording: Recording) -> Conversation:
    """One conversation as a cassette has it. Call ids that the model used twice are told apart."""
    ids: set[str] = set()
    calls: list[Exchange] = []
    asked: list[Said] = []
    for message in recording.messages[1:]:
        match message["role"]:
            case "user":
                asked.append(Said(user=message["content"]))
            case "tool":
                tool = message["tool_call"]["function"]
                asked.append(Said(tool=tool, text=_words(message), is_error=message["error"] is not None))
            case _:
                calls.append(Exchange(Answer(tuple(_spoken(message, ids))), tuple(asked)))
                asked = []
    return Conversation(recording.id, tuple(calls), model=recording.model, system=recording.system)


def _recording(row: Any) -> Recording:
    return Recording(
        model=row["pipeline_name"],
        suite=row["suite_name"],
        task=row["user_task_id"],
        injection=row["injection_task_id"],
        messages=row["messages"],
        utility=row["utility"],
        security=row["security"],
    )


def _words(message: Mapping[str, Any]) -> str:
    """What the model was shown of a tool's result: its error, where there was one."""
    return _NOW.sub(ANYTHING, message["error"] or message["content"])


def _spoken(message: Mapping[str, Any], ids: set[str]) -> Iterator[Spoken]:
    if message["content"]:
        yield Text(message["content"])
    for call in message["tool_calls"] or ():
        id_, number = call["id"], 2
        while id_ in ids:
            id_, number = f"{call['id']}-{number}", number + 1
        ids.add(id_)
        yield Call(id_, call["function"], call["args"])
