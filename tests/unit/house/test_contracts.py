"""The contract types of our own: each lets through what it should and finds what it should."""

from collections.abc import Mapping
from typing import Any

from grimp import ImportGraph

from scripts.contracts import Confined, Patterned, Restricted, Unreachable


def graph(**imports: str) -> ImportGraph:
    """A graph from importer to one imported module, dots written as double underscores."""
    made = ImportGraph()
    for importer, imported in imports.items():
        name = importer.replace("__", ".")
        for module in {name, imported} - made.modules:
            made.add_module(module)
        made.add_import(importer=name, imported=imported)
    return made


def broken(kind: type[Patterned], options: Mapping[str, list[str]], seen: ImportGraph) -> list[tuple[str, ...]]:
    contract = kind(name="one", session_options={}, contract_options=dict[str, Any](options))
    check = contract.check(seen, verbose=False)
    assert check.kept == (not check.metadata["chains"])
    return check.metadata["chains"]


DRIVER = {"modules": ["asyncpg"], "importers": ["app.db.*", "app.*.store*"]}
PURE = {"sources": ["app.*.rules"], "targets": ["asyncpg", "app.db.*"], "but_targets": ["app.db.records"]}
CLIENT = {
    "importers": ["quarterdeck.cli.*"],
    "but_importers": ["quarterdeck.cli.serve"],
    "allowed": ["quarterdeck.sdk"],
}


def test_a_confined_library_is_free_where_a_pattern_allows_it():
    seen = graph(app__db__pool="asyncpg", app__runs__store="asyncpg", app__runs__store_events="asyncpg")
    assert broken(Confined, DRIVER, seen) == []


def test_a_confined_library_is_found_anywhere_else():
    assert broken(Confined, DRIVER, graph(app__runs__service="asyncpg")) == [("app.runs.service", "asyncpg")]


def test_confined_modules_may_import_each_other():
    options = {"modules": ["app.tools", "app.tools.*"], "importers": ["app.gates"]}
    assert broken(Confined, options, graph(app__tools__host="app.tools.records", app__gates="app.tools.host")) == []


def test_an_unreachable_module_is_found_through_others_with_the_way_there():
    seen = graph(app__runs__rules="app.runs.records", app__runs__records="asyncpg")
    assert broken(Unreachable, PURE, seen) == [("app.runs.rules", "app.runs.records", "asyncpg")]


def test_an_excepted_target_may_be_reached():
    assert broken(Unreachable, PURE, graph(app__runs__rules="app.db.records")) == []


def test_a_contract_over_packages_that_do_not_exist_is_kept():
    assert broken(Unreachable, {"sources": ["app.*.routes"], "targets": ["app.loop"]}, graph(app__a="app.b")) == []


def test_a_restricted_module_imports_only_what_is_listed_of_our_own():
    seen = graph(
        quarterdeck__cli__run="quarterdeck.runs.store",
        quarterdeck__cli__agent="quarterdeck.sdk",
        quarterdeck__cli__serve="quarterdeck.runs.store",
        quarterdeck__cli__key="rich",
    )
    assert broken(Restricted, CLIENT, seen) == [("quarterdeck.cli.run", "quarterdeck.runs.store")]
