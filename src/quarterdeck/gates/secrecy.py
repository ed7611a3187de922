"""What secrets a release's runs can come upon: resolved for one call, and taken out of everything that is said."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from quarterdeck.core.errors import Error
from quarterdeck.core.ids import RunId, TenantId
from quarterdeck.core.log import get
from quarterdeck.releases.records import Release, ToolGrant
from quarterdeck.secrets.redaction import NONE_KNOWN, Redactor
from quarterdeck.secrets.service import Vault
from quarterdeck.spec.references import names_in

log = get(__name__)

KeysOf: TypeAlias = Callable[[str], Awaitable[Mapping[str, Sequence[str]]]]
"""The keys of a provider connection, by the name that stands in their place."""

_KEPT = 1024


class Secrecy:
    """The secrets of a process's gates. Keeps no values for calls, but the forms by which it finds them in texts: those
    of the sets that were used last.
    """

    def __init__(self, vault: Vault, keys_of: KeysOf) -> None:
        self._vault = vault
        self._keys_of = keys_of
        self._redactors: OrderedDict[frozenset[tuple[str, tuple[str, ...]]], Redactor] = OrderedDict()

    async def given(self, release: Release, grant: ToolGrant) -> Mapping[str, str]:
        """The secrets that one call of a tool is given: those of its server's headers, or those that its grant lists.

        Raises SecretMissing, which names the one that can't be had, and what the database raises.
        """
        names = _names_for(release, grant)
        return await self._vault.resolve(release.tenant, names) if names else {}

    async def named(self, tenant: TenantId, names: Sequence[str]) -> Mapping[str, str]:
        """The secrets of these names. Raises SecretMissing, which names the one that can't be had."""
        return await self._vault.resolve(tenant, names) if names else {}

    async def redactor(self, tenant: TenantId, names: Sequence[str], provider: str) -> Redactor:
        """What takes a release's secrets and its provider's key out of texts. The same one while no value changes."""
        known = dict(await self._keys_of(provider))
        if names:
            known |= await self._vault.known(tenant, names, strict=False)
        if not known:
            return NONE_KNOWN
        key = frozenset((name, tuple(values)) for name, values in known.items())
        redactor = self._redactors.get(key)
        if redactor is None:
            redactor = self._redactors[key] = Redactor(known)
            if len(self._redactors) > _KEPT:
                self._redactors.popitem(last=False)
        else:
            self._redactors.move_to_end(key)
        return redactor

    async def tell(self, tenant: TenantId, run: RunId, where: str, found: Mapping[str, int]) -> None:
        """Count and tell what had to be taken out. Raises nothing: the text is clean, whoever hears of it."""
        try:
            await self._vault.tell_leak(tenant, run, where, found)
        except Error as fault:
            log.warning("secret.leak_not_counted", run=str(run), where=where, error=fault.code)


def _names_for(release: Release, grant: ToolGrant) -> tuple[str, ...]:
    server = release.server(grant.server)
    if server.kind == "http":
        return tuple(dict.fromkeys(name for text in (server.headers or {}).values() for name in names_in(text)))
    # A command of others would get them in a message that it may print: registration refuses that, and so does this.
    return grant.secrets if server.kind == "python" else ()
