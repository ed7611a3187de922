"""What can be wrong with naming or registering a release."""

from quarterdeck.core.errors import Conflict, Error, Forbidden, Invalid, NotFound


class NoSuchAgent(NotFound):
    """There is no agent of this name here."""

    code = "agent.not_found"


class NoSuchRelease(NotFound):
    """There is no such release here."""

    code = "release.not_found"


class Ambiguous(Conflict):
    """Several releases begin with these digits; give more of them."""

    code = "release.ambiguous"


class AgentDisabled(Conflict):
    """This agent is disabled and takes no new runs."""

    code = "agent.disabled"


class CodeRefused(Forbidden):
    """This release holds code or commands of its own; only a deployment admin's key may register it."""

    code = "release.code_refused"


class LabelTaken(Conflict):
    """Another release of this agent has this label; labels name one release for ever, so choose another."""

    code = "release.label_taken"


class ManifestRefused(Invalid):
    """The manifest can't be registered; `errors` names each fault with its place and the fix."""

    code = "release.refused"


class ReleaseCorrupt(Error):
    """A stored release no longer has the digest that names it; it is not executed."""

    code, status = "release.corrupt", 500
