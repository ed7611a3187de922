"""An agent's own functions, called in a tool host."""

import asyncio
import os
import time

import pytest

from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.runs.messages import Text
from quarterdeck.tools.records import Answered, Failed, Unknown
from tests.flow.tools.conftest import marked_processes
from tests.toolbox import Code, a_request, tools_for


def text(outcome) -> str:
    assert isinstance(outcome, Answered), outcome
    assert isinstance(outcome.content[0], Text)
    return outcome.content[0].text


def failed(outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    return outcome.code


SIMPLE = Code('''
    import os, asyncio, contextvars
    mine = contextvars.ContextVar("mine", default="nothing")

    @tool(effect="read")
    def add(a: int, b: int) -> dict:
        """Add."""
        return {"sum": a + b, "host": os.environ["QUARTERDECK_HOST"]}

    @tool(effect="read")
    async def later(seconds: float, context: Context) -> str:
        """Say who asks, late."""
        mine.set(context.run)
        await asyncio.sleep(seconds)
        return f"{context.run} {mine.get()} {Context.current().run}"

    @tool(effect="read")
    def soon(seconds: float, context: Context) -> str:
        """The same, in a thread."""
        import time
        before = mine.get()
        mine.set(context.run)
        time.sleep(seconds)
        return f"{context.run} {before} {Context.current().run}"

    @tool(effect="read")
    def who(context: Context) -> dict:
        """Everything that the context says."""
        return {"user": context.user, "key": context.key, "call": context.call, "tenant": context.tenant}

    @tool(effect="read")
    def wrong() -> str:
        """Raise."""
        raise ToolError("there is no such order; try another number")

    @tool(effect="read")
    def busy() -> str:
        """Ask to come later."""
        raise TryLater("too many requests", 2.0)
''')


async def test_functions_run_in_one_process_of_their_own(tmp_path):
    async with tools_for(tmp_path, SIMPLE) as tools:
        one, two = [await tools.perform(a_request(SIMPLE.release, "add", a=1, b=n)) for n in (2, 3)]
        assert [one.structured["sum"], two.structured["sum"]] == [3, 4]
        assert one.structured["host"] == two.structured["host"]
        assert tools.statistics().hosts[0].pid != os.getpid()
        assert tools.statistics().started == 1


async def test_a_call_knows_whom_it_is_for(tmp_path):
    async with tools_for(tmp_path, SIMPLE) as tools:
        outcome = await tools.perform(a_request(SIMPLE.release, "who"))
        tenant = str(SIMPLE.release.tenant)
        assert outcome.structured == {"user": "erika", "key": "qd_key", "call": "call-1", "tenant": tenant}


@pytest.mark.parametrize("name", ["later", "soon"])
async def test_calls_side_by_side_never_see_each_others_context(tmp_path, name):
    async with tools_for(tmp_path, SIMPLE) as tools:
        requests = [a_request(SIMPLE.release, name, seconds=0.05) for _ in range(40)]
        began = time.monotonic()
        outcomes = await asyncio.gather(*(tools.perform(request) for request in requests))
        assert time.monotonic() - began < 5
        for request, outcome in zip(requests, outcomes, strict=True):
            run = str(request.run)
            assert text(outcome) == (f"{run} {run} {run}" if name == "later" else f"{run} nothing {run}")


async def test_the_tools_own_words_are_the_answer(tmp_path):
    async with tools_for(tmp_path, SIMPLE) as tools:
        outcome = await tools.perform(a_request(SIMPLE.release, "wrong"))
        assert text(outcome) == "there is no such order; try another number"
        assert outcome.is_error


async def test_a_tool_that_asks_to_come_later_has_failed_and_may_be_tried_again(tmp_path):
    async with tools_for(tmp_path, SIMPLE) as tools:
        outcome = await tools.perform(a_request(SIMPLE.release, "busy"))
        assert failed(outcome) == "rate_limited"
        assert (outcome.retryable, outcome.retry_after) == (True, 2.0)


async def test_two_tenants_never_share_a_host(tmp_path):
    source = '''
        import os
        @tool(effect="read")
        def host() -> str:
            """The process: in a sandbox its number says nothing."""
            return os.environ["QUARTERDECK_HOST"]
    '''
    mine, theirs = Code(source), Code(source, tenant=TenantId(uuid7()))
    assert mine.release.id == theirs.release.id
    async with tools_for(tmp_path, mine) as tools:
        hosts = [text(await tools.perform(a_request(code.release, "host"))) for code in (mine, theirs, mine)]
        assert hosts[0] == hosts[2] != hosts[1]


async def test_a_host_that_nobody_needs_ends_and_starts_again_on_demand(tmp_path):
    async with tools_for(tmp_path, SIMPLE, tool_host_idle=1.0) as tools:
        first = (await tools.perform(a_request(SIMPLE.release, "add", a=1, b=1))).structured["host"]
        async with asyncio.timeout(20):
            while not tools.statistics().ended or marked_processes():
                await asyncio.sleep(0.1)
        assert tools.statistics().ended == {"idle": 1}
        second = (await tools.perform(a_request(SIMPLE.release, "add", a=1, b=1))).structured["host"]
        assert first != second


async def test_a_module_that_can_not_be_loaded_fails_its_calls_with_the_reason(tmp_path):
    source = '''
        @tool(effect="write")
        def act() -> str:
            """Act."""
            return ""
    '''
    code = Code(source, files={"tools.py": b"import a_module_that_is_not_there\n"})
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(a_request(code.release, "act"))
        assert failed(outcome) == "host_failed"
        assert "a_module_that_is_not_there" in outcome.message
        assert not outcome.retryable


async def test_a_file_that_is_not_the_manifests_is_never_run(tmp_path):
    code = Code('''
        @tool(effect="read")
        def act() -> str:
            """Act."""
            return "ran"
    ''')
    code.files["tools.py"] += b"# changed\n"
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(a_request(code.release, "act"))
        assert failed(outcome) == "host_failed"
        assert "is not the one that its manifest names" in outcome.message


async def test_a_tool_whose_schema_is_not_the_pinned_one_is_refused(tmp_path):
    code = Code(
        '''
        @tool(effect="write")
        def act(amount: int) -> str:
            """Act."""
            return "ran"
    ''',
        parameters={"type": "object"},
    )
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(a_request(code.release, "act", amount=1))
        assert failed(outcome) == "schema_changed"


async def test_a_tool_with_a_bound_is_never_called_more_often_side_by_side(tmp_path):
    code = Code(
        '''
        import threading, time
        now, most, lock = 0, 0, threading.Lock()

        @tool(effect="read")
        def act() -> int:
            """How many at most."""
            global now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1
            return most
    ''',
        max_concurrency=3,
    )
    async with tools_for(tmp_path, code) as tools:
        outcomes = await asyncio.gather(*(tools.perform(a_request(code.release, "act")) for _ in range(12)))
        assert max(int(text(outcome)) for outcome in outcomes) == 3


async def test_a_call_that_comes_too_late_is_never_sent(tmp_path):
    async with tools_for(tmp_path, SIMPLE) as tools:
        await tools.perform(a_request(SIMPLE.release, "who"))
        outcome = await tools.perform(a_request(SIMPLE.release, "who", within=-0.001))
        assert failed(outcome) == "too_late"
        assert tools.statistics().hosts[0].calls == 1


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_call_that_a_frozen_host_reads_too_late_does_not_begin(tmp_path, kind):
    mark = tmp_path / "effects"
    code = Code(f'''
        @tool(effect="payment")
        {kind} pay(where: str) -> str:
            """Pay."""
            open(where, "a").write("paid")
            return "paid"
    ''')
    async with tools_for(tmp_path, code, tool_host_uid=0) as tools:
        assert text(await tools.perform(a_request(code.release, "pay", where=str(tmp_path / "first")))) == "paid"
        pid = tools.statistics().hosts[0].pid
        os.kill(pid, 19)
        paying = asyncio.create_task(tools.perform(a_request(code.release, "pay", within=0.3, where=str(mark))))
        await asyncio.sleep(0.6)
        os.kill(pid, 18)
        assert failed(await paying) == "too_late"
        assert not mark.exists()


async def test_progress_is_told(tmp_path):
    code = Code('''
        @tool(effect="read")
        def act(context: Context) -> str:
            """Act."""
            context.progress(1, 2, "half")
            context.progress(2, 2, "whole")
            return "done"
    ''')
    told = []
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(a_request(code.release, "act"), None, lambda *what: told.append(what))
        assert text(outcome) == "done"
    assert told == [(1, 2, "half"), (2, 2, "whole")]


async def test_what_a_write_returned_is_unknown_when_its_process_died(tmp_path):
    code = Code('''
        import os

        @tool(effect="write")
        def write() -> str:
            """Die."""
            os._exit(3)

        @tool(effect="read")
        def read() -> str:
            """Die."""
            os._exit(3)
    ''')
    async with tools_for(tmp_path, code) as tools:
        assert isinstance(await tools.perform(a_request(code.release, "write")), Unknown)
        outcome = await tools.perform(a_request(code.release, "read"))
        assert failed(outcome) == "crashed"
        assert outcome.retryable


async def test_files_of_a_release_are_importable_and_their_names_hide_no_standard_module(tmp_path):
    source = '''
        @tool(effect="read")
        def act() -> dict:
            """Act."""
            import email
            import words_of_a_test
            return {"own": words_of_a_test.WORD, "email": email.__file__}
    '''
    code = Code(source, files={"words_of_a_test.py": b"WORD = 'mine'\n", "email.py": b"raise RuntimeError\n"})
    async with tools_for(tmp_path, code) as tools:
        outcome = await tools.perform(a_request(code.release, "act"))
        assert outcome.structured["own"] == "mine"
        assert str(tmp_path) not in outcome.structured["email"]
