"""A process that starts a tool host, says where it is, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from quarterdeck.core import log
from quarterdeck.tools.host.processes import descendants
from tests.toolbox import Code, a_request, tools_for

CODE = Code('''
    import os, subprocess, time

    @tool(effect="read")
    def settle(context: Context) -> str:
        """Start something that wants to stay."""
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
        return str(context.scratch)

    @tool(effect="write", timeout=3600)
    def work() -> str:
        """Be busy, and hold on to the interpreter."""
        while True:
            sum(range(10_000_000))
''')


async def main() -> None:
    log.configure("critical", json=True)
    async with tools_for(Path(sys.argv[1]), CODE) as tools:
        outcome = await tools.perform(a_request(CODE.release, "settle"))
        host = tools.statistics().hosts[0].pid
        print(host, *descendants(host), outcome.content[0].text, flush=True)
        await tools.perform(a_request(CODE.release, "work"))


if __name__ == "__main__":
    asyncio.run(main())
