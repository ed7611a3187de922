"""`/v1/policies`: a tenant's own policies, each version with its reason, and what releases bring."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from quarterdeck.core.errors import NotFound
from quarterdeck.core.ids import TenantId
from quarterdeck.core.text import is_storable
from quarterdeck.db.pool import Database, Transaction
from quarterdeck.db.records import Tx
from quarterdeck.http.actor import Actor, ActorDep, Role
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.etags import check_if_match, etag_of
from quarterdeck.http.fixes import invalid
from quarterdeck.http.pages import DEFAULT_LIMIT, CursorQuery, LimitQuery, page, read_cursor
from quarterdeck.http.parts import PartsDep
from quarterdeck.http.segments import keep_apart
from quarterdeck.policies import store
from quarterdeck.policies.base import base
from quarterdeck.policies.bodies import (
    DifferenceRecord,
    FindingsRecord,
    KeptRecord,
    PolicyPage,
    PolicyRecord,
    PolicyTrial,
    PolicyWish,
    ReleasePoliciesRecord,
    Why,
    show_findings,
    show_policy,
    show_text,
)
from quarterdeck.policies.ports import Inspected
from quarterdeck.policies.records import PolicyText
from quarterdeck.policies.schema import schema_text
from quarterdeck.policies.service import Policies
from quarterdeck.policies.tenant import PolicyMissing, TenantPolicy

router = APIRouter(prefix="/v1/policies", tags=["policies"])

keep_apart("policy", "check", "explain", "simulate", "who", "unused", "patterns", "release")
_READERS = (Role.OPERATOR, Role.DEVELOPER, Role.REVIEWER, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, in which tenant, and what the answer is made with."""

    actor: Actor
    tenant: TenantId
    database: Database
    policies: Policies

    def transaction(self) -> Transaction:
        """The tenant's transaction."""
        return self.database.tenant(self.tenant)


async def _desk(request: Request, actor: ActorDep, parts: PartsDep) -> Desk:
    actor.require(*_READERS)
    return Desk(actor, actor.in_tenant(), parts.database, cast("Policies", request.app.state.policies))


async def _owners_desk(desk: Annotated[Desk, Depends(_desk)]) -> Desk:
    desk.actor.require()
    return desk


ReaderDep = Annotated[Desk, Depends(_desk)]
OwnerDep = Annotated[Desk, Depends(_owners_desk)]
NamePath = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", examples=["no-refunds-on-sundays"])]
VersionQuery = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.get("", response_model=PolicyPage)
async def list_policies(desk: ReaderDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None) -> Response:
    """The tenant's policies in force, by name."""
    after = read_cursor(cursor, str) or ""
    async with desk.transaction() as tx:
        rows = await store.in_force(tx, desk.tenant, after, limit + 1)
    return page(rows, limit, lambda row: row.name, lambda row: show_policy(row, etag_of_policy(row)))


@router.get("/release/{release}", response_model=ReleasePoliciesRecord)
async def print_release_policies(
    release: Annotated[str, Path(max_length=200, description="An agent, `agent@version` or an id.")], desk: ReaderDep
) -> Answer:
    """A release's policies as they are judged: what its short forms compile to, its files, and the schema."""
    async with desk.transaction() as tx:
        found = await _found(tx, desk, release)
    texts = [show_text(text) for text in (base(), *found.policies)]
    return Answer({"release": found.id, "agent": found.agent, "schema": schema_text(found), "texts": texts})


@router.post("/check", response_model=FindingsRecord)
async def check_policy(body: PolicyTrial, desk: ReaderDep) -> Answer:
    """Look a text through as a tenant's policy; nothing is kept."""
    wanted = PolicyText(body.name, _storable(body.text, "body.text"))
    async with desk.transaction() as tx:
        release = None if body.release is None else await _found(tx, desk, body.release)
        findings = await desk.policies.check(tx, desk.tenant, wanted, release)
    return Answer(show_findings(wanted, findings))


