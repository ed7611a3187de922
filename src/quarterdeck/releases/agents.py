"""Other agents as tools: each is a server of its own with one tool, whose call is a run of that agent, narrowed."""

from collections.abc import Iterator

from quarterdeck.core.json import Json
from quarterdeck.releases.controls import Controls
from quarterdeck.releases.grants import Grant
from quarterdeck.releases.records import ToolServer
from quarterdeck.releases.tasks import TASK
from quarterdeck.spec import values
from quarterdeck.spec.agent import AgentSection
from quarterdeck.spec.control import AgentsSection
from quarterdeck.spec.reading import AgentFolder


def name_of(section: AgentsSection) -> str:
    """What the model calls another agent: as `agent.yaml` says, or like the agent."""
    return section.name or section.agent.partition("@")[0]


def server_name(section: AgentsSection) -> str:
    """The name of the server that stands for another agent."""
    return f"agent-{name_of(section).lower()}"[:63]


def servers_of(agent: AgentSection) -> Iterator[ToolServer]:
    """Each other agent as a server."""
    for section in agent.agents:
        narrowed = _narrowed(section) or None
        yield ToolServer(server_name(section), values.ServerKind.AGENT, agent=section.agent, narrowed=narrowed)


def _narrowed(section: AgentsSection) -> dict[str, Json]:
    limits = section.limits.model_dump(exclude_none=True) if section.limits else {}
    tools = None if section.tools is None else sorted(set(section.tools))
    said: dict[str, Json] = {"tools": tools, "autonomy": section.autonomy, **limits}
    return {name: value for name, value in said.items() if value is not None}


def grants_of(folder: AgentFolder) -> Iterator[Grant]:
    """The tool of each other agent. A call of it changes nothing by itself: what the other does passes its own gates.

    Its answer can hold what outsiders wrote, and the same call is the same run, so it can be asked for again.
    """
    for at, section in enumerate(folder.agent.agents):
        seconds = section.limits.max_seconds if section.limits is not None else None
        yield Grant(
            name=name_of(section),
            server=server_name(section),
            remote_name=section.agent.partition("@")[0],
            description=section.description,
            parameters=TASK,
            output_schema=None,
            effect=values.Effect.READ,
            repeat=values.Repeat.KEYED,
            trust=values.Trust.UNTRUSTED,
            timeout=min(seconds or 900.0, 3600.0),
            max_output=100_000,
            retries=2,
            max_concurrency=0,
            place=folder.document.place(("agents", at)),
            controls=Controls(payload=("task",)),
        )
