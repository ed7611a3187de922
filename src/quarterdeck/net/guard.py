"""Names become addresses once, all of them judged, and the connection goes to those very addresses.

A name that is looked up to be checked and again to be connected to can change in between (DNS rebinding); here there is
no second look-up.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from quarterdeck.core import log
from quarterdeck.net import rules
from quarterdeck.net.errors import TargetRefused
from quarterdeck.net.records import Reach, Refusal, Rule, Target

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a host, as text. Raises OSError when there are none."""

_log = log.get("quarterdeck.net")

# Look-ups of names that others chose may hang: in threads of their own they can't starve the rest of the process.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="net-resolve")


class Guard(AbstractResolver):
    """Resolves and judges for one `Reach`. As an aiohttp resolver it hands on nothing but judged addresses."""

    def __init__(self, reach: Reach, look_up: Resolve | None = None) -> None:
        self.reach = reach
        self._look_up = look_up or system_look_up

    def admit(self, url: str) -> Target:
        """A URL's target. Raises `TargetRefused`; looks nothing up."""
        judged = rules.judge_url(url, self.reach)
        if isinstance(judged, Refusal):
            raise self.refused(judged, url=url)
        return judged

    async def addresses(self, host: str, port: int) -> Sequence[rules.Address]:
        """Every address of `host`. Raises `TargetRefused` if one of them may not be reached, OSError if it has none."""
        found = [rules.literal(text) for text in await self._look_up(host, port)]
        addresses = [address for address in found if address is not None]
        if not addresses or len(addresses) != len(found):
            raise socket.gaierror(socket.EAI_NONAME, "no usable address")
        for address in addresses:
            refusal = rules.judge_target_address(address, host, port, self.reach)
            if refusal is not None:
                raise self.refused(refusal, host=host, port=port, address=str(address))
        return addresses

    def refused(self, refusal: Refusal, **seen: str | int) -> TargetRefused:
        """The error for a tenant, and the line with all that was seen for the deployment's admins.

        Where a name led inside, the tenant is told just that: neither the address nor the kind of network it is in.
        """
        _log.warning("net.target_refused", rule=refusal.rule.value, **seen)
        rule = Rule.NOT_PUBLIC if "address" in seen else refusal.rule
        return TargetRefused(refusal.why, rule=rule.value)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # aiohttp names it; both families are judged
    ) -> list[ResolveResult]:
        """What aiohttp asks once a connection: the answer is what it connects to."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if isinstance(address, ipaddress.IPv6Address) else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self.addresses(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held open."""


async def system_look_up(host: str, port: int) -> Sequence[str]:
    """All addresses that the system's resolver has for a host."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _getaddrinfo, host, port)


def _getaddrinfo(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in found]
