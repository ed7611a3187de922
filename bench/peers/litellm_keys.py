"""What LiteLLM's proxy is given in place of its database: keys that say themselves what they may spend.

Loaded by the proxy, from the folder of its configuration. `authorized` is its documented hook for own authentication;
what follows a key's budget (the check, the reservation, the counters) is its own code, unchanged. `charging` is the
callback that the proxy registers itself where it has a database: without it nothing would ever be booked.
"""

import hashlib

from fastapi import Request
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.hooks.proxy_track_cost_callback import ProxyDBLogger

charging = ProxyDBLogger()


async def authorized(request: Request, api_key: str) -> UserAPIKeyAuth:
    """`sk-key-NAME-LIMIT`: a key of its own. `sk-session-NAME-LIMIT`: an agent whose sessions have the limit."""
    _, kind, _, limit = api_key.split("-")
    if kind == "session":
        return UserAPIKeyAuth(api_key=api_key, agent_id=hashlib.sha256(f"limit-{limit}".encode()).hexdigest())
    return UserAPIKeyAuth(api_key=api_key, max_budget=int(limit) / 1e6)
