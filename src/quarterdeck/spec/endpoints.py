"""Where tool servers are: addresses, headers, commands and environments that may stand in a release.

A release is kept for ever and read by everybody in its tenant, so nothing that looks like a credential may enter it:
headers name a secret of the vault instead, as `secret://NAME`.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from quarterdeck.spec import references

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token", "x-access-token"}
)
_SCHEME_WORD = 16
_SHOWN = 6
_OURS = frozenset(
    {"host", "content-length", "content-type", "accept", "connection", "transfer-encoding", "te", "upgrade"}
    | {"mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"}
)
_CREDENTIAL_VARIABLE = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$", re.IGNORECASE)
_SECRETS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{20,}|\bgh[opsu]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{20,}|\bxox[abps]-[A-Za-z0-9-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}|\bqd_\w+_[A-Za-z0-9_-]{40,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\."
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bBearer\s+[A-Za-z0-9._~+/=-]{16,}"
)
_KEPT_FOR_EVER = "a release is kept for ever and can be read by everybody in its tenant"
ONLY_OWN_CODE = "secrets are given to Python tools of your own only; a remote server gets them in its `headers`"
_NOT_HERE = (
    "a secret can't be given here: others' commands could read each other's environment and arguments. Give it to a "
    "Python tool of your own (`secrets` of the tool) or to a remote server (in `headers`)"
)


def looks_secret(text: str) -> bool:
    """Whether a text contains something of the shape of a well-known kind of credential."""
    return _SECRETS.search(text) is not None


def secrets_in(text: str) -> list[tuple[int, str]]:
    """Where a text contains such things, and how each begins: enough to find it, too little to use it.

    For whole files, where words pass by that only look so: what says that it is an example, and `Bearer` before a word.
    """
    found = [one for one in _SECRETS.finditer(text) if "EXAMPLE" not in one[0].upper()]
    real = [one for one in found if not one[0].startswith("Bearer") or re.search(r"\d", one[0])]
    return [(one.start(), one[0][:_SHOWN]) for one in real]


def url_fault(url: str) -> str | None:
    """What is wrong with a server's address, as a clause; None when it can be tried."""
    if not url.isprintable() or " " in url or len(url) > 2000:
        return "it contains spaces or control characters, or is longer than 2,000 characters"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "it can't be read as a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "it has to begin with https:// (or http://) and name a host"
    if references.SCHEME in url:
        return "a secret can't stand in an address, which is logged in many places; send it in one of the `headers`"
    if parts.username is not None or looks_secret(url):
        return f"it holds a credential, but {_KEPT_FOR_EVER}"
    return "it has a fragment (#...), which servers never see" if parts.fragment else None


def header_fault(name: str, value: str) -> str | None:
    """What is wrong with a header sent to a server, as a clause; None when nothing is."""
    if not _HEADER.fullmatch(name):
        return "it is no header name"
    if not value.isascii() or any(char < " " or char == "\x7f" for char in value):
        return "its value has control characters or others than ASCII"
    if name.lower() in _OURS:
        return "it is set by the protocol itself"
    if (fault := references.fault_in(value)) is not None:
        return fault
    literally = references.without_references(value)
    # Beside a reference stands a word such as `Bearer`; what is longer is a part of the credential itself.
    if name.lower() in _CREDENTIAL_HEADERS and (literally == value or len(literally.strip()) > _SCHEME_WORD):
        return f"it holds a credential, but {_KEPT_FOR_EVER}"
    return f"it holds a credential, but {_KEPT_FOR_EVER}" if looks_secret(literally) else None


def command_fault(command: Sequence[str]) -> str | None:
    """What is wrong with a server's command, as a clause; None when it can be tried."""
    if not command or not command[0]:
        return "it is empty"
    if any("\x00" in word for word in command):
        return "it contains a NUL character"
    whole = "\n".join(command)
    if references.SCHEME in whole:
        return _NOT_HERE
    return f"it holds a credential, but {_KEPT_FOR_EVER}" if looks_secret(whole) else None


def environment_faults(environment: Mapping[str, str]) -> Mapping[str, str]:
    """What is wrong with a command's environment, by variable."""
    faults: dict[str, str] = {}
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name) or "\x00" in value:
            faults[name] = "it is no name and value of an environment variable"
        elif references.SCHEME in value:
            faults[name] = _NOT_HERE
        elif _CREDENTIAL_VARIABLE.search(name) or looks_secret(value):
            faults[name] = f"it looks like a credential, but {_KEPT_FOR_EVER}"
    return faults
