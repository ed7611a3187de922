"""A chain of records: whatever single thing is done to it is found, and found where it was done."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core.chain import GENESIS, Fault, Head, Mark, Signer, Walk, _encoder, bind, link, stamp
from quarterdeck.core.json import canonical

AT = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)
SIGNER = Signer(b"s" * 32)
CHAIN = "a tenant"
words = st.text(st.characters(codec="utf-8"), max_size=8)
records = st.dictionaries(
    st.sampled_from(["kind", "actor", "run", "names"]), st.none() | words | st.lists(words, max_size=3), max_size=4
)
Item = tuple[int, dict, bytes]


@st.composite
def chains(draw) -> tuple[list[Item], list[Head]]:
    """Records with their hashes, and the heads that were signed at some positions, the last one among them."""
    items, heads, before = [], [], GENESIS
    contents = draw(st.lists(records, min_size=1, max_size=12))
    for position, content in enumerate(contents, 1):
        record = {"position": position, **content}
        before = link(before, record)
        items.append((position, record, before))
        if position == len(contents) or draw(st.booleans()):
            heads.append(SIGNER.sign(CHAIN, position, before, AT))
    return items, heads


def walked(items: list[Item], heads: list[Head], trusted: bytes = SIGNER.public) -> Walk:
    """What a walk along these finds; heads are met behind the records that they sign for."""
    walk = Walk(CHAIN, {trusted})
    signed = {head.position: head for head in heads}
    for position, record, digest in items:
        walk.record(position, record, digest)
        if position in signed:
            walk.head(signed[position])
    walk.end(heads[-1] if heads else None)
    return walk


def rehashed(items: list[Item], since: int = 1) -> list[Item]:
    """The chain as a thief who can write to the database, but not sign, would recompute it."""
    done: list[Item] = []
    before = GENESIS
    for position, record, digest in items:
        before = link(before, record) if position >= since else digest
        done.append((position, record, before))
    return done


def found_at(walk: Walk, position: int) -> bool:
    return any(finding.first <= position <= finding.last for finding in walk.findings)


@given(chains())
def test_a_chain_that_nobody_touched_is_whole(chain):
    assert walked(*chain).findings == []


@given(chains(), st.data())
def test_a_changed_record_is_found_where_it_stands(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items) - 1))
    position, record, digest = items[at]
    items[at] = (position, {**record, "kind": str(record.get("kind")) + "!"}, digest)
    walk = walked(items, heads)
    assert [finding.fault for finding in walk.findings] == [Fault.CHANGED]
    assert walk.findings[0].last == position
    assert walk.findings[0].first >= position - 1


@given(chains(), st.data())
def test_a_changed_record_is_found_also_when_its_own_hash_was_made_to_fit(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items) - 1))
    position, record, _ = items[at]
    changed = {**record, "kind": str(record.get("kind")) + "!"}
    items[at] = (position, changed, link(items[at - 1][2] if at else GENESIS, changed))
    assert found_at(walked(items, heads), position)


@given(chains(), st.data())
def test_a_changed_hash_is_found_where_it_stands(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items) - 1))
    position, record, digest = items[at]
    items[at] = (position, record, bytes([digest[0] ^ 1]) + digest[1:])
    walk = walked(items, heads)
    assert walk.findings
    assert walk.findings[0].last == position


@given(chains(), st.data())
def test_a_chain_rewritten_from_somewhere_on_is_found_at_the_next_signed_head(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items) - 1))
    position, record, digest = items[at]
    items[at] = (position, {**record, "kind": str(record.get("kind")) + "!"}, digest)
    walk = walked(rehashed(items, position), heads)
    first = walk.findings[0]
    next_head = min(head.position for head in heads if head.position >= position)
    assert (first.fault, first.last) == (Fault.REWRITTEN, next_head)
    assert first.first <= position


@given(chains(), st.data())
def test_removed_records_are_missing_and_named(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items) - 1))
    gone = items.pop(at)[0]
    walk = walked(items, heads)
    assert [(finding.fault, finding.first, finding.last) for finding in walk.findings] == [(Fault.MISSING, gone, gone)]


@given(chains(), st.data())
def test_records_cut_off_at_the_end_are_missed_by_the_signed_head(chain, data):
    items, heads = chain
    kept = data.draw(st.integers(0, len(items) - 1))
    walk = walked(items[:kept], [head for head in heads if head.position <= kept] + heads[-1:])
    assert (Fault.MISSING, kept + 1, len(items)) in [
        (finding.fault, finding.first, finding.last) for finding in walk.findings
    ]


@given(chains(), st.data())
def test_a_record_put_in_is_found(chain, data):
    items, heads = chain
    at = data.draw(st.integers(0, len(items)))
    before = items[at - 1][2] if at else GENESIS
    record = {"position": at + 1, "kind": "never happened"}
    forged = (at + 1, record, link(before, record))
    # Behind the others, the forger shifts the positions of all that follow and recomputes every hash.
    shifted = [(position + 1, {**rest, "position": position + 1}, digest) for position, rest, digest in items[at:]]
    walk = walked(rehashed([*items[:at], forged, *shifted], at + 1), heads)
    assert walk.findings
    assert walk.findings[0].first <= at + 1


@given(chains(), st.data())
def test_records_that_changed_places_are_found(chain, data):
    items, heads = chain
    if len(items) < 2:
        return
    at = data.draw(st.integers(0, len(items) - 2))
    items[at], items[at + 1] = items[at + 1], items[at]
    walk = walked(items, heads)
    assert found_at(walk, at + 1)


@given(chains())
def test_a_record_added_behind_the_head_is_signed_by_nobody(chain):
    items, heads = chain
    record = {"position": len(items) + 1}
    walk = walked([*items, (len(items) + 1, record, link(items[-1][2], record))], heads)
    assert [(finding.fault, finding.first) for finding in walk.findings] == [(Fault.NOT_SIGNED, len(items) + 1)]


@given(chains(), st.data())
def test_a_head_that_somebody_else_signed_vouches_for_nothing(chain, data):
    items, heads = chain
    thief = Signer(b"t" * 32)
    walk = walked(items, [thief.sign(CHAIN, head.position, head.hash, head.at) for head in heads])
    assert {finding.fault for finding in walk.findings} == {Fault.BAD_SIGNATURE, Fault.NOT_SIGNED}


@pytest.mark.parametrize(
    "altered",
    [
        {"position": 2},
        {"hash": b"y" * 32},
        {"chain": "another tenant"},
        {"mark": Mark.FLOOR},
        {"at": AT.replace(second=1)},
        {"signature": b"x" * 64},
        {"signer": b"x"},
    ],
)
def test_a_signature_is_for_one_head_only(altered):
    head = SIGNER.sign(CHAIN, 1, b"x" * 32, AT)
    assert head.signed()
    assert not replace(head, **altered).signed()


def test_a_chain_is_followed_from_a_place_that_is_vouched_for():
    first, second = {"position": 1}, {"position": 2}
    one = link(GENESIS, first)
    walk = Walk(CHAIN, {SIGNER.public}, position=1, start=one)
    walk.record(2, second, link(one, second))
    walk.end(SIGNER.sign(CHAIN, 2, link(one, second), AT))
    assert walk.findings == []


@settings(max_examples=150)
@given(records)
def test_what_is_hashed_is_the_canonical_form_that_every_language_agrees_on(record):
    assert _encoder.encode(record) == canonical(record)


def test_times_always_have_six_digits_behind_the_second():
    assert stamp(AT.replace(microsecond=0)) == "2026-11-20T12:00:00.000000Z"


def test_a_binding_depends_on_key_and_payload():
    assert len({bind(key, digest) for key in (b"a", b"b") for digest in (b"1", b"2")}) == 4
