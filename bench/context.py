"""A long conversation, shown whole and shown in short: tokens sent at each of 200 steps, and what they cost.

Recorded conversations one after the other, as one run: what users, models and tools said is the recorded text, and the
run goes through the loop's own assembly. Tokens are bytes by a fixed rule, caches a model of the providers' own.
Goals: no step over its limit, tokens sent grow no more than linearly, and a worker that takes over at any step shows
the same bytes.
"""

import argparse
import asyncio
import gzip
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.recordings import read as read_dojo
from bench.stage import SHARED, save
from quarterdeck.core.json import decode, encode
from quarterdeck.loop.shortening import Shortening
from quarterdeck.loop.talk import Talk
from quarterdeck.models.prices import ANYBODYS
from quarterdeck.releases.records import ContextPolicy
from quarterdeck.runs import events as e
from quarterdeck.runs.messages import USER, Call, Label, Message, Spoken, Text, Trust, Usage, UserMessage
from tests.fakes.attempts import Life
from tests.toolbox import a_grant

STEPS = 200
BYTES_A_TOKEN = 3.6
"""Of these conversations; what providers count is near it, and no figure here depends on how near."""
SHORTEST_CACHED = 1_024
MODELS = ("gpt-4.1-2025-04-14", "claude-sonnet-4-5-20250929")
SHOWN = (10, 50, 100, 150, 200)


@dataclass(frozen=True, slots=True)
class Step:
    """What the model said, what its calls came to, and what the user said then."""

    said: tuple[Spoken, ...]
    results: tuple[tuple[str, str, bool], ...]
    user: str | None


@dataclass(frozen=True, slots=True)
class Talking:
    """Recorded conversations one after the other."""

    name: str
    system: str
    first: str
    steps: Sequence[Step]
    tools: frozenset[str]
    most: int


@dataclass
class Sent:
    """What a run has sent, step by step. `spent` is per model, in micro-USD, and what summaries cost is in it."""

    tokens: list[int] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    shortened: list[int] = field(default_factory=list)
    summaries: int = 0
    trimmed: int = 0
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))
    uncached: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODELS, 0))
    same: bool = True

    def add(self, tokens: int, cached: int, output: int) -> None:
        """One question and its answer."""
        for model in MODELS:
            written = tokens - cached if model.startswith("claude") else 0
            usage = Usage(tokens, output, cache_read=cached, cache_write=written)
            self.spent[model] += ANYBODYS.charge(model, model, usage) or 0
            self.uncached[model] += ANYBODYS.charge(model, model, Usage(tokens, output)) or 0


class Notes:
    """Summaries of the length that is asked for, made of words of what they summarise; counts what they cost."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    async def ask(self, purpose: str, system: str, messages: Sequence[Message], max_output_tokens: int) -> str | None:
        """Some of the words, as many as fit."""
        del purpose
        material = encode(messages).decode()
        asked, answered = tokens_of(len(material) + len(system)), int(max_output_tokens * 0.6)
        self._sent.summaries += 1
        self._sent.add(asked, 0, answered)
        words = material.split()
        return " ".join(random.Random(len(words)).sample(words, min(len(words), answered // 2)))


def main(arguments: Sequence[str], *, quick: bool) -> bool:
    """Measure both recordings. True: every goal was met, or there is nothing to measure here."""
    parser = argparse.ArgumentParser(prog="python -m bench context", description=__doc__)
    parser.add_argument("--steps", type=int, default=60 if quick else STEPS)
    chosen = parser.parse_args(list(arguments))
    console = Console()
    found = [talk for talk in (airline(chosen.steps), workspace(chosen.steps)) if talk is not None]
    if not found:
        console.print(f"Skipped: neither recording is there ({SHARED}).")
        return True
    figures = {talk.name: asyncio.run(_measure(talk, console)) for talk in found}
    if not quick and chosen.steps == STEPS:
        console.print(f"written to {save('context', figures)}")
    return all(one["met"] for one in figures.values())


def airline(steps: int) -> Talking | None:
    """tau-bench's airline desk: users who say much, results of some hundred bytes."""
    path = SHARED / "tau-bench-airline" / "trajectories.json.gz"
    if not path.exists():
        return None
    with gzip.open(path) as file:
        recorded: Any = decode(file.read())
    talks = [[_plain(message) for message in one["traj"]] for one in recorded]
    return _one_after_the_other("airline (tau-bench, gpt-4o)", talks, steps, 8_000)


