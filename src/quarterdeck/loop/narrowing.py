"""What a parent run leaves of its child: by construction never more than the child's own release grants."""

from dataclasses import replace

from quarterdeck.autonomy.rules import lowest
from quarterdeck.releases.records import Limits, Release, ToolGrant
from quarterdeck.runs.parts import Narrowing


def narrow(release: Release, narrowed: Narrowing | None) -> Release:
    """The release as a child run has it: fewer tools, less autonomy, tighter limits. Without a parent it is whole."""
    if narrowed is None:
        return release
    tools = tuple(
        _lowered(tool, narrowed.autonomy)
        for tool in release.tools
        if narrowed.tools is None or tool.name in narrowed.tools
    )
    return replace(release, tools=tools, limits=_tightened(release.limits, narrowed))


def _lowered(tool: ToolGrant, most: str | None) -> ToolGrant:
    return tool if most is None else replace(tool, autonomy=lowest(tool.autonomy, most))


def _tightened(limits: Limits, narrowed: Narrowing) -> Limits:
    return replace(
        limits,
        max_steps=min(limits.max_steps, narrowed.max_steps or limits.max_steps),
        max_tool_calls=(
            limits.max_tool_calls
            if narrowed.max_tool_calls is None
            else min(limits.max_tool_calls, narrowed.max_tool_calls)
        ),
        max_seconds=min(limits.max_seconds, narrowed.max_seconds or limits.max_seconds),
        max_tokens=min(limits.max_tokens, narrowed.max_tokens or limits.max_tokens),
    )
