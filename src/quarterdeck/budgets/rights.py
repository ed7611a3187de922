"""Who may set and see which budget."""

from collections.abc import Sequence

from quarterdeck.budgets.records import EVERY_ONE, Budget, NoSuchBudget, Scope
from quarterdeck.core.errors import Forbidden
from quarterdeck.core.ids import AgentName, TenantId
from quarterdeck.http.records import READERS, Actor, Role


def check_reader(actor: Actor) -> TenantId | None:
    """Let everybody see budgets who sees a whole tenant; for admins who name no tenant (None) the deployment's."""
    if actor.tenant is None:
        actor.require_admin()
    else:
        actor.require(*sorted(READERS))
    return actor.tenant


def check_writer(actor: Actor) -> TenantId | None:
    """Let operators set budgets in their own tenant; admins who name no tenant (None) set the deployment's."""
    if actor.tenant is None:
        actor.require_admin()
    elif not actor.admin:
        actor.require(Role.OPERATOR)
    return actor.tenant


def check_reach(actor: Actor, budget: Budget) -> None:
    """Let a key that is for some agents change what holds for one of these alone. Raises Forbidden or NotFound."""
    if actor.agents is None:
        return
    if budget.scope is not Scope.AGENT or budget.target == EVERY_ONE:
        raise Forbidden(
            "This key is for some agents only: it may set budgets of scope agent with one of them as target.",
            agents=sorted(actor.agents),
        )
    actor.require_agent(AgentName(budget.target))


def sees(actor: Actor, scope: Scope, target: str) -> bool:
    """Whether a budget concerns an actor: it is not about an agent that its key is not for."""
    if actor.agents is None or scope is not Scope.AGENT or target == EVERY_ONE:
        return True
    return target in actor.agents


def seen(actor: Actor, budget: Budget) -> Budget:
    """The same, if the actor may see it. Raises NoSuchBudget for any other: it need not learn that there is one."""
    if not sees(actor, budget.scope, budget.target):
        raise NoSuchBudget(name=budget.name)
    return budget


def agents_of(actor: Actor) -> Sequence[str] | None:
    """The agents that a key is for; None = all."""
    return None if actor.agents is None else sorted(actor.agents)
