import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quarterdeck.core.errors import Invalid
from quarterdeck.core.ids import TenantId, uuid7
from quarterdeck.core.json import decode, encode_text
from quarterdeck.releases.manifest import Manifest, as_doubles, id_of
from quarterdeck.releases.view import prompt_for, view
from tests.unit.releases.builders import SOUND, manifest, raw

GOLDEN = "dada8bb5a46fea13a3e11abbf918aadd4e9ea60ad7f838ce08c0b44cb7865fe4"


def test_the_id_of_a_known_manifest_never_changes():
    # If this fails, every release registered so far would get another id: only a new schema_version may do that.
    assert id_of(SOUND) == GOLDEN


def test_the_id_does_not_depend_on_the_order_of_members_or_on_how_numbers_are_written():
    mixed = dict(random.Random(1).sample(list(SOUND.items()), len(SOUND)))
    mixed["model"] = {**dict(reversed(SOUND["model"].items())), "timeout": 60.0}
    assert id_of(mixed) == id_of(SOUND)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt.text": "x"},
        {"model.temperature": 0.1},
        {"tools.0.effect": "write"},
        {"files": {"tools.py": "0" * 64}},
        {"owner": "x"},
        {"behaviour_version": 2},
        {"limits.max_steps": 31},
    ],
)
def test_the_id_depends_on_whatever_the_manifest_says(change: dict):
    assert id_of(raw(change)) != id_of(SOUND)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(json_values.filter(lambda value: "\\ud" not in ascii(value)))
def test_a_value_keeps_its_id_through_storage(value: Any):
    # What jsonb hands back: 1.0 for 1.0, and 9223372036854775808 for 9.223372036854775808e18.
    stored = decode(encode_text(as_doubles(value)))
    assert id_of({"a": stored}) == id_of({"a": value})


def test_integers_beyond_what_a_double_holds_can_be_named():
    assert id_of({"maximum": 2**63 - 1}) == id_of({"maximum": float(2**63)}) == id_of({"maximum": 2**63})


BAD = {
    "an unknown member": {"surprise": 1},
    "a float for steps": {"limits.max_steps": 1.5},
    "text for a number": {"model.timeout": "60"},
    "an unknown effect": {"tools.0.effect": "nothing"},
    "an unknown kind": {"servers.0.kind": "docker"},
    "a name with a slash": {"agent": "a/b"},
    "a tool that models can't be offered": {"tools.0.name": "a b"},
    "a digest in capitals": {"prompt.digest": "A" * 64},
    "another format": {"schema_version": 2},
    "no steps": {"limits.max_steps": 0},
    "an endless time-out": {"tools.0.timeout": 1e9},
    "half a surrogate pair": {"owner": "\ud800"},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_manifest_that_is_not_of_the_form_is_refused(change: dict):
    with pytest.raises(ValidationError):
        manifest(change)


def test_the_view_says_what_the_manifest_says():
    tenant, at = TenantId(uuid7()), datetime(2026, 1, 1, tzinfo=UTC)
    release = view(tenant, id_of(SOUND), Manifest.model_validate(SOUND), label="one", by="key:x", at=at)
    assert release.version == f"support-desk@{id_of(SOUND)[:12]}"
    assert (release.model.provider, release.model.timeout) == ("openai", 60)
    [tool] = release.tools
    assert (tool.effect, tool.repeat, tool.trust, tool.timeout) == ("read", "safe", "trusted", 30)
    assert type(tool.effect) is str
    assert release.server("tools").module == "tools.py"
    assert release.files == SOUND["files"]
    assert prompt_for(release, {}) == "You work for Acme.\nBe kind and brief.\n"
    assert prompt_for(release, {"company": "{{ x }}"}) == "You work for {{ x }}.\nBe kind and brief.\n"
    with pytest.raises(Invalid):
        prompt_for(release, {"companie": "x"})
