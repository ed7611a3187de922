"""A worker's pulse: how late its event loop runs and how much it holds, so that overload is seen before it hurts."""

import asyncio
import resource
import sys
from collections.abc import Callable

from quarterdeck.core import log as logs

_log = logs.get(__name__)

SAMPLE = 0.05
"""Seconds between two looks at the loop."""
EVERY = 10.0
"""Seconds between two lines in the log."""


async def beat_forever(held: Callable[[], int]) -> None:
    """Log how late the loop was (milliseconds: p50, p99, most), the runs in hand and the memory at its highest."""
    loop = asyncio.get_running_loop()
    while True:
        late: list[float] = []
        until = loop.time() + EVERY
        while (now := loop.time()) < until:
            await asyncio.sleep(SAMPLE)
            late.append((loop.time() - now - SAMPLE) * 1000)
        late.sort()
        _log.info(
            "worker.pulse",
            runs=held(),
            lag_p50_ms=round(late[len(late) // 2], 1),
            lag_p99_ms=round(late[int(len(late) * 0.99)], 1),
            lag_max_ms=round(late[-1], 1),
            memory_peak=_peak(),
        )


def _peak() -> int:
    """Bytes of memory that this process held at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
