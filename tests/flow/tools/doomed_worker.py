"""A process that starts a tool host, says where it is, and waits to be killed."""

import asyncio
import json
import sys
from pathlib import Path

from tests.toolbox import Code, a_request, tools_for

CODE = Code('''
    import os, subprocess, time

    @tool(effect="read")
    def settle(context: Context) -> list:
        """Start something that wants to stay."""
        child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
        return [os.getpid(), child.pid, str(context.scratch)]

    @tool(effect="write", timeout=3600)
    def work() -> str:
        """Be busy, and hold on to the interpreter."""
        while True:
            sum(range(10_000_000))
''')


async def main() -> None:
    async with tools_for(Path(sys.argv[1]), CODE) as tools:
        outcome = await tools.perform(a_request(CODE.release, "settle"))
        print(*json.loads(outcome.content[0].text), flush=True)
        await tools.perform(a_request(CODE.release, "work"))


if __name__ == "__main__":
    asyncio.run(main())
