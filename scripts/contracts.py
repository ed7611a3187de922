"""Contract types of our own for import-linter, which its built-in ones can't say and which don't mind a package that
does not exist yet.

Modules are named by shell patterns: `quarterdeck.*.store*` is every module below any package whose name starts so.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import ClassVar, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Chain = tuple[str, ...]
OURS = ("quarterdeck", "quarterdeck.*")


def patterns(*, required: bool = True) -> list[str]:
    """A contract's option; import-linter puts the list from pyproject.toml in its place before it checks."""
    one = fields.StringField()
    field = fields.ListField(subfield=one) if required else fields.ListField(subfield=one, required=False, default=())
    return cast("list[str]", field)


class Patterned(Contract):
    """What the three share: a list of offending import chains, printed one a line."""

    guidance: ClassVar[str]

    def chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Every import chain that breaks this contract, as module names."""
        raise NotImplementedError

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Kept when there is no such chain."""
        found = sorted(set(self.chains(graph)))
        return ContractCheck(kept=not found, metadata={"chains": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each chain, then what to do instead."""
        for chain in check.metadata["chains"]:
            output.print_error("- " + " -> ".join(chain), bold=False)
        output.print_error(self.guidance, bold=False)
        output.new_line()


class Confined(Patterned):
    """`modules` (ours or a library's) may be imported directly by `importers` and by each other only."""

    guidance = "Ask one of the packages that may import it, or move the piece to the floor where it belongs."
    modules = patterns()
    importers = patterns()

    def chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Direct imports of a confined module from elsewhere."""
        confined = chosen(graph, self.modules)
        free = set(chosen(graph, self.importers)) | set(confined)
        for module in confined:
            for importer in graph.find_modules_that_directly_import(module) - free:
                yield importer, module


class Unreachable(Patterned):
    """`sources` import `targets` neither directly nor through others; `but_targets` are free."""

    guidance = "The chain shows the way there: cut it where a decision takes what it needs as an argument instead."
    sources = patterns()
    targets = patterns()
    but_targets = patterns(required=False)

    def chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """The shortest chain from each source to each target that it reaches."""
        targets = set(chosen(graph, self.targets)) - set(chosen(graph, self.but_targets))
        for source in chosen(graph, self.sources):
            for target in targets & graph.find_upstream_modules(source):
                chain = graph.find_shortest_chain(source, target)
                if chain:
                    yield tuple(chain)


class Restricted(Patterned):
    """Of our own modules, `importers` (without `but_importers`) import directly only `allowed`."""

    guidance = "Go through what this contract allows."
    importers = patterns()
    but_importers = patterns(required=False)
    allowed = patterns()

    def chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Direct imports of ours that are not on the list."""
        ours = set(chosen(graph, OURS))
        allowed = set(chosen(graph, self.allowed))
        for importer in set(chosen(graph, self.importers)) - set(chosen(graph, self.but_importers)):
            for module in (graph.find_modules_directly_imported_by(importer) & ours) - allowed:
                yield importer, module


def chosen(graph: ImportGraph, names: Sequence[str]) -> list[str]:
    """The modules of the graph that match any of the names, sorted; a pattern may match nothing."""
    return sorted(module for module in graph.modules if any(fnmatchcase(module, one) for one in names))
