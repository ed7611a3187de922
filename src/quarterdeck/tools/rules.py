"""What the end of a call means: failed only where it surely had no effect, unknown where nobody can say."""

from quarterdeck.mcp.records import Cut, McpFault, Nonsense, NotSent, Rejected, TooLate, TooMuch, Unreachable
from quarterdeck.releases.manifest import as_doubles
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.messages import Text
from quarterdeck.runs.records import Effect
from quarterdeck.tools.records import Answered, Failed, ToolOutcome, Unknown

_FORGIVEN_AFTER = 60.0
_LONGEST_PAUSE = 30.0


def judge_fault(fault: McpFault, grant: ToolGrant, ms: int) -> ToolOutcome:
    """The outcome of a call that got no answer."""
    match fault:
        case TooLate():
            return Failed("too_late", "It may not begin any more: too much time has passed since it was decided.", ms)
        case NotSent():
            return Failed("not_sent", fault.detail, ms, retryable=True)
        case Rejected():
            return _judge_rejection(fault, grant, ms)
        case TooMuch():
            return _judge_size(fault, grant, ms)
        case Unreachable():
            return _judge_http(fault, grant, ms)
        case Nonsense():
            return _lost("bad_answer", fault.detail, grant, ms, retryable=False)
        case Cut():
            return _lost("crashed", fault.detail, grant, ms, retryable=True)
        case _:
            return _lost("host_failed", fault.detail, grant, ms, retryable=False)


def judge_silence(cause: str, grant: ToolGrant, ms: int) -> ToolOutcome:
    """The outcome of a call that was given up: `timeout` or `cancelled`."""
    if cause == "timeout":
        return _lost("timeout", f"It did not answer within {grant.timeout:g} s.", grant, ms, retryable=True)
    return _lost("cancelled", "It was cancelled before it answered.", grant, ms, retryable=False)


def judge_breakage(fault: Exception, grant: ToolGrant, ms: int) -> ToolOutcome:
    """The outcome of a call around which the runtime itself failed, nobody knows when."""
    return _lost("host_failed", f"The runtime itself failed ({type(fault).__name__}).", grant, ms, retryable=False)


def schema_problem(grant: ToolGrant, offered: object) -> str | None:
    """Why a tool may not be called: what is offered today (None = no such tool) is not what the release has pinned."""
    if offered is None:
        return f"The server `{grant.server}` does not offer `{grant.remote_name}` any more."
    if as_doubles(offered) == as_doubles(grant.parameters):  # pyright: ignore[reportArgumentType]  # any JSON
        return None
    return (
        f"The arguments that `{grant.remote_name}` takes today are not those that this release has pinned. "
        "Build and register a new release."
    )


def pause_after(failures: int) -> float:
    """Seconds for which a server that failed this many times in a row is left alone; once is forgiven."""
    return 0.0 if failures < 2 else min(_LONGEST_PAUSE, 0.5 * 2 ** (failures - 2))


def is_forgiven(lived: float) -> bool:
    """Whether a server that lived this long before it ended starts with a clean record."""
    return lived >= _FORGIVEN_AFTER


def _lost(code: str, why: str, grant: ToolGrant, ms: int, *, retryable: bool) -> Failed | Unknown:
    if grant.effect == Effect.READ:
        return Failed(code, why, ms, retryable=retryable)
    return Unknown(why, ms)


def _judge_rejection(fault: Rejected, grant: ToolGrant, ms: int) -> ToolOutcome:
    if fault.why == "too_late":
        return Failed("too_late", "It reached its tool too late to begin.", ms)
    if fault.why == "cancelled":
        return Failed("cancelled", "It was cancelled before it began.", ms)
    if fault.why == "interrupted":
        return _lost("cancelled", "It was cancelled midway.", grant, ms, retryable=False)
    if not fault.sent:
        return Failed("refused", f"The tool server refused it: {fault.detail}", ms)
    # Its own word, like `isError`: it answered, and what it says is that something went wrong.
    told = f"The tool server answered with an error: {fault.detail}"
    return Answered((Text(told),), None, is_error=True, ms=ms, size=len(told.encode()), truncated=False)


def _judge_size(fault: TooMuch, grant: ToolGrant, ms: int) -> ToolOutcome:
    if grant.effect == Effect.READ:
        return Failed("too_large", f"{fault.detail} That is more than can be taken; ask for less.", ms)
    told = f"The tool has run. {fault.detail} That is more than can be taken, so nothing of it can be shown."
    return Answered((Text(told),), None, is_error=False, ms=ms, size=fault.size, truncated=True)


def _judge_http(fault: Unreachable, grant: ToolGrant, ms: int) -> ToolOutcome:
    if fault.http_status == 429:
        return Failed("rate_limited", fault.detail, ms, retryable=True, retry_after=fault.retry_after)
    if not fault.sent:
        # 404 = it has forgotten our session, and a new one can be had.
        refused = fault.http_status not in {None, 404}
        return Failed("refused" if refused else "unreachable", fault.detail, ms, retryable=not refused)
    if grant.effect == Effect.READ:
        return Failed("unreachable", fault.detail, ms, retryable=True, retry_after=fault.retry_after)
    return Unknown(fault.detail, ms)
