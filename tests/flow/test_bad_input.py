"""Hostile and broken input over HTTP: sizes, encodings, nesting. Nothing of it breaks a process or poisons a log."""

import json
import socket
from collections.abc import Callable, Iterator

import httpx
import psutil

from tests.fakes.mcp_http import Asked as Called
from tests.fakes.mcp_http import answer, raw, well
from tests.fakes.provider import Call, Says, Sends
from tests.flow.routes import BODIES
from tests.flow.stage import Json, Stage, Tenant
from tests.flow.test_runs import by_wire

MB = 1024 * 1024


def of_the_api(stage: Stage) -> psutil.Process:
    return psutil.Process(stage.fleet.children["serve"].pid)


def test_a_body_of_50_mb_is_refused_and_never_held(stage: Stage, tenant: Tenant):
    def chunks() -> Iterator[bytes]:
        yield b'{"agent":"clerk","input":"'
        for _ in range(50):
            yield b"x" * MB
        yield b'"}'

    before = of_the_api(stage).memory_info().rss
    for content in (b"x" * (50 * MB), chunks()):
        for path in ("/v1/runs", "/v1/agents"):
            refused = tenant.client.post(path, content=content, headers={"content-type": "application/json"})
            assert (refused.status_code, refused.json()["code"]) == (413, "request.too_large"), path
            content = chunks() if not isinstance(content, bytes) else content
    assert of_the_api(stage).memory_info().rss - before < 40 * MB


def test_a_body_that_promises_more_than_it_brings_ends_and_costs_no_place(stage: Stage, tenant: Tenant):
    head = (
        f"POST /v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {tenant.key}\r\ncontent-type: application/json\r\n"
    )
    for rest in (
        b"content-length: 100\r\n\r\n{",
        b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"content-length: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", stage.fleet.settings.port)) as line:
            line.sendall(head.encode() + rest)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(10)
            said = line.recv(65536)
            assert not said or said.startswith(b"HTTP/1.1 4"), said
    assert tenant.client.get("/v1/runs").status_code == 200


def test_the_longest_input_that_is_taken_comes_through_whole(stage: Stage, tenant: Tenant):
    by_wire(tenant)
    words = "the end of a long story " + "é" * 1_500_000
    run = tenant.submit(words=words)
    assert tenant.until(run)["status"] == "succeeded"
    asked = [one.body for one in stage.outside.provider.asked if "the end of a long story" in str(one.body)[:500]]
    assert asked[0]["messages"][-1]["content"] == words
    assert tenant.client.get(f"/v1/runs/{run}/events").status_code == 200


