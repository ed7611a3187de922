"""The engine bench's job on LangGraph, wired as well as it can be: its own interpreter runs it, told what to do.

One kept MCP session, one PostgreSQL pool, one AsyncPostgresSaver per concurrent run (a shared one holds one lock),
durability "sync": a checkpoint is on disk before the next step begins.
"""

import asyncio
import json
import os
import sys
import time
from itertools import count
from typing import Any

import uvloop
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.prebuilt import create_react_agent
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


class Scripted(BaseChatModel):
    """Calls `step` so many times, then answers."""

    calls: int

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> "Scripted":
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = sum(isinstance(message, ToolMessage) for message in messages)
        if done < self.calls:
            call = {"name": "step", "args": {"n": done + 1}, "id": f"call_{done}", "type": "tool_call"}
            message = AIMessage(content="", tool_calls=[call])
        else:
            message = AIMessage(content="done")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return self._generate(messages)


async def main() -> None:
    url, server, *_ = sys.argv[1:]
    concurrency = 20
    command = json.loads(server)
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool(url, min_size=4, max_size=concurrency + 2, kwargs=options, open=False)
    async with pool, stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await load_mcp_tools(session)
        await AsyncPostgresSaver(pool).setup()
        numbers = count()
        agents: dict[int, list[Any]] = {}

        async def one(agent: Any, calls: int) -> None:
            config = {"configurable": {"thread_id": f"run-{next(numbers)}"}, "recursion_limit": 2 * calls + 10}
            result = await agent.ainvoke({"messages": [("user", "do the job")]}, config, durability="sync")
            assert result["messages"][-1].content == "done"

        async def work(agent: Any, calls: int, left: list[int]) -> None:
            while left:
                left.pop()
                await one(agent, calls)

        print("ready", flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().strip():
            calls, runs = map(int, line.split())
            if calls not in agents:
                agents[calls] = [
                    create_react_agent(Scripted(calls=calls), tools, checkpointer=AsyncPostgresSaver(pool))
                    for _ in range(concurrency)
                ]
            began, left = time.perf_counter(), list(range(runs))
            await asyncio.gather(*(work(agent, calls, left) for agent in agents[calls]))
            print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
