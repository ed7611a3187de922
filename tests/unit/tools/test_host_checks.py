"""Plain functions served as checks: each is given what it names."""

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest

from quarterdeck.tools.host.checks import PARAMETERS, checks_of
from quarterdeck.tools.host.functions import UnusableTool

TOLD = {"text": "hello", "agent": "desk", "user": "ann", "run": "1", "sources": ["a"]}


def plain(text: str) -> object:
    return len(text)


def curious(text, sources=(), *, user="", limit=3):
    return [text, list(sources), user, limit]


async def waiting(agent: str) -> str:
    return agent


def greedy(text: str, secrets: str) -> None:
    del text, secrets


def test_a_function_is_given_what_it_names_and_nothing_else():
    served = checks_of(globals(), ["plain", "curious", "waiting"])
    assert served["plain"].function(**served["plain"].bind({"told": TOLD})) == {"answer": 5}
    assert served["curious"].function(told=TOLD) == {"answer": ["hello", ["a"], "ann", 3]}
    assert asyncio.run(_awaited(served["waiting"].function(told=TOLD))) == {"answer": "desk"}
    assert [one.asynchronous for one in served.values()] == [False, False, True]
    assert all(one.parameters == PARAMETERS for one in served.values())


async def _awaited(answer: object) -> object:
    return await cast("Awaitable[object]", answer)


@pytest.mark.parametrize(
    ("name", "why"), [("missing", "no function"), ("greedy", "`secrets`"), ("TOLD", "no function")]
)
def test_what_can_not_be_served_is_refused_when_the_host_starts(name: str, why: str):
    with pytest.raises(UnusableTool, match=why):
        checks_of(globals(), [name])
