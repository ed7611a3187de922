"""What is done with a tenant's policies, in the caller's transaction; who may do it is asked at the border."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quarterdeck.audit import store as audit
from quarterdeck.audit.records import Entry
from quarterdeck.core import log as logs
from quarterdeck.core.ids import TenantId
from quarterdeck.core.json import JsonObject
from quarterdeck.db.records import Tx
from quarterdeck.db.wakes import POLICIES, Wakes
from quarterdeck.policies import store
from quarterdeck.policies.book import digest_of
from quarterdeck.policies.engine import PolicySet
from quarterdeck.policies.narrowing import examine
from quarterdeck.policies.ports import Inspected, Past, Shelf
from quarterdeck.policies.records import PolicyRequest, PolicyText, PolicyVerdict
from quarterdeck.policies.sayings import differences
from quarterdeck.policies.statements import Statement
from quarterdeck.policies.tenant import (
    MAX_NAMES,
    PolicyChanged,
    PolicyInvalid,
    PolicyMissing,
    TenantPolicy,
    TooManyPolicies,
)
from quarterdeck.spec.findings import Finding

Guard = Callable[[TenantPolicy | None], None]
"""Is shown what is in force, inside the transaction that changes it, and may refuse: If-Match is asked here."""

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What setting a policy came to. `warnings` hinder nothing; `changes` say in words what is different now."""

    policy: TenantPolicy
    created: bool
    changes: tuple[str, ...]
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """What policies say of a call, and why. `context` is what they could see of it, `asked` those that were asked about
    the tool, `effective` the digest of the tenant's policies.
    """

    request: PolicyRequest
    verdict: PolicyVerdict
    release: Inspected
    context: JsonObject
    asked: tuple[Statement, ...]
    effective: str


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of tenants, as one process reaches them."""

    wakes: Wakes
    shelf: Shelf
    past: Past

    async def find(self, tx: Tx, tenant: TenantId, name: str) -> TenantPolicy:
        """The policy that is in force under a name. Raises PolicyMissing."""
        return _found(await store.newest(tx, tenant, name), name)

    async def version(self, tx: Tx, tenant: TenantId, name: str, number: int) -> TenantPolicy:
        """A version of a policy, in force or not. Raises PolicyMissing."""
        found = await store.version(tx, tenant, name, number)
        if found is None:
            raise PolicyMissing(name=name, version=number)
        return found

    async def set(self, tx: Tx, tenant: TenantId, wanted: PolicyText, why: str, by: str, guard: Guard) -> Kept:
        """Put a policy in force under its name. The same text again changes nothing and makes no version.

        Raises PolicyInvalid with every fault, TooManyPolicies, PolicyChanged where somebody was quicker.
        """
        newest = await store.newest(tx, tenant, wanted.name)
        present = _in_force(newest)
        guard(present)
        findings = await self.require_sound(tx, tenant, wanted)
        if present is not None and present.text == wanted.text:
            return Kept(present, created=False, changes=(), warnings=findings)
        if present is None and len(await store.in_force(tx, tenant)) >= MAX_NAMES:
            raise TooManyPolicies(most=MAX_NAMES)
        number = newest.version + 1 if newest else 1
        added = await store.add(tx, tenant, wanted.name, number, wanted.text, why, by)
        if added is None:
            raise PolicyChanged(name=wanted.name)
        await self._tell(tx, tenant, added, present)
        changes = differences(present.text if present and present.text else "", wanted.text)
        return Kept(added, created=present is None, changes=changes, warnings=findings)

    async def remove(self, tx: Tx, tenant: TenantId, name: str, why: str, by: str, guard: Guard) -> None:
        """Put a policy out of force; its history stays. Raises PolicyMissing, PolicyChanged."""
        present = await self.find(tx, tenant, name)
        guard(present)
        added = await store.add(tx, tenant, name, present.version + 1, None, why, by)
        if added is None:
            raise PolicyChanged(name=name)
        await self._tell(tx, tenant, added, present)

    async def check(
        self, tx: Tx, tenant: TenantId, wanted: PolicyText, release: Inspected | None = None
    ) -> tuple[Finding, ...]:
        """What is wrong with a text as a tenant's policy, under one release or under all that new runs take."""
        releases = await self.shelf.current(tx, tenant, None) if release is None else [release]
        return await asyncio.to_thread(examine, wanted, releases)

    async def require_sound(self, tx: Tx, tenant: TenantId, wanted: PolicyText) -> tuple[Finding, ...]:
        """The warnings about a text that may be put in force. Raises PolicyInvalid with every fault."""
        findings = await self.check(tx, tenant, wanted)
        if any(not finding.warning for finding in findings):
            raise PolicyInvalid(findings)
        return findings

    async def texts(self, tx: Tx, tenant: TenantId) -> tuple[PolicyText, ...]:
        """What is in force in a tenant, by name."""
        return tuple(PolicyText(each.name, each.text or "") for each in await store.in_force(tx, tenant))

    async def explain(
        self, tx: Tx, tenant: TenantId, name: str, ask: Callable[[Inspected], PolicyRequest]
    ) -> Explained:
        """What policies say of a call that nobody makes. `ask` puts the question once the release is known.

        `name` is an agent, `agent@version` or an id. Raises NotFound of some kind.
        """
        release = await self.shelf.find(tx, tenant, name)
        texts = await self.texts(tx, tenant)
        request = ask(release)
        policies = await asyncio.to_thread(PolicySet.of, release, texts)
        return Explained(
            request=request,
            verdict=policies.judge(request),
            release=release,
            context=policies.context(request),
            asked=policies.about(request.tool),
            effective=digest_of(texts) if texts else "",
        )

    async def compare(self, tx: Tx, tenant: TenantId, name: str, old: int | None, new: int | None) -> tuple[str, ...]:
        """What two versions of a policy say differently, in words. None = the newest, and the one before `new`."""
        after = await store.newest(tx, tenant, name) if new is None else await self.version(tx, tenant, name, new)
        if after is None:
            raise PolicyMissing(name=name)
        number = after.version - 1 if old is None else old
        before = None if number < 1 else await self.version(tx, tenant, name, number)
        return differences((before.text if before else None) or "", after.text or "")

    async def _tell(self, tx: Tx, tenant: TenantId, added: TenantPolicy, before: TenantPolicy | None) -> None:
        """Write the change down and wake every process that keeps policies in memory."""
        kind = "policy.removed" if added.text is None else "policy.set"
        entry = Entry(
            tenant=tenant,
            kind=kind,
            actor=added.set_by,
            action=kind.partition(".")[2],
            target=f"policy:{added.name}",
            status="done",
            inputs={
                "why": added.why,
                "version": added.version,
                "text": added.text,
                "before": before.version if before else None,
            },
            effective=added.digest,
        )
        await audit.write(tx, [entry])
        tx.after_commit(lambda: self.wakes.send(POLICIES, str(tenant), key=str(tenant)))
        _log.info(kind, policy=added.name, version=added.version, by=added.set_by, why=added.why)


def _in_force(policy: TenantPolicy | None) -> TenantPolicy | None:
    return policy if policy is not None and policy.text is not None else None


def _found(policy: TenantPolicy | None, name: str) -> TenantPolicy:
    found = _in_force(policy)
    if found is None:
        raise PolicyMissing(name=name)
    return found
