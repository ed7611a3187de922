"""How a client is set up: by arguments, else by variables, checked once."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import quarterdeck
from quarterdeck.sdk.errors import NotConfigured

URL, KEY, TENANT = "QUARTERDECK_URL", "QUARTERDECK_KEY", "QUARTERDECK_TENANT"
TIMEOUT = 30.0
RETRIES = 4


@dataclass(frozen=True, slots=True)
class Options:
    """Where to, as whom, and with how much patience. `tenant` is for deployment admins, `user` for keys that may."""

    base_url: str
    key: str = field(repr=False)
    tenant: str = ""
    user: str = ""
    timeout: float = TIMEOUT
    retries: int = RETRIES
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def sent(self) -> dict[bytes, bytes]:
        """Headers of every request. A user's id goes out as UTF-8."""
        named = {
            "accept": "application/json",
            "user-agent": f"quarterdeck-sdk/{quarterdeck.__version__}",
            "quarterdeck-tenant": self.tenant,
            "quarterdeck-user": self.user,
            **{name.lower(): value for name, value in self.headers.items()},
            "authorization": f"Bearer {self.key}" if self.key else "",
        }
        return {name.encode(): value.encode() for name, value in named.items() if value}


def options(base_url: str | None, key: str | None, tenant: str | None, user: str) -> Options:
    """Options from what was given and, where nothing was, from the environment. Raises NotConfigured."""
    url = (base_url if base_url is not None else os.environ.get(URL, "")).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        said = f"{url!r} is no address of a deployment" if url else "The deployment's address is not set"
        raise NotConfigured(f"{said}: pass base_url or set {URL}, such as http://127.0.0.1:7410.")
    secret = key if key is not None else os.environ.get(KEY, "")
    if not secret.isascii() or any(character.isspace() for character in secret):
        raise NotConfigured(f"The key holds characters that no key has; check {KEY}.")
    named = tenant if tenant is not None else os.environ.get(TENANT, "")
    return Options(url, secret, named, user)


def trust(base_url: str) -> ssl.SSLContext:
    """The certificates to trust. Reading the system's takes 30 ms, which a plain http address can do without."""
    if urlsplit(base_url).scheme == "https":
        return ssl.create_default_context()
    # Trusts nobody: should anything lead to https after all, it fails instead of trusting everybody.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
