"""Every route of the API as `/openapi.json` lists it, with a body that would do if the rest of the request did."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.manifests import manifest

NEVER = "forbid(principal, action, resource);"
BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/v1/runs"): {"agent": "clerk", "input": "hello"},
    ("POST", "/v1/runs/{run_id}/outcome"): {"call": "call_1_0", "outcome": "happened"},
    ("POST", "/v1/threads"): {"agent": "clerk"},
    ("POST", "/v1/threads/{thread_id}/runs"): {"input": "hello"},
    ("POST", "/v1/agents"): {"manifest": manifest()},
    ("PATCH", "/v1/agents/{name}"): {"disabled": True},
    ("POST", "/v1/sessions"): {"key": "qd_nobody_nothing"},
    ("POST", "/v1/tenants"): {"slug": "founded-by-nobody"},
    ("PATCH", "/v1/tenants/{slug}"): {"disabled": True},
    ("POST", "/v1/keys"): {"name": "made by nobody", "roles": ["owner"]},
    ("POST", "/v1/providers"): {"name": "made-by-nobody", "kind": "openai", "key": "sk-nothing"},
    ("PATCH", "/v1/providers/{name}"): {"options": {}},
    ("PUT", "/v1/secrets/{name}"): {"description": "said by nobody"},
    ("POST", "/v1/approvals/batch"): {"ids": ["0198f0c2-0000-7000-8000-000000000000"], "verdict": "deny", "why": "no"},
    ("POST", "/v1/approvals/{approval_id}/approve"): {},
    ("POST", "/v1/approvals/{approval_id}/deny"): {"why": "said by nobody"},
    ("POST", "/v1/approvals/{approval_id}/link"): {"verdict": "approve"},
    ("POST", "/v1/escalations/{escalation_id}/close"): {"note": "said by nobody"},
    ("PUT", "/v1/autonomy/{agent}/{tool}"): {"level": "suggest", "why": "said by nobody"},
    ("PUT", "/v1/rates/{name}"): {"scope": "tool", "calls": 1, "every": 60},
    ("PUT", "/v1/budgets/{name}"): {"scope": "tenant", "max_budget": 1, "budget_duration": "1d"},
    ("POST", "/v1/budgets/suggest"): {"scope": "tenant"},
    ("POST", "/v1/switches"): {"scope": "tool", "target": "pay", "action": "disable", "why": "said by nobody"},
    ("POST", "/v1/switches/preview"): {"scope": "tool", "target": "pay", "action": "disable"},
    ("POST", "/v1/policies/explain"): {"agent": "clerk", "tool": "pay"},
    ("POST", "/v1/policies/simulate"): {"name": "made-by-nobody", "text": NEVER},
    ("POST", "/v1/policies/check"): {"text": NEVER},
    ("PUT", "/v1/policies/{name}"): {"text": NEVER, "why": "said by nobody"},
    ("POST", "/v1/usage/reconcile"): {"providers": ["openai"], "days": [{"date": "2026-11-03", "model": "gpt"}]},
    ("POST", "/v1/audit/{row_id}/erase"): {"why": "said by nobody"},
    ("POST", "/v1/webhooks"): {"url": "https://1.1.1.1/hook"},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"enabled": False},
}
"""A route that takes a body and stands neither here nor below needs one: that is found out by the walk."""

PUBLIC = frozenset({("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/v1/sessions")})
"""What may be asked without saying who one is. Signing in is where one says it."""

NAMED = frozenset({("PUT", "/v1/policies/{name}"), ("PUT", "/v1/rates/{name}"), ("PUT", "/v1/budgets/{name}")})
"""What makes the thing that it names: names are a tenant's own, so that another's name is free."""

OF_ADMINS = ("/v1/tenants", "/v1/providers", "/v1/workers", "/metrics")
"""What belongs to the deployment and not to a tenant, by the beginning of its path."""


@dataclass(frozen=True)
class Route:
    """One operation. `places` are the names of what has to be filled into its path; `query` of what it asks for."""

    method: str
    path: str
    places: tuple[str, ...]
    query: tuple[str, ...]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def of_admins(self) -> bool:
        return self.path.startswith(OF_ADMINS)

    @property
    def by_link(self) -> bool:
        """Whether the right to it is in its address: who else asks does not matter."""
        return self.path.endswith("/link")

    @property
    def makes_its_own(self) -> bool:
        return (self.method, self.path) in NAMED

    def send(self, client: httpx.Client, ids: Mapping[str, str], **more: Any) -> httpx.Response:
        """Ask it, with these ids in its path and query."""
        query = {name: ids[name] for name in self.query}
        return client.request(self.method, self.path.format(**ids), params=query, json=self.body, **more)


def routes(client: httpx.Client) -> Iterator[Route]:
    """All of them."""
    document = json.loads(client.get("/openapi.json").text)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            asked = operation.get("parameters", [])
            places = tuple(one["name"] for one in asked if one["in"] == "path")
            query = tuple(one["name"] for one in asked if one["in"] == "query" and one.get("required"))
            body = BODIES.get((method.upper(), path))
            taken = operation.get("requestBody", {})
            assert body is not None or not taken.get("required"), f"{method} {path} needs a body in BODIES"
            yield Route(method.upper(), path, places, query, {} if body is None and taken else body)
