"""Other rules than the product's, from none to all: what the frontier of the gate's bench is drawn from.

Each answers the gate's one question about a call's arguments, are its destinations clean, in a way of its own; all else
is the product's.
"""

from collections.abc import Mapping
from typing import ClassVar

from quarterdeck.core.json import JsonObject
from quarterdeck.gates.forms import form_of
from quarterdeck.gates.leaves import leaves, marked
from quarterdeck.gates.provenance import Origin, Provenance, Sighting
from quarterdeck.releases.records import ToolGrant
from quarterdeck.runs.records import Effect


class Ruled(Provenance):
    """Destinations are clean or not by one rule; the gate reads it from their origins."""

    def see(self, grant: ToolGrant, arguments: JsonObject) -> Sighting:
        """What the product sees, with the rule's verdict in the place of each destination's origin."""
        found = self.origins(arguments, grant)
        values = {path: str(leaf) for path, leaf in leaves(arguments)}
        for path, origin in found.items():
            if marked(path, grant.destinations):
                clean = origin is Origin.AUTHOR or self.allows(grant, values[path], origin)
                found[path] = Origin.AUTHOR if clean else Origin.MODEL
        return Sighting(found, not self.objections(grant), self.objections(grant))

    def objections(self, grant: ToolGrant) -> tuple[str, ...]:
        """What speaks against any call of a tool."""
        return ()

    def allows(self, grant: ToolGrant, value: str, origin: Origin) -> bool:
        """Whether a destination of this origin is fine."""
        raise NotImplementedError


class Everything(Ruled):
    """No gate."""

    def allows(self, grant: ToolGrant, value: str, origin: Origin) -> bool:
        """Always."""
        return True


class Nothing(Everything):
    """No write at all."""

    def objections(self, grant: ToolGrant) -> tuple[str, ...]:
        """Not a read."""
        return () if grant.effect == Effect.READ else ("It is not a read.",)


class Untainted(Nothing):
    """No write after anything untrusted was read."""

    def objections(self, grant: ToolGrant) -> tuple[str, ...]:
        """Not a read, after untrusted words."""
        return super().objections(grant) if self.tainted else ()


class Users(Ruled):
    """Destinations from the user's words."""

    FROM: ClassVar[frozenset[Origin]] = frozenset({Origin.USER, Origin.REVIEWER})

    def allows(self, grant: ToolGrant, value: str, origin: Origin) -> bool:
        """From these sources."""
        return origin in self.FROM


class Directories(Users):
    """Destinations from the user's words or a trusted tool."""

    FROM = Users.FROM | {Origin.TRUSTED}


class Endorsed(Users):
    """The product's rules on where a destination comes from, without those on payments."""

    FROM = Directories.FROM | {Origin.ENDORSED}


class Anywhere(Directories):
    """The same, or from any untrusted result that the user's words asked for, wherever in it it stands."""

    def allows(self, grant: ToolGrant, value: str, origin: Origin) -> bool:
        """Also if the read that showed it was told by the user's words what to read."""
        return super().allows(grant, value, origin) or self.endorsement().was_asked_for(form_of(value))


STRENGTHS: Mapping[str, type[Provenance]] = {
    "no gate": Everything,
    "any place in what the user asked to read": Anywhere,
    "without the rules on payments": Endorsed,
    "as shipped": Provenance,
    "user or trusted tool": Directories,
    "user only": Users,
    "no write after an untrusted read": Untainted,
    "no write": Nothing,
}
"""From the weakest to the strongest."""