@router.get("/{name:policy}", response_model=PolicyRecord)
async def get_policy(name: NamePath, desk: ReaderDep, version: VersionQuery = None) -> Answer:
    """One policy with the ETag that a change needs; with `version`, as it was then."""
    async with desk.transaction() as tx:
        if version is not None:
            return Answer(show_policy(await desk.policies.version(tx, desk.tenant, name, version), None))
        found = await desk.policies.find(tx, desk.tenant, name)
    etag = etag_of_policy(found)
    return Answer(show_policy(found, etag), etag=etag)


@router.put(
    "/{name:policy}",
    response_model=KeptRecord,
    responses={201: {"model": KeptRecord, "description": "There was none of this name."}},
)
async def set_policy(request: Request, name: NamePath, body: PolicyWish, desk: OwnerDep) -> Answer:
    """Put a policy in force, at once and on every worker. Send `If-Match` to be sure of what you replace.

    It may forbid and ask; what releases grant it can't widen. The same text again changes nothing.
    """
    wanted = PolicyText(name, _storable(body.text, "body.text"))
    why = _storable(body.why, "body.why")
    async with desk.transaction() as tx:
        kept = await desk.policies.set(
            tx, desk.tenant, wanted, why, desk.actor.subject, lambda present: _guard(request, present)
        )
    etag = etag_of_policy(kept.policy)
    shown = show_policy(kept.policy, etag)
    shown |= {"changes": kept.changes, "warnings": [finding.as_json() for finding in kept.warnings]}
    location = f"/v1/policies/{name}" if kept.created else None
    return Answer(shown, 201 if kept.created else 200, location=location, etag=etag)


@router.delete("/{name:policy}", status_code=204)
async def remove_policy(
    request: Request, name: NamePath, desk: OwnerDep, why: Annotated[Why, Query(description="The reason, kept.")]
) -> Nothing:
    """Put a policy out of force. Its history stays."""
    said = _storable(why, "query.why")
    async with desk.transaction() as tx:
        await desk.policies.remove(
            tx, desk.tenant, name, said, desk.actor.subject, lambda present: _guard(request, present)
        )
    return Nothing()


@router.get("/{name:policy}/history", response_model=PolicyPage)
async def list_policy_versions(
    name: NamePath, desk: ReaderDep, limit: LimitQuery = DEFAULT_LIMIT, cursor: CursorQuery = None
) -> Response:
    """Every version of a policy, the newest first: who set it, when and why. Removals are versions without a text."""
    before = read_cursor(cursor, int)
    async with desk.transaction() as tx:
        rows = await store.history(tx, desk.tenant, name, before, limit + 1)
    if not rows and before is None:
        raise PolicyMissing(name=name)
    return page(rows, limit, lambda row: row.version, lambda row: show_policy(row, None))


@router.get("/{name:policy}/diff", response_model=DifferenceRecord)
async def compare_policy(
    name: NamePath,
    desk: ReaderDep,
    old: Annotated[VersionQuery, Query(description="A version; left out = the one before `new`.")] = None,
    new: Annotated[VersionQuery, Query(description="A version; left out = the newest.")] = None,
) -> Answer:
    """What two versions of a policy say differently, in words."""
    async with desk.transaction() as tx:
        changes = await desk.policies.compare(tx, desk.tenant, name, old, new)
    return Answer({"name": name, "changes": changes})


def etag_of_policy(policy: TenantPolicy) -> str:
    """The ETag of a policy in force."""
    return etag_of([policy.name, policy.version])


async def _found(tx: Tx, desk: Desk, name: str) -> Inspected:
    """The release of a name. Other agents than those of the key are not found."""
    found = await desk.policies.shelf.find(tx, desk.tenant, name)
    if not desk.actor.may_use(found.agent):
        raise NotFound(f"There is no release {name!r} here.")
    return found


def _guard(request: Request, present: TenantPolicy | None) -> None:
    check_if_match(request, "" if present is None else etag_of_policy(present))


def _storable(text: str, place: str) -> str:
    if not is_storable(text):
        raise invalid(place, "it holds NUL or half a surrogate pair", "send printable text")
    return text
