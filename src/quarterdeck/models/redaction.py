"""Secrets leave a text before anybody else sees it: a provider's key in its own error, a token in a recorded answer."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

MARK = "[secret removed]"
"""Stands where a secret stood. A replay takes it for any text."""

_SHORTEST = 8
# Shapes of credentials that are secrets whoever they belong to.
_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}                     # OpenAI, Anthropic, Stripe and their imitators
    | \bqd_[A-Za-z0-9]+_[A-Za-z0-9_-]{20,}                  # our own keys
    | \bAIza[0-9A-Za-z_-]{30,}                              # Google
    | \bgh[pousr]_[A-Za-z0-9]{30,} | \bgithub_pat_\w{30,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                      # Slack
    | \bA(?:KIA|SIA)[0-9A-Z]{16}\b
    | \bwhsec_[A-Za-z0-9+/=]{16,}
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY-----
    | (?<=[Bb]earer[ ])[A-Za-z0-9._~+/-]{16,}=*
    """,
    re.VERBOSE | re.DOTALL,
)


class Redactor:
    """Removes known secrets, as they are, in base64 and in URL form, from eight characters up."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        # The longest first: one secret may begin with another.
        self._known = re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)) or r"(?!)")

    def known(self, text: str) -> str:
        """The text without the secrets that this redactor was given."""
        return self._known.sub(MARK, text)

    def all(self, text: str) -> str:
        """The text without these secrets and without anything that has the shape of a credential."""
        return _SHAPES.sub(MARK, self._known.sub(MARK, text))


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    # Inside a longer base64 text the secret may begin at any of three offsets; only what does not depend on its
    # neighbours is looked for.
    inner = {base64.b64encode(b"\0" * shift + raw)[(shift * 8 + 5) // 6 : -4].decode() for shift in range(3)}
    url_safe = {form.replace("+", "-").replace("/", "_") for form in inner}
    return {form for form in {secret, quote(secret, safe=""), *inner, *url_safe} if len(form) >= _SHORTEST}
