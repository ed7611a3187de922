"""Checks that an author wrote, run where they belong: in a tool host, and behind a signed request."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from quarterdeck.core.ids import new_run_id
from quarterdeck.core.json import Json, encode
from quarterdeck.core.settings import Settings
from quarterdeck.core.signature import new_secret, verify
from quarterdeck.gates.guards import CheckFailed, Guards
from quarterdeck.guardrails.outputs import judge
from quarterdeck.guardrails.records import Subject, Verdict
from quarterdeck.net.client import Outbound
from quarterdeck.net.records import Reach
from quarterdeck.releases.records import GuardrailRule, Release
from tests.toolbox import CLOCK, Bundle, a_release, tools_for

SOURCE = b"""
import os

def no_competitors(text: str) -> object:
    found = ["competitor"] if "Umbra Corp" in text else []
    return {"found": found, "text": text.replace("Umbra Corp", "another shop")}

async def polite(text, agent="", sources=()):
    return agent == "desk" and "please" in text

def where(text):
    return str(os.getpid())

def broken(text):
    raise RuntimeError("this check is broken")

def slow(text):
    import time
    time.sleep(30)
"""


def rule(check: str, action: str, **settings: Json) -> GuardrailRule:
    return GuardrailRule(check, "output", check, action, settings)


def released(*functions: str) -> Bundle:
    files = {"checks.py": SOURCE}
    rules = tuple(rule("python", "block", function=f"checks.py:{name}", seconds=5) for name in functions)
    release = replace(a_release(files=files, servers=()), servers=(), guardrails=rules)
    return Bundle(release, files)


def said(release: Release, text: str) -> Subject:
    return Subject(release.tenant, new_run_id(), release.agent, "ann", text)


@asynccontextmanager
async def guarded(folder: Path, bundle: Bundle) -> AsyncGenerator[Guards]:
    async with tools_for(folder, bundle) as tools, Outbound(Reach(allow_private=True)) as outbound:
        yield Guards(tools, outbound, CLOCK)


async def test_functions_of_the_release_judge_in_a_process_of_their_own(tmp_path: Path):
    bundle = released("no_competitors", "polite", "where")
    async with guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        assert ports.call is not None
        redact = rule("python", "redact", function="checks.py:no_competitors", seconds=5)
        judgement = await judge([redact], said(bundle.release, "Try Umbra Corp, please."), ports)
        assert (judgement.verdict, judgement.text) == (Verdict.REDACT, "Try another shop, please.")
        assert [(found.what, found.count) for found in judgement.findings] == [("competitor", 1)]
        polite = rule("python", "block", function="checks.py:polite", seconds=5)
        assert (await judge([polite], said(bundle.release, "Wait, please."), ports)).verdict is Verdict.ALLOW
        assert (await judge([polite], said(bundle.release, "Wait."), ports)).verdict is Verdict.DENY
        elsewhere = await ports.call("checks.py:where", {"text": ""}, 5.0)
        assert elsewhere not in {None, ""}
        assert elsewhere != str(os.getpid())


@pytest.mark.parametrize("function", ["broken", "slow", "missing"])
async def test_a_function_that_fails_blocks_unless_its_rule_says_otherwise(tmp_path: Path, function: str):
    bundle = released(function)
    async with guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        closed = rule("python", "block", function=f"checks.py:{function}", seconds=0.5)
        assert (await judge([closed], said(bundle.release, "x"), ports)).verdict is Verdict.DENY
        open_ = rule("python", "block", function=f"checks.py:{function}", seconds=0.5, fail="open")
        assert (await judge([open_], said(bundle.release, "x"), ports)).verdict is Verdict.RECORD


@asynccontextmanager
async def serving(answer: Callable[[web.Request, bytes], Awaitable[web.Response]]) -> AsyncGenerator[str]:
    async def take(request: web.Request) -> web.Response:
        return await answer(request, await request.read())

    app = web.Application()
    app.router.add_post("/judge", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/judge"
    finally:
        await runner.cleanup()


async def test_a_service_is_asked_with_a_signed_request_and_believed(tmp_path: Path):
    secret = new_secret()
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request, body: bytes) -> web.Response:
        asked.append((verify([secret], request.headers, body), request.headers["x-team"]))
        return web.Response(body=encode({"found": "tone", "advice": "Be kinder."}), content_type="application/json")

    bundle = released("polite")
    async with serving(answer) as url, guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        kind = rule("http", "retry", url=url, headers={"Webhook-Signature": secret, "x-team": "desk"})
        judgement = await judge([kind], said(bundle.release, "Go away."), ports)
    assert (judgement.verdict, judgement.reason) == (Verdict.RETRY, "Be kinder.")
    assert [team for _, team in asked] == ["desk"]


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (200, b"not json"), (200, b'{"found": 7}'), (200, b"[" * 40_000), (200, b"x" * 100_000), (302, b"")],
)
async def test_a_service_that_answers_nonsense_has_not_judged(tmp_path: Path, status: int, body: bytes):
    async def answer(_: web.Request, __: bytes) -> web.Response:
        return web.Response(status=status, body=body, headers={"location": "/elsewhere"})

    bundle = released("polite")
    async with serving(answer) as url, guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        subject = said(bundle.release, "x")
        assert (await judge([rule("http", "block", url=url)], subject, ports)).verdict is Verdict.DENY
        assert (await judge([rule("http", "block", url=url, fail="open")], subject, ports)).verdict is Verdict.RECORD


async def test_a_service_that_keeps_one_waiting_is_given_up(tmp_path: Path):
    async def answer(_: web.Request, __: bytes) -> web.Response:
        await asyncio.sleep(2)
        return web.Response()

    bundle = released("polite")
    async with serving(answer) as url, guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        slow = rule("http", "block", url=url, seconds=0.2)
        assert (await judge([slow], said(bundle.release, "x"), ports)).verdict is Verdict.DENY


async def test_a_secret_that_can_not_be_had_is_not_sent_as_its_name(tmp_path: Path):
    bundle = released("polite")
    async with guarded(tmp_path, bundle) as guards:
        ports = guards.ports(bundle.release, new_run_id(), "ann")
        assert ports.hook is not None
        with pytest.raises(CheckFailed):
            await ports.hook("http://127.0.0.1:9/", {"authorization": "Bearer secret://CHECKS"}, {}, 1.0)


async def test_a_service_inside_the_network_is_not_reached_unless_the_deployment_allows_it(tmp_path: Path):
    async def answer(_: web.Request, __: bytes) -> web.Response:
        return web.Response(body=b"null")

    bundle = released("polite")
    settings = Settings.model_validate({"data_dir": tmp_path})
    async with serving(answer) as url, tools_for(tmp_path, bundle) as tools, Outbound.of(settings) as outbound:
        ports = Guards(tools, outbound, CLOCK).ports(bundle.release, new_run_id(), "ann")
        judgement = await judge([rule("http", "block", url=url)], said(bundle.release, "x"), ports)
        assert judgement.verdict is Verdict.DENY
