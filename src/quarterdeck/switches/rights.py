"""Who may throw, see and lift which switch."""

from quarterdeck.core.errors import Forbidden
from quarterdeck.core.ids import AgentName
from quarterdeck.http.records import READERS, Actor, Role
from quarterdeck.switches.records import Scope, Switch, SwitchMissing, Wanted


def check_throw(actor: Actor, wanted: Wanted) -> None:
    """Let operators throw switches in their own tenant, and deployment admins everywhere. Raises Forbidden, or NotFound
    for an agent that the key is not for.
    """
    if actor.admin:
        return
    if wanted.scope is Scope.EVERYTHING or wanted.deployment or wanted.tenant != actor.tenant:
        raise Forbidden("Only a deployment admin's key may throw a switch beyond its own tenant.")
    actor.require(Role.OPERATOR)
    if actor.agents is None:
        return
    agent = wanted.target if wanted.scope is Scope.AGENT else wanted.agent
    if agent is None:
        raise Forbidden(
            "This key is for some agents only: name one with `agent`, or throw a switch of scope agent.",
            agents=sorted(actor.agents),
        )
    actor.require_agent(AgentName(agent))


def check_lift(actor: Actor, switch: Switch) -> None:
    """Let operators lift what was thrown in their tenant; what the deployment threw stays until an admin lifts it."""
    if actor.admin:
        return
    actor.require(Role.OPERATOR)
    if switch.deployment:
        raise Forbidden(
            "This switch was thrown for the deployment; only a deployment admin may lift it.", switch_id=str(switch.id)
        )
    agent = _agent_of(switch)
    if actor.agents is not None and (agent is None or agent not in actor.agents):
        raise Forbidden("This switch reaches beyond the agents that this key is for.", switch_id=str(switch.id))


def check_reader(actor: Actor) -> None:
    """Let everybody see switches who sees a whole tenant."""
    if not actor.admin:
        actor.require(*sorted(READERS))


def sees(actor: Actor, switch: Switch) -> bool:
    """Whether a switch concerns an actor: its tenant is hit, and an agent that its key is for."""
    if switch.tenant is not None and actor.tenant is not None and switch.tenant != actor.tenant:
        return False
    agent = _agent_of(switch)
    return actor.agents is None or agent is None or agent in actor.agents


def seen(actor: Actor, switch: Switch | None) -> Switch:
    """A switch that the actor may see. Raises SwitchMissing for any other: it need not learn that there is one."""
    if switch is None or not sees(actor, switch):
        raise SwitchMissing
    return switch


def _agent_of(switch: Switch) -> str | None:
    return switch.target if switch.scope is Scope.AGENT else switch.agent
