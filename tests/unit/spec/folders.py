"""Agent folders for tests, written to a temporary directory."""

from pathlib import Path

from quarterdeck.spec.findings import AgentInvalid
from quarterdeck.spec.reading import AgentFolder, read_agent

HEAD = """\
name: support-desk
owner: support-team@example.com
description: Answers questions about orders.
prompt: prompt.md
model: {provider: openai, id: gpt-4.1-mini-2025-04-14}
"""
TOOLS = """\
def find_order(number: int) -> str:
    return str(number)
"""


def write(root: Path, agent: str | bytes = HEAD, **files: str | bytes) -> Path:
    """A folder with an agent. Names of files: `__` is a slash, `_dot_` a dot; `prompt_dot_md` is there by default."""
    everything = {"prompt_dot_md": "Help.\n", **files, "agent_dot_yaml": agent}
    for name, content in everything.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def complaints(root: Path) -> list[str]:
    """What is wrong with the agent in a folder, each as its author reads it."""
    try:
        read_agent(root)
    except AgentInvalid as fault:
        return [str(finding) for finding in fault.findings]
    return []


def read(root: Path) -> AgentFolder:
    return read_agent(root)
