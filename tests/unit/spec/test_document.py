import time

import pytest

from quarterdeck.spec.document import LARGEST, read
from quarterdeck.spec.findings import AgentInvalid, Place

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

FAULTS = {
    "an empty file": ("", "agent.yaml:1:1: the file is empty; see `qd init` for one to start from"),
    "only a comment": ("# hi", "agent.yaml:1:1: the file is empty; see `qd init` for one to start from"),
    "bytes that are not UTF-8": (
        b"# ok\nname: caf\xe9\n",
        "agent.yaml:2:10: byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    "a NUL": (b"a: \x00", "agent.yaml:1:4: there is a control character (U+0000); remove it"),
    "an escape character": (b"a: 1\nb: \x1b[31m", "agent.yaml:2:4: there is a control character (U+001B); remove it"),
    "half a surrogate pair": (
        'a: "\\ud800"',
        "agent.yaml:1:4: the text holds NUL or half a surrogate pair; write whole characters",
    ),
    "an escaped NUL": (
        'a: "\\0"',
        "agent.yaml:1:4: the text holds NUL or half a surrogate pair; write whole characters",
    ),
    "a bad key": ('"\\ud800": 1', "agent.yaml:1:1: the key holds half a surrogate pair; write whole characters"),
    "a tag that would run code": (
        "a: !!python/object/apply:os.system [id]",
        "agent.yaml:1:4: tags such as `!!python/object/apply:os.system` are not accepted; remove the tag",
    ),
    "a tag of YAML's own": ("a: !!str 1", "agent.yaml:1:4: tags such as `!!str` are not accepted; remove the tag"),
    "a duplicate key": ("a: 1\nb: 2\na: 3\n", "agent.yaml:3:1: `a` is there twice (first in line 1); remove one"),
    "a merge key": (
        "a: &a {x: 1}\nb:\n  <<: *a\n",
        "agent.yaml:3:3: merge keys (`<<`) are not accepted; write the members out",
    ),
    "an alias bomb": (
        BOMB,
        "agent.yaml:4:29: with aliases written out there are more than 10,000 values; use fewer",
    ),
    "an alias to itself": (
        "a: &a [*a]",
        (
            "agent.yaml:1:8: `*a` refers to nothing that is complete above it; "
            "write the value out, or mark one above with `&name`"
        ),
    ),
    "an alias to nothing": (
        "a: *b",
        (
            "agent.yaml:1:4: `*b` refers to nothing that is complete above it; "
            "write the value out, or mark one above with `&name`"
        ),
    ),
    "a list as a key": ("? [a]\n: b", "agent.yaml:1:3: a key has to be a word; write `key: value`"),
    "no key": (": a", "agent.yaml:1:1: a key has to be a word; write `key: value`"),
    "two documents": (
        "a: 1\n---\nb: 2\n",
        "agent.yaml:2:1: a second document begins here; keep one document in the file",
    ),
    "tabs": (
        "a:\n\tb: 1",
        (
            "agent.yaml:2:1: this is no YAML: while scanning for the next token, found character '\\t' that cannot "
            "start any "
            "token; indent with spaces, not with tabs"
        ),
    ),
    "a colon in a text": (
        "a: b: c",
        (
            "agent.yaml:1:5: this is no YAML: mapping values are not allowed here; "
            "put quotes around a text that contains `: `, or align the line with its list"
        ),
    ),
    "an open quote": (
        "a: 'x",
        (
            "agent.yaml:1:6: this is no YAML: while scanning a quoted scalar, found unexpected end of stream; "
            "close the quotes"
        ),
    ),
    "an open bracket": (
        "a: [1,\nb: 2",
        (
            "agent.yaml:2:5: this is no YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream "
            "end>'; "
            "close the bracket"
        ),
    ),
    "infinity": ("a: .inf", "agent.yaml:1:4: `.inf` is no finite number; write a number"),
    "a number out of reach": ("a: 1e999", "agent.yaml:1:4: `1e999` is no finite number; write a number"),
    "a huge file": (
        "a: " + "x" * LARGEST,
        f"agent.yaml: it has {LARGEST + 3:,} bytes; keep it below {LARGEST:,}",
    ),
    "deep lists": ("- " * 40, "agent.yaml:1:65: this is nested deeper than 32 levels; make it flatter"),
}


@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_form_is_named_with_its_place_and_fix(content: str | bytes, message: str):
    with pytest.raises(AgentInvalid) as caught:
        read(content if isinstance(content, bytes) else content.encode(), "agent.yaml")
    assert caught.value.detail == message


HOSTILE = {
    "brackets": "[" * 200_000,
    "braces": "{" * 200_000,
    "question marks": "? " * 100_000,
    "dashes": "- " * 100_000,
    "quotes over many lines": '"' + "\n" * 200_000,
    "anchors": "".join(f"- &a{at} x\n" for at in range(15_000)),
    "colons": ":" * 200_000,
    "directives": "%A b\n" * 40_000,
    "block scalars": "a: |\n" + " \n" * 100_000 + "- x",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_yaml_is_refused_in_bounded_time(content: str):
    began = time.process_time()
    with pytest.raises(AgentInvalid):
        read(content.encode(), "agent.yaml")
    assert time.process_time() - began < 5


def test_values_mean_what_yaml_1_2_says():
    content = b"a: [yes, no, on, 1, 0x1f, 0o17, 1.5, -2, 1e3, true, ~, '1', 2026-01-31, 1_000, '']\nb:\n"
    assert read(content, "agent.yaml").value == {
        "a": ["yes", "no", "on", 1, 31, 15, 1.5, -2, 1000.0, True, None, "1", "2026-01-31", "1_000", ""],
        "b": None,
    }


def test_a_yaml_1_1_directive_changes_no_meaning():
    assert read(b"%YAML 1.1\n---\na: yes\n", "agent.yaml").value == {"a": "yes"}


def test_values_and_keys_have_places_and_what_has_none_is_where_its_surroundings_are():
    document = read(b"a: 1\nb:\n  - c: x\n    d: &d {e: 2}\nf: *d\n", "agent.yaml")
    assert document.place(("b", 0, "c")) == Place("agent.yaml", 3, 8)
    assert document.key(("b", 0, "c")) == Place("agent.yaml", 3, 5)
    assert document.place(("b", 0, "nothing", 3)) == Place("agent.yaml", 3, 5)
    assert document.place(("f", "e")) == Place("agent.yaml", 5, 4)
    assert document.value == {"a": 1, "b": [{"c": "x", "d": {"e": 2}}], "f": {"e": 2}}


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault():
    document = read(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n", "agent.yaml")
    assert document.value == {"a": 1, "b": "x\ny\n"}
    assert document.key(("b",)) == Place("agent.yaml", 2, 1)
