"""Exact ids pass, floating aliases are refused with what to pin instead."""

import pytest

from quarterdeck.spec.pins import Exact, Floating, Unknown, judge_pin, refusal, same_model


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("anthropic", "claude-3-7-sonnet-20250219"),
        ("anthropic", "claude-3-opus-20240229"),
        ("openai", "gpt-4-turbo-2024-04-09"),
        ("openai", "gpt-4o-mini-2024-07-18"),
        ("anthropic", "claude-opus-4-6"),
        ("google", "gemini-2.0-flash-001"),
        ("google", "models/gemini-2.5-flash"),
        (None, "gpt-4.1-mini-2025-04-14"),
        ("recorded", "claude-sonnet-4-5-20250929"),
    ],
)
def test_a_listed_exact_id_is_accepted(kind: str | None, model: str):
    assert judge_pin(kind, model) == Exact(listed=True)
    assert refusal(kind, model) is None


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("openai", "gpt-9-2031-02-28"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123"),
        ("anthropic", "claude-opus-9-20300101"),
        ("anthropic", "claude-opus-6"),
        ("google", "gemini-5.5-pro-002"),
        ("google", "gemini-5-pro"),
        ("ollama", "llama3.1:8b"),
        ("openai_compatible", "meta-llama/Llama-3.1-8B-Instruct"),
        ("scripted", "anything-goes"),
    ],
)
def test_an_id_that_is_newer_than_the_table_is_known_by_its_shape(kind: str, model: str):
    assert judge_pin(kind, model) == Exact(listed=False)


@pytest.mark.parametrize(
    ("kind", "model", "instead"),
    [
        (None, "gpt-4", "gpt-4-turbo-2024-04-09"),
        (None, "claude-sonnet", "claude-sonnet-4-5-20250929"),
        (None, "claude-3-opus", "claude-3-opus-20240229"),
        ("openai", "gpt-4o", "gpt-4o-2024-11-20"),
        ("anthropic", "claude-3-7-sonnet-latest", "claude-3-7-sonnet-20250219"),
        ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("google", "gemini-2.0-flash", "gemini-2.0-flash-001"),
        ("google", "gemini-flash-latest", "gemini-3.8-flash"),
        ("openai_compatible", "openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("recorded", "gpt-4", "gpt-4-0613"),
    ],
)
def test_a_floating_alias_is_refused_with_the_exact_ids(kind: str | None, model: str, instead: str):
    judgement = judge_pin(kind, model)
    assert isinstance(judgement, Floating)
    assert instead in judgement.exact
    assert instead in (refusal(kind, model) or "")


def test_snapshots_of_the_alias_come_before_its_siblings():
    judgement = judge_pin("openai", "gpt-4o")
    assert isinstance(judgement, Floating)
    assert judgement.exact[:3] == ("gpt-4o-2024-11-20", "gpt-4o-2024-08-06", "gpt-4o-2024-05-13")


@pytest.mark.parametrize("model", ["llama3.1", "llama3.1:latest"])
def test_an_ollama_model_without_a_tag_floats(model: str):
    assert judge_pin("ollama", model) == Floating(())
    assert "tag" in (refusal("ollama", model) or "")


def test_an_alias_without_known_snapshots_says_what_form_is_accepted():
    assert "ends in its date" in (refusal("openai", "gpt-6-sol") or "")
    assert refusal("openai", "gpt-6-sol-2026-09-22") is None


def test_a_mistyped_id_is_unknown_with_what_looks_like_it():
    assert judge_pin("anthropic", "claud-3-opus-20240229") == Unknown(
        ("claude-3-opus-20240229", "claude-3-sonnet-20240229")
    )


def test_an_unknown_id_is_refused_only_where_the_vendor_is_known():
    assert judge_pin(None, "our-own-model") == Unknown(())
    assert refusal(None, "our-own-model") is None
    assert refusal("openai", "our-own-model") is not None


@pytest.mark.parametrize(
    ("pinned", "served"),
    [
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gemini-2.5-flash", "models/gemini-2.5-flash"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("claude-opus-4-6", "claude-opus-4-6-20260205"),
        ("claude-3-opus@20240229", "claude-3-opus-20240229"),
        ("llama3:8b", "llama3:8b"),
        ("Llama-3.1-8B", "accounts/x/models/llama-3.1-8b"),
    ],
)
def test_other_spellings_of_the_pinned_model_are_the_same_model(pinned: str, served: str):
    assert same_model(pinned, served)


@pytest.mark.parametrize(
    ("pinned", "served"),
    [
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-05-13", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-mini-2024-07-18"),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("claude-opus-4-6", "claude-opus-4-7"),
        ("claude-sonnet-5", "claude-sonnet-5-5"),
        ("claude-sonnet-5", "claude-sonnet-5-5-20260928"),
        ("gpt-4o-2024-05-13", ""),
    ],
)
def test_another_model_is_not_the_pinned_one(pinned: str, served: str):
    assert not same_model(pinned, served)
