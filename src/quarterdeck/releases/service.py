"""Register releases, find them by what people call them, read them and their files back."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import cast

import rfc8785
from pydantic import ValidationError

from quarterdeck.audit.store import note
from quarterdeck.blobs.records import BlobKey
from quarterdeck.blobs.service import Blobs
from quarterdeck.core.ids import AgentName, ReleaseId, TenantId
from quarterdeck.core.json import Json, JsonObject
from quarterdeck.core.text import shorten, storable
from quarterdeck.db.records import Tx
from quarterdeck.http.fixes import explain_invalid, invalid
from quarterdeck.net.records import Reach
from quarterdeck.policies.rules import patterns
from quarterdeck.releases import conduct, rules, store
from quarterdeck.releases.changes import changes
from quarterdeck.releases.errors import (
    AgentDisabled,
    Ambiguous,
    CodeRefused,
    LabelTaken,
    ManifestRefused,
    NoSuchAgent,
    NoSuchRelease,
    ReleaseCorrupt,
)
from quarterdeck.releases.manifest import Manifest, as_doubles, id_of
from quarterdeck.releases.records import Agent, Registered, Release, ReleaseFile, ReleaseLine, Submission, WholeRelease
from quarterdeck.releases.view import view
from quarterdeck.spec.values import is_label

_PREFIX = re.compile(r"[0-9a-f]{8,64}")
_KEPT = 1024


class Releases:
    """The releases of all tenants, as one process reaches them.

    Every verb works in the caller's transaction. A release never changes, so each is read from the database once.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: OrderedDict[tuple[TenantId, ReleaseId], Release] = OrderedDict()

    async def register(
        self,
        tx: Tx,
        tenant: TenantId,
        submission: Submission,
        by: str,
        *,
        may_bring_code: bool,
        reach: Reach | None = None,
    ) -> Registered:
        """Keep a release with its files and make it the one that new runs of its agent take.

        Idempotent: the same manifest is the same release. Nothing that was sent is believed: digests, id, pins, paths
        and schemas are checked anew. Raises Invalid or ManifestRefused with every fault, LabelTaken, and CodeRefused
        where the release holds code or commands and `may_bring_code` is False. `reach` is how far tool servers may be:
        by default on the public internet.
        """
        manifest = read_manifest(submission.manifest)
        if rules.needs_code(manifest) and not may_bring_code:
            raise CodeRefused
        agent = AgentName(manifest.agent)
        asked = conduct.providers_of(manifest)
        kinds = {name: await store.provider_kind(tx, tenant, name, agent) for name in asked}
        release = await asyncio.to_thread(_examine, submission, manifest, kinds, reach or Reach())
        previous = await store.hold_agent(tx, tenant, agent)
        await self._require_free(tx, tenant, agent, release, submission.label)
        content = cast("JsonObject", as_doubles(submission.manifest))
        added = await store.add(tx, tenant, release, agent, content, submission.label, by)
        if added is not None:
            await self._keep_files(tx, tenant, release, submission.files)
        await store.point(tx, tenant, agent, release, manifest.owner, manifest.description)
        await note(tx, tenant, "release.registered", by, f"agent:{agent}", release=release, previous=previous)
        # Not by `load`, which would remember it even if this transaction comes to nothing.
        registered = await self._view(tx, tenant, release)
        return Registered(
            release=registered,
            created=added is not None,
            previous=previous,
            changes=await self.compare(tx, tenant, previous, release) if previous else (),
            ignored=() if added is not None else await self._differing(tx, tenant, release, submission.files),
            warnings=_warnings(kinds, submission, registered),
        )

    async def load(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Release:
        """A release by its whole id. Raises NoSuchRelease, or ReleaseCorrupt when it is no longer what its id says."""
        known = self._known.get((tenant, release))
        if known is not None:
            self._known.move_to_end((tenant, release))
            return known
        loaded = await self._view(tx, tenant, release)
        self._known[tenant, release] = loaded
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return loaded

    async def _view(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Release:
        found = await self.read(tx, tenant, release)
        manifest = read_manifest(found.manifest)
        return view(tenant, release, manifest, label=found.label, by=found.registered_by, at=found.registered_at)

    async def read(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> store.Stored:
        """A release as it was registered, with its whole manifest. Raises as `load` does."""
        found = await store.get(tx, tenant, release)
        if found is None:
            raise NoSuchRelease(release=release)
        if id_of(found.manifest) != release:
            raise ReleaseCorrupt(release=release)
        return found

    async def resolve(self, tx: Tx, tenant: TenantId, name: str) -> Release:
        """The release that a new run of `name` takes: `agent`, `agent@label` or `agent@` and 8 or more digits of an id.

        Raises NoSuchAgent, NoSuchRelease, Ambiguous or AgentDisabled.
        """
        agent, at, version = name.partition("@")
        current = await store.current(tx, tenant, AgentName(storable(agent)))
        if current is None:
            raise NoSuchAgent(f"There is no agent {shorten(storable(agent), 80)!r} here.", agent=storable(agent))
        release, disabled = current
        if disabled:
            raise AgentDisabled(agent=agent)
        if at:
            release = await self.find(tx, tenant, AgentName(agent), version)
        return await self.load(tx, tenant, release)

    async def find(self, tx: Tx, tenant: TenantId, agent: AgentName | None, version: str) -> ReleaseId:
        """The id that a label of an agent, or the first 8 or more digits of an id, stand for.

        Raises NoSuchRelease or Ambiguous.
        """
        if _PREFIX.fullmatch(version):
            found = await store.by_prefix(tx, tenant, version, agent)
            if len(found) > 1:
                raise Ambiguous(prefix=version)
            if found:
                return found[0]
        elif agent is not None and is_label(version):
            labelled = await store.by_label(tx, tenant, agent, version)
            if labelled is not None:
                return labelled
        raise NoSuchRelease(version=shorten(storable(version), 80))

    async def compare(self, tx: Tx, tenant: TenantId, old: ReleaseId, new: ReleaseId) -> tuple[str, ...]:
        """What changed from one release to another, in words."""
        if old == new:
            return ()
        before = read_manifest((await self.read(tx, tenant, old)).manifest)
        after = read_manifest((await self.read(tx, tenant, new)).manifest)
        return await asyncio.to_thread(changes, before, after)

    async def whole(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> WholeRelease:
        """A release as people look at it: manifest, list of files, and whether it is what new runs take."""
        found = await self.read(tx, tenant, release)
        current = await store.current(tx, tenant, found.agent)
        manifest = read_manifest(found.manifest)
        line = ReleaseLine(
            id=release,
            agent=found.agent,
            label=found.label,
            provider=manifest.model.provider,
            model=manifest.model.id,
            registered_by=found.registered_by,
            registered_at=found.registered_at,
            current=current is not None and current[0] == release,
        )
        sizes = await store.sizes(tx, tenant, release)
        files = [ReleaseFile(path, size, manifest.files.get(path)) for path, size in sizes.items()]
        return WholeRelease(line, found.manifest, tuple(files))

    async def agent(self, tx: Tx, tenant: TenantId, agent: AgentName) -> Agent:
        """An agent. Raises NoSuchAgent."""
        found = await store.get_agent(tx, tenant, agent)
        if found is None:
            raise NoSuchAgent(f"There is no agent {agent!r} here.", agent=agent)
        return found

    async def disable(self, tx: Tx, tenant: TenantId, agent: AgentName, *, disabled: bool) -> Agent:
        """Let an agent take no new runs, or let it again. Runs that exist go on. Idempotent. Raises NoSuchAgent."""
        await store.disable(tx, tenant, agent, disabled=disabled)
        return await self.agent(tx, tenant, agent)

    async def files(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Mapping[str, bytes]:
        """The files that the manifest names, by path: code, its data and the lock file."""
        return await self._files(tx, tenant, release, recordings=False)

    async def recordings(self, tx: Tx, tenant: TenantId, release: ReleaseId) -> Mapping[str, bytes]:
        """The recorded conversations that were registered with the release, by path (`cassettes/...`)."""
        return await self._files(tx, tenant, release, recordings=True)

    async def _files(self, tx: Tx, tenant: TenantId, release: ReleaseId, *, recordings: bool) -> Mapping[str, bytes]:
        listed = await store.files(tx, tenant, release)
        wanted = {path: key for path, key in listed.items() if rules.is_recording(path) is recordings}
        contents = await self._blobs.get_many(tx, tenant, list(wanted.values()), release)
        return {path: contents[key] for path, key in wanted.items()}

    async def _keep_files(self, tx: Tx, tenant: TenantId, release: ReleaseId, files: Mapping[str, bytes]) -> None:
        rows: list[tuple[str, BlobKey, int]] = []
        # In the order of paths, so that two who register the same files at once wait for each other and don't deadlock.
        for path in sorted(files):
            content = files[path]
            rows.append((path, await self._blobs.put(tx, tenant, content, release), len(content)))
        await store.add_files(tx, tenant, release, rows)

    async def _differing(
        self, tx: Tx, tenant: TenantId, release: ReleaseId, files: Mapping[str, bytes]
    ) -> tuple[str, ...]:
        """Recordings that were sent and are not, or not so, in the release."""
        stored = await store.files(tx, tenant, release)
        sent = {path: content for path, content in sorted(files.items()) if rules.is_recording(path)}
        return tuple([path for path in sent if await self._blobs.key_of(tx, tenant, sent[path]) != stored.get(path)])

    async def _require_free(
        self, tx: Tx, tenant: TenantId, agent: AgentName, release: ReleaseId, label: str | None
    ) -> None:
        if label is None:
            return
        if not is_label(label):
            raise invalid(
                "label",
                "it is no label: 1 to 63 letters, digits, dots, dashes, underscores; not 8 or more digits of 0-9a-f",
                "choose a name such as support-desk-2026-06-09",
            )
        holder = await store.by_label(tx, tenant, agent, label)
        if holder not in {None, release}:
            raise LabelTaken(label=label, release=holder)


def read_manifest(manifest: JsonObject) -> Manifest:
    """The manifest as its model. Raises Invalid, naming each place that does not fit."""
    try:
        return Manifest.model_validate(manifest)
    except ValidationError as fault:
        errors = fault.errors(include_url=False, include_input=False)
        raise explain_invalid([{**error, "loc": ("manifest", *error["loc"])} for error in errors]) from None


def _examine(submission: Submission, manifest: Manifest, kinds: Mapping[str, str | None], reach: Reach) -> ReleaseId:
    """The id of a submission that passed every check. Raises ManifestRefused."""
    faults = rules.judge(manifest, submission.files, kinds.get(manifest.model.provider), reach, kinds)
    if faults:
        raise _refused(faults)
    try:
        release = id_of(submission.manifest)
    except (OverflowError, RecursionError, rfc8785.CanonicalizationError) as fault:
        raise invalid("manifest", f"it has no canonical form ({fault})", "build it again") from None
    if submission.release not in {None, release}:
        raise invalid("release", f"the manifest's id is {release}", "send the manifest that was built, unchanged")
    return release


def _refused(faults: Sequence[rules.Fault]) -> ManifestRefused:
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    errors: list[Json] = [fault.as_json() for fault in faults]
    return ManifestRefused(f"{first.place}: {first.problem}; {first.fix}{more}.", errors=errors)


def _warnings(kinds: Mapping[str, str | None], submission: Submission, stored: Release) -> tuple[str, ...]:
    found: list[str] = []
    for name, kind in kinds.items():
        if kind is None:
            its = "its runs will fail" if name == stored.model.provider else "what needs it will fail"
            found.append(
                f"There is no provider connection {name!r} that this agent may use: {its} until a deployment admin "
                "adds one."
            )
    if submission.label is not None and submission.label != stored.label:
        has = f"the label {stored.label!r}" if stored.label else "no label"
        found.append(f"This release was registered before with {has}; a release never changes.")
    return (*found, *[f"{pattern}." for pattern in patterns(stored)])
