"""`/v1/sessions`: signing in, who one is, signing out."""

from fastapi import APIRouter, Request, Response

from quarterdeck.http.actor import ActorDep
from quarterdeck.http.answers import Answer, Nothing
from quarterdeck.http.credentials import Kind, credentials_of
from quarterdeck.http.origin import check_origin
from quarterdeck.http.parts import PartsDep
from quarterdeck.tenants import bodies, rules, sessions, store_sessions
from quarterdeck.tenants.minting import hash_session
from quarterdeck.tenants.records import Change, Part
from quarterdeck.tenants.routes import authenticator_of
from quarterdeck.tenants.service import reach

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post("", status_code=201, response_model=bodies.SessionRecord)
async def sign_in(request: Request, parts: PartsDep, body: bodies.SignIn) -> Response:
    """Trade a key for a cookie that only this host gets, for 12 hours at most."""
    # Another site must not sign a browser in as somebody of its choosing.
    check_origin(request, required=False)
    secure = sessions.is_secure(request, parts)
    authenticator = authenticator_of(request)
    key = await authenticator.prove(body.key.strip())
    cookie, session = await sessions.open_session(parts, authenticator.peppers, key)
    authenticator.heard(Change(Part.SESSION, session.hash.hex()))
    answer = Answer({**bodies.show_actor(rules.actor_of(key)), "expires_at": session.expires_at}, 201)
    sessions.set_cookie(answer, cookie, secure=secure)
    return answer


@router.get("/current", response_model=bodies.ActorRecord)
async def read_current(actor: ActorDep) -> Response:
    """Who this request is from, by cookie or by key."""
    return Answer(bodies.show_actor(actor))


@router.delete("/current", status_code=204)
async def sign_out(request: Request, actor: ActorDep, parts: PartsDep) -> Response:
    """End the session that this request came with. By key there is none to end, and that is fine."""
    credentials = credentials_of(request)
    if credentials.kind is Kind.SESSION:
        authenticator = authenticator_of(request)
        digest = hash_session(authenticator.peppers, credentials.secret)
        tenant = None if actor.admin else actor.tenant
        async with reach(parts.database, tenant) as tx:
            await store_sessions.end_session(tx, tenant, digest)
            tx.after_commit(lambda: authenticator.changed(Change(Part.SESSION, digest.hex())))
    answer = Nothing()
    sessions.drop_cookies(answer)
    return answer
