"""What can go wrong when a deployment is asked: one class for each kind of answer, with the problem's facts.

All are `QuarterdeckError`. Those that carry an answer are `Refused`: `code` names the problem, `detail` says it in a
sentence, `facts` holds whatever else the answer said.
"""

from collections.abc import Mapping

import msgspec

from quarterdeck.core.json import Json, decode_object


class QuarterdeckError(Exception):
    """Something went wrong between this program and its deployment."""

    code = "sdk.error"

    def __init__(self, detail: str, /, **facts: Json) -> None:
        self.detail = detail
        self.facts: dict[str, Json] = facts
        super().__init__(detail)


class NotConfigured(QuarterdeckError):
    """The client was told neither by argument nor by variable where the deployment is, or which key to use."""

    code = "sdk.not_configured"


class Unreachable(QuarterdeckError):
    """No answer came: the address is wrong, the deployment is away, or the connection was lost."""

    code = "sdk.unreachable"


class TimedOut(Unreachable):
    """No answer came in time. What was asked for may have been done."""

    code = "sdk.timed_out"


class NotUnderstood(QuarterdeckError):
    """The answer is not one of this API's: something else listens at this address, or it is much newer."""

    code = "sdk.not_understood"


class Refused(QuarterdeckError):
    """The deployment answered that it won't or can't."""

    def __init__(self, status: int, code: str, detail: str, /, **facts: Json) -> None:
        super().__init__(detail, **facts)
        self.status = status
        self.code = code

    @property
    def request_id(self) -> str:
        """What finds this request in the deployment's logs."""
        return str(self.facts.get("instance", "")).rpartition(":")[2]

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it may be tried again, where the answer said so."""
        wait = self.facts.get("retry_after")
        return float(wait) if isinstance(wait, int | float) else None


class Malformed(Refused):
    """400: the request can't be read."""


class Unauthenticated(Refused):
    """401: no valid key came with the request."""


class BudgetSpent(Refused):
    """402: a budget does not allow it."""


class Forbidden(Refused):
    """403: this key may not do this."""


class NotFound(Refused):
    """404: there is no such thing here; things of other tenants are not there either."""


class Conflict(Refused):
    """409: the thing is in a state that doesn't allow this."""


class Changed(Refused):
    """412: somebody else changed it since it was read."""


class TooLarge(Refused):
    """413: the request is larger than the deployment accepts."""


class Invalid(Refused):
    """422: some values are not acceptable; `errors` names each with its place and the fix."""

    @property
    def errors(self) -> list[dict[str, str]]:
        """The refused values: `place`, `problem`, `fix`."""
        try:
            return msgspec.convert(self.facts.get("errors", []), list[dict[str, str]], strict=False)
        except msgspec.ValidationError:
            return []


class TooMany(Refused):
    """429: too much at once; try again after `retry_after` seconds."""


class Broken(Refused):
    """5xx: something broke on the deployment's side."""


class Unavailable(Broken):
    """503: a part that this needs is away just now; try again."""

    @property
    def checks(self) -> dict[str, str]:
        """What each check of `/readyz` said; empty for other answers."""
        try:
            return msgspec.convert(self.facts.get("checks", {}), dict[str, str])
        except msgspec.ValidationError:
            return {}


BY_STATUS: Mapping[int, type[Refused]] = {
    400: Malformed,
    401: Unauthenticated,
    402: BudgetSpent,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Changed,
    413: TooLarge,
    422: Invalid,
    429: TooMany,
    503: Unavailable,
}

_OURS = frozenset({"type", "title", "status", "detail", "code"})


def refusal(status: int, body: bytes, retry_after: str | None = None) -> Refused:
    """The error for an answer that is no success, whoever gave it: a proxy's page becomes one too."""
    kind = BY_STATUS.get(status, Broken if status >= 500 else Refused)
    try:
        problem = decode_object(body)
    except msgspec.MsgspecError:
        problem: dict[str, Json] = {}
    facts = {name: value for name, value in problem.items() if name not in _OURS}
    if retry_after is not None and retry_after.isdigit():
        facts.setdefault("retry_after", int(retry_after))
    detail = str(problem.get("detail") or problem.get("title") or f"The answer was HTTP {status}.")
    return kind(status, str(problem.get("code") or f"http.{status}"), detail, **facts)
