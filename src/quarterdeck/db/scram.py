"""A SCRAM verifier made here, so that a role's password never crosses the wire or lands in the server's log."""

import base64
import hashlib
import hmac

_ITERATIONS = 4096
"""PostgreSQL's own default; these passwords are 256 random bits, which no number of iterations has to protect."""


def verifier(password: str) -> str:
    """What `ALTER ROLE ... PASSWORD` stores for a password of plain ASCII (RFC 5802 and 7677, PostgreSQL's notation).

    The same password gives the same verifier: its salt is derived, so that repeating a migration changes nothing.
    """
    salt = hashlib.sha256(b"quarterdeck role salt\x00" + password.encode("ascii")).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