def workspace(steps: int) -> Talking | None:
    """AgentDojo's workspace: one request each, results of several thousand bytes."""
    path = SHARED / "agentdojo-runs" / "gpt-4o-2024-05-13.jsonl.gz"
    if not path.exists():
        return None
    recorded = [one for one in read_dojo([Path(path)]) if one.suite == "workspace"]
    talks = [[_dojo(message) for message in one.messages] for one in recorded]
    return _one_after_the_other("workspace (AgentDojo, gpt-4o)", talks, steps, 16_000)


def _plain(message: Any) -> dict[str, Any]:
    calls = [
        (call["function"]["name"], _arguments(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]
    return {"role": message["role"], "text": str(message.get("content") or ""), "calls": calls}


def _dojo(message: Any) -> dict[str, Any]:
    calls = [(call["function"], call["args"]) for call in message.get("tool_calls") or ()]
    return {"role": message["role"], "text": str(message.get("content") or ""), "calls": calls}


def _arguments(text: str) -> Any:
    try:
        return decode(text)
    except ValueError:
        return {"text": text}


def _one_after_the_other(name: str, talks: Sequence[Sequence[dict[str, Any]]], wanted: int, most: int) -> Talking:
    steps = list(_steps([message for talk in talks for message in talk if message["role"] != "system"]))[:wanted]
    tools = frozenset(call.tool for step in steps for call in step.said if isinstance(call, Call))
    return Talking(name, talks[0][0]["text"], talks[0][1]["text"], steps, tools, most)


def _steps(messages: Sequence[dict[str, Any]]) -> Iterator[Step]:
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = [Call(f"c{at}-{n}", tool, arguments) for n, (tool, arguments) in enumerate(message["calls"])]
        after: list[dict[str, Any]] = []
        for following in messages[at + 1 :]:
            if following["role"] == "assistant":
                break
            after.append(following)
        told = [one["text"] for one in after if one["role"] == "tool"]
        results = tuple((call.tool, told[n] if n < len(told) else "", False) for n, call in enumerate(asked))
        users = [one["text"] for one in after if one["role"] == "user"]
        said = (Text(message["text"]), *asked) if message["text"] else tuple(asked)
        yield Step(said, results, "\n".join(users) or None)


async def _measure(talk: Talking, console: Console) -> dict[str, Any]:
    whole = await _run(talk, ContextPolicy())
    short = await _run(talk, ContextPolicy(max_tokens=talk.most))
    met = {
        "no step over its limit": max(short.tokens) <= talk.most * 1.15,
        "linear": sum(short.tokens) <= talk.most * len(talk.steps),
        "the same bytes after a take-over at any step": whole.same and short.same,
    }
    console.print(_table(talk, whole, short))
    for goal, is_met in met.items():
        console.print(f"  {'met' if is_met else 'MISSED'}: {goal}")
    return {
        "steps": len(talk.steps),
        "limit": talk.most,
        "met": all(met.values()),
        "goals": met,
        "whole": _figures(whole),
        "short": _figures(short),
        "saved_tokens": sum(whole.tokens) - sum(short.tokens),
        "saved_usd": {model: _usd(whole.spent[model] - short.spent[model]) for model in MODELS},
    }


async def _run(talk: Talking, policy: ContextPolicy) -> Sent:
    """The conversation, each question assembled as the loop does, and assembled anew as a take-over would."""
    grants = [a_grant(name, effect="read") for name in sorted(talk.tools)]
    life = Life(UserMessage((Text(talk.first),)), policy=policy, grants=grants, prompt=talk.system)
    attempt, sent = life.attempt(), Sent()
    conversation = Talk(attempt)
    making_room = Shortening(attempt, conversation, Notes(sent))
    beside = len(talk.system.encode()) + 120 * len(grants)
    before: list[Message] = []
    for number, step in enumerate(talk.steps, 1):
        if await making_room.make_room(number):
            sent.shortened.append(number)
        shown = list((await conversation.conversation()).messages)
        sent.trimmed += conversation.trimmed_tokens
        sent.same &= encode(shown) == encode((await Talk(life.attempt()).conversation()).messages)
        tokens, cached = tokens_of(beside + _bytes(shown)), _cached(beside, before, shown)
        sent.tokens.append(tokens)
        sent.cached.append(cached)
        sent.add(tokens, cached, tokens_of(_bytes_of(step.said)))
        _go_on(life, step, tokens)
        before = shown
    return sent


def _go_on(life: Life, step: Step, counted: int) -> None:
    life.answer(*step.said, tokens=counted)
    calls = [part for part in step.said if isinstance(part, Call)]
    for call, (tool, text, is_error) in zip(calls, step.results, strict=True):
        label = Label(f"tool:{tool}", Trust.UNTRUSTED)
        life.log.emit(e.ToolAnswered(call=call.id, content=(Text(text),), is_error=is_error, label=label))
    if step.user is not None:
        life.log.emit(e.MessageAdded(message=UserMessage((Text(step.user),), USER), cause="user"))


def tokens_of(size: int) -> int:
    """How many tokens so many bytes are, by the fixed rule."""
    return round(size / BYTES_A_TOKEN)


def _bytes(messages: Sequence[Message]) -> int:
    return sum(_bytes_of(message.content) for message in messages)


def _bytes_of(content: Sequence[object]) -> int:
    return sum(len(encode(part)) - 30 if not isinstance(part, Text) else len(part.text.encode()) for part in content)


def _cached(beside: int, before: Sequence[Message], shown: Sequence[Message]) -> int:
    """What a provider that was asked a moment ago has read already: the part at the beginning that is the same."""
    if not before:
        return 0
    same = 0
    for old, new in zip(before, shown, strict=False):
        if old is not new and encode(old) != encode(new):
            break
        same += _bytes_of(new.content)
    tokens = tokens_of(beside + same)
    return tokens - tokens % 128 if tokens >= SHORTEST_CACHED else 0


def _figures(sent: Sent) -> dict[str, Any]:
    return {
        "tokens_sent": sum(sent.tokens),
        "tokens_cached": sum(sent.cached),
        "most_in_a_step": max(sent.tokens),
        "at_step": {str(at): sent.tokens[at - 1] for at in SHOWN if at <= len(sent.tokens)},
        "shortened_at": sent.shortened,
        "summaries": sent.summaries,
        "trimmed_tokens": sent.trimmed,
        "usd": {model: _usd(cost) for model, cost in sent.spent.items()},
        "usd_without_provider_cache": {model: _usd(cost) for model, cost in sent.uncached.items()},
    }


def _usd(micro: int) -> float:
    return round(micro / 1_000_000, 4)


def _table(talk: Talking, whole: Sent, short: Sent) -> Table:
    table = Table(title=f"{talk.name}: {len(talk.steps)} steps, limit {talk.most:,} tokens")
    for column in ("", "shown whole", "shown in short", "less"):
        table.add_column(column, justify="left" if not column else "right")
    for at in SHOWN:
        if at <= len(whole.tokens):
            _row(table, f"tokens at step {at}", whole.tokens[at - 1], short.tokens[at - 1])
    _row(table, "tokens sent", sum(whole.tokens), sum(short.tokens))
    _row(table, "of these read from the provider's cache", sum(whole.cached), sum(short.cached))
    for model in MODELS:
        _row(table, f"USD, {model}", _usd(whole.spent[model]), _usd(short.spent[model]))
        _row(table, "  without a provider's cache", _usd(whole.uncached[model]), _usd(short.uncached[model]))
    table.add_row("times shortened (summaries)", "0", f"{len(short.shortened)} ({short.summaries})", "")
    return table


def _row(table: Table, name: str, whole: float, short: float) -> None:
    form = "{:,}" if isinstance(whole, int) else "{:.3f}"
    less = f"{(whole - short) / whole:.0%}" if whole else ""
    table.add_row(name, form.format(whole), form.format(short), less)
