"""One URL is enough to configure: those of qd_app and qd_system follow from the owner's and from the master secret."""

from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from quarterdeck.core.settings import SHORTEST_SECRET, Settings
from quarterdeck.db.faults import BadUrl, SecretMissing
from quarterdeck.db.records import Urls

APP, SYSTEM, OWNER = "qd_app", "qd_system", "qd_owner"


def urls_of(settings: Settings, *, owner: str = "") -> Urls:
    """The URLs of a deployment. `owner` stands in for `database_url` where the embedded server gives it.

    Raises BadUrl, or SecretMissing when a password has to be derived and there is no secret to derive it from.
    """
    owner = owner or settings.database_url
    app = settings.app_url or as_role(owner, APP, password_of(settings, APP))
    system = settings.system_url or as_role(owner, SYSTEM, password_of(settings, SYSTEM))
    listen = settings.listen_url or app
    if _parts(listen).username is None:
        listen = as_role(listen, APP, password_of(settings, APP))
    return Urls(owner=owner, app=app, system=system, listen=listen)


def password_of(settings: Settings, role: str) -> str:
    """The derived password of a login role, in hexadecimal."""
    if len(settings.secret_key.get_secret_value()) < SHORTEST_SECRET:
        raise SecretMissing
    return settings.derive("db." + role.removeprefix("qd_")).hex()


def as_role(url: str, role: str, password: str) -> str:
    """The same server and database with another login. Query options such as sslmode are kept."""
    parts = _parts(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password, safe='')}@{host}"))


def with_database(url: str, database: str) -> str:
    """The same server and login with another database."""
    return urlunsplit(_parts(url)._replace(path="/" + quote(database, safe="")))


def redacted(url: str) -> str:
    """The URL without its password: for messages and logs."""
    parts = _parts(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=userinfo.partition(":")[0] + at + host, query=""))


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as fault:
        raise BadUrl from fault
    if parts.scheme not in {"postgres", "postgresql"}:
        raise BadUrl(scheme=parts.scheme)
    return parts