NOT_JSON = {
    "nothing": b"",
    "cut off": b'{"agent": "clerk", "input": "he',
    "broken utf-8": b'{"agent": "clerk", "input": "\xff\xfe"}',
    "an overlong form": b'{"agent": "clerk", "input": "\xc0\xaf"}',
    "a surrogate in utf-8": b'{"agent": "clerk", "input": "\xed\xa0\x80"}',
    "a bare nul": b'{"agent": "clerk", "input": "a\x00b"}',
    "not a number": b'{"agent": "clerk", "input": {"x": NaN}}',
    "infinity": b'{"agent": "clerk", "input": {"x": [{"y": -Infinity}]}}',
    "a number that overflows": b'{"agent": "clerk", "input": {"x": 1e400}}',
    "not a number in a variable": b'{"agent": "clerk", "input": "x", "variables": {"x": NaN}}',
    "a list": b"[]",
    "null": b"null",
    "words": b"hello",
    "two values": b"{}{}",
    "deep nesting": b'{"agent": "clerk", "input": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "deep objects": b'{"agent": "clerk", "input": ' + b'{"x":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
}


def test_a_body_that_is_no_json_object_is_told_so(tenant: Tenant):
    tenant.agent({"text": "done"})
    for name, content in NOT_JSON.items():
        refused = tenant.client.post("/v1/runs", content=content, headers={"content-type": "application/json"})
        assert refused.status_code in {400, 422}, f"{name}: {refused.status_code} {refused.text}"
        assert refused.headers["content-type"] == "application/problem+json", name
    assert tenant.must(tenant.client.get("/v1/runs"))["items"] == []


ODD = {
    "nul": '"a\\u0000b"',
    "a lone high surrogate": '"a\\ud800b"',
    "a lone low surrogate": '"\\udc00"',
    "surrogates the wrong way round": '"\\udc00\\ud800"',
    "a pair": '"\\ud83d\\ude00"',
    "control characters": '"\\u0001\\u0007\\u001b[31m\\u007f"',
    "direction marks": '"\\u202eabc\\u2066"',
    "a byte order mark": '"\\ufeffhello"',
    "a non-character": '"\\uffff"',
    "sql": '"\'; DROP TABLE qd.runs; --"',
    "a template": '"{{ prompt }} ${jndi:ldap://x} {0.__class__}"',
    "a huge integer": '{"x": ' + "9" * 5_000 + "}",
    "nul in a name": '{"a\\u0000b": "\\ud800"}',
    "the same name twice": '{"x": 1, "x": 2}',
    "prototype": '{"__proto__": {"x": 1}}',
}


def test_odd_text_is_run_with_or_refused_and_never_breaks_what_reads_the_run(tenant: Tenant):
    tenant.agent({"text": "done"})
    for name, text in ODD.items():
        body = f'{{"agent": "clerk", "input": {text}, "tags": {{"odd": "yes"}}}}'.encode()
        sent = tenant.client.post("/v1/runs", content=body, headers={"content-type": "application/json"})
        if sent.status_code in {400, 422}:
            assert sent.json()["detail"], name
            continue
        assert sent.status_code == 202, f"{name}: {sent.status_code} {sent.text}"
        run = sent.json()["run_id"]
        assert tenant.until(run)["status"] == "succeeded", name
        for path in ("", "/events", "/trace", "/effects"):
            assert tenant.client.get(f"/v1/runs/{run}{path}").status_code == 200, f"{name}: {path}"
    assert tenant.client.get("/v1/runs?limit=200").status_code == 200


def leaves(value: Json, put: str) -> Iterator[Json]:
    """The value with one text in it after the other replaced."""
    if isinstance(value, str):
        yield put
    elif isinstance(value, dict):
        for name, member in value.items():
            for changed in leaves(member, put):
                yield {**value, name: changed}
        yield {**value, put: "x"}
    elif isinstance(value, list):
        for place, member in enumerate(value):
            for changed in leaves(member, put):
                yield [*value[:place], changed, *value[place + 1 :]]


def test_odd_text_in_any_member_of_any_body_is_never_a_fault_of_ours(stage: Stage, tenant: Tenant):
    tenant.agent({"text": "done"})
    ids = {"thread_id": tenant.must(tenant.client.post("/v1/threads", json={"agent": "clerk"}))["thread_id"]}
    for (method, path), body in BODIES.items():
        if "{" in path and "{thread_id}" not in path:
            continue
        for put in ("a\x00b", "\ud800", "x" * 70_000, "\u202e", "../../etc/passwd", ""):
            for changed in leaves(body, put):
                content = json.dumps(changed).encode("ascii")
                headers = {"content-type": "application/json"}
                sent = tenant.admin.request(method, path.format(**ids), content=content, headers=headers)
                assert sent.status_code < 500, f"{method} {path} {content[:300]!r}: {sent.text}"
                assert sent.is_success or sent.headers["content-type"] == "application/problem+json"


def test_odd_text_in_any_query_is_never_a_fault_of_ours(stage: Stage, tenant: Tenant):
    document = tenant.client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        if "get" not in operations or "{" in path or path == "/metrics":
            continue
        names = [one["name"] for one in operations["get"].get("parameters", []) if one["in"] == "query"]
        for name in names:
            for text in ("%00", "%ff", "%ed%a0%80", "%F0%9F%98%80", "1e999", "-1", "9" * 30, "x" * 5_000, "%25%5f%5c"):
                answer = tenant.admin.get(f"{path}?{name}={text}")
                assert answer.status_code < 500, f"{path}?{name}={text[:40]}: {answer.text}"


def test_odd_headers_are_never_a_fault_of_ours(tenant: Tenant):
    values = [b"\xff\xfe", b"x" * 9_000, b"\xed\xa0\x80", b"a\tb", b"%00", b'"', b",,,", b"-1"]
    names = [b"idempotency-key", b"quarterdeck-user", b"quarterdeck-tenant", b"if-match", b"traceparent", b"accept"]
    names += [b"x-request-id", b"origin", b"cookie", b"last-event-id", b"baggage", b"content-type", b"expect"]
    tenant.agent({"text": "done"})
    body = b'{"agent": "clerk", "input": "x", "delay_s": 3600}'
    for name in names:
        for value in values:
            headers = httpx.Headers([(name, value), (b"content-type", b"application/json")])
            sent = tenant.client.post("/v1/runs", content=body, headers=headers)
            assert sent.status_code < 500, f"{name}: {value[:20]!r}: {sent.text}"
            read = tenant.client.get("/v1/runs", headers=httpx.Headers([(name, value)]))
            assert read.status_code < 500, f"{name}: {value[:20]!r}: {read.text}"


MODELS_SAY: dict[str, Callable[[], Says | Sends]] = {
    "says-nul": lambda: Says("a\x00b \ud800 c"),
    "calls-with-nul": lambda: Says(calls=[Call("look", '{"what": "a\\u0000b\\ud800"}')]),
    "calls-without-json": lambda: Says(calls=[Call("look", '{"what": ')]),
    "calls-by-an-odd-name": lambda: Says(calls=[Call("lo\x00ok\ud800", {"what": "x"})]),
    "calls-under-an-odd-id": lambda: Says(calls=[Call("look", {"what": "x"}, id="\x00\ud800")]),
    "calls-twice-under-one-id": lambda: Says(calls=[Call("look", {"what": "x"}), Call("look", {"what": "y"})]),
    "calls-deeply": lambda: Says(calls=[Call("look", '{"what": ' + "[" * 5_000 + "]" * 5_000 + "}")]),
    "calls-with-a-flood": lambda: Says(calls=[Call("look", {"what": "x" * 400_000})]),
}


def test_whatever_a_model_says_the_run_ends_and_its_log_can_be_read(stage: Stage, tenant: Tenant):
    by_wire(tenant)
    for name, say in MODELS_SAY.items():
        turns = [say()]
        stage.outside.plans[name] = lambda _, turns=turns: turns.pop() if turns else Says("over")
    runs = {name: tenant.submit(words=name) for name in MODELS_SAY}
    for name, run in runs.items():
        record = tenant.until(run, within=60)
        assert record["status"] == "succeeded", f"{name}: {record['why']}"
        for path in ("/events?limit=1000", "/trace", "/effects"):
            assert tenant.client.get(f"/v1/runs/{run}{path}").status_code == 200, f"{name}: {path}"


BROKEN = {
    "broken-utf-8": Sends(b'{"id": "x", "choices": [{"message": {"content": "\xff\xfe\xed\xa0\x80"}}]}'),
    "no-json": Sends(b"<html>busy</html>", "text/html"),
    "nothing": Sends(b""),
    "another-shape": Sends(b'{"choices": null, "usage": "a lot"}'),
    "nested": Sends(b'{"choices": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
}


def test_a_model_that_answers_nonsense_fails_its_run_with_the_evidence(stage: Stage, tenant: Tenant):
    by_wire(tenant)
    for name, turn in BROKEN.items():
        stage.outside.plans[f"answer {name}"] = lambda _, turn=turn: turn
    runs = {name: tenant.submit(words=f"answer {name}") for name in BROKEN}
    for name, run in runs.items():
        record = tenant.until(run, "waiting_for_retry", "failed", "succeeded", within=60)
        faults = tenant.of_kind(run, "model.failed")
        assert faults, f"{name}: {record['status']} {record['result']}"
        assert all(fault["message"] for fault in faults)
        if record["status"] == "waiting_for_retry":
            tenant.must(tenant.client.post(f"/v1/runs/{run}/cancel"))


async def _as_nul(asked: Called) -> Json:
    return answer(asked, well("a\x00b \ud800 c", structuredContent={"a\x00": "\udfff"}))


TOOLS_SAY = {
    "nul": _as_nul,
    "broken utf-8": raw(b'{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "\xff\xfe"}]}}'),
    "no json": raw(b"<html>", "text/html"),
    "deep": raw(b'{"jsonrpc": "2.0", "id": 1, "result": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "another id": raw(b'{"jsonrpc": "2.0", "id": 999999, "result": {"content": []}}'),
    "a flood": raw(
        b'{"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "' + b"x" * 20_000_000
    ),
    "nothing": raw(b""),
}


def test_whatever_a_tool_answers_the_run_goes_on_and_its_log_can_be_read(stage: Stage, tenant: Tenant):
    calls = [{"call": "look", "arguments": {"what": f"answer {name}"}} for name in TOOLS_SAY]
    stage.outside.books.odd.update({f"answer {name}": reply for name, reply in TOOLS_SAY.items()})
    declared = {**tenant.books("look"), "tools": {"look": {"effect": "read", "retries": 0, "timeout": 5}}}
    tenant.agent({"calls": calls}, {"text": "done"}, tools=[declared])
    run = tenant.submit()
    assert tenant.until(run)["status"] == "succeeded"
    outcomes = [event for event in tenant.events(run) if event["kind"] in {"tool.answered", "tool.failed"}]
    assert len(outcomes) == len(TOOLS_SAY)
    assert sum(event["kind"] == "tool.answered" for event in outcomes) == 1
    for path in ("", "/trace", "/effects"):
        assert tenant.client.get(f"/v1/runs/{run}{path}").status_code == 200
    assert tenant.until(tenant.submit())["status"] == "succeeded"
