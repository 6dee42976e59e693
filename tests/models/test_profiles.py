from __future__ import annotations

import datetime
from typing import get_args

import anthropic.types
import msgspec
import openai.types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.globs import matches
from agcore.models.known import KNOWN_IDS, profile
from agcore.models.overrides import override_problem
from agcore.models.profiles import CAPABILITY_FIELDS, REASONING_KINDS, Profile
from agcore.models.table import FAMILIES, MODELS, REASONING

LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def test_a_known_id_gets_its_row() -> None:
    found = profile("claude-sonnet-4-5")
    assert (found.display_name, found.vendor) == ("Claude Sonnet 4.5", "anthropic")
    assert (found.context_window, found.max_output_tokens) == (200_000, 64_000)
    assert (found.reasoning, found.efforts, found.min_budget, found.max_budget) == ("budget", ("none",), 1024, 63_999)
    assert found.tools
    assert found.vision
    assert found.pdf
    assert not found.audio_in


def test_a_dated_id_gets_the_values_of_its_model_under_its_own_name() -> None:
    dated = profile("claude-sonnet-4-5-20250929")
    plain = profile("claude-sonnet-4-5")
    assert dated.display_name == "claude-sonnet-4-5-20250929"
    assert msgspec.structs.replace(dated, model=plain.model, display_name=plain.display_name) == plain


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("gpt-4.1--some-suffix", "gpt-4.1"),
        ("gpt-5--mini-nano-image", "gpt-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5"),
        ("gpt-5.4-2026-03-05", "gpt-5.5"),
        ("gpt-4o-audio-preview--x", "gpt-audio"),
        ("gemini-3-flash--an-image", "gemini-3-flash"),
        ("gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"),
        ("gemini-2.5-flash-image-preview", "gemini-2.5-flash-image"),
        ("claude-opus-4-20250514", "claude-opus-4-1"),
        ("claude-opus-4-7-20260416", "claude-opus-4-7"),
        ("claude-opus-9", "claude-sonnet-5-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("z-ai/glm-4.6", "glm-4.6"),
        ("glm-4.6v-flash", "glm-4.6v"),
        ("text-embedding-3-large-x", "text-embedding-3-small"),
    ],
)
def test_a_variant_takes_after_its_family(name: str, like: str) -> None:
    found, base = profile(name), profile(like)
    neutral = {"model": "", "display_name": "", "created": 0, "listed": True}
    assert msgspec.structs.replace(found, **neutral) == msgspec.structs.replace(base, **neutral)
    assert found.model == name


def test_an_unknown_name_gets_a_generous_default_that_does_not_reason() -> None:
    found = profile("my-own-llm")
    assert found == Profile(model="my-own-llm", display_name="my-own-llm")
    assert found.tools
    assert found.sampling
    assert found.reasoning == "none"


def test_an_absurdly_long_name_is_unknown() -> None:
    name = "claude-" + "x" * 1000
    assert profile(name) == Profile(model=name, display_name=name)


def test_models_refuse_what_their_vendors_say() -> None:
    assert not profile("claude-opus-4-7").sampling
    assert profile("claude-opus-4-7").max_budget == 0
    assert "none" not in profile("claude-fable-5").efforts
    assert "xhigh" not in profile("claude-sonnet-4-6").efforts
    assert profile("claude-sonnet-4-6").sampling
    assert not profile("o3").sampling
    assert not profile("gpt-5").sampling
    assert "none" not in profile("gemini-2.5-pro").efforts
    assert profile("gemini-3-pro").efforts == ("low", "high")
    assert profile("gpt-4.1").reasoning == "none"
    assert not profile("whisper-1").chat
    assert profile("gpt-image-1").image_output


def test_the_release_date_is_midnight_utc() -> None:
    expected = datetime.datetime(2025, 9, 29, tzinfo=datetime.UTC).timestamp()
    assert profile("claude-sonnet-4-5").created == expected
    assert profile("gpt-6-sol").created == 0


def test_every_row_is_sound() -> None:
    words = {field for field, kind in CAPABILITY_FIELDS.items() if kind is bool} | {"unlisted"}
    assert len(set(KNOWN_IDS)) == len(MODELS) >= 60
    for model, _, vendor, _, context, output, reasoning, text in MODELS:
        found = profile(model)
        assert found.vendor == vendor
        assert vendor
        assert set(text.split()) <= words, model
        assert reasoning in REASONING, model
        assert output <= context or not found.chat, model
        assert found.max_budget < max(found.max_output_tokens, 1), model
        assert found.chat or not (found.tools or found.sampling or found.reasoning != "none"), model
    for kind, efforts, smallest, largest in REASONING.values():
        assert kind in REASONING_KINDS
        assert tuple(level for level in LEVELS if level in efforts) == efforts
        assert smallest <= largest


def test_every_family_names_a_row_and_is_named_once() -> None:
    globs = [pattern for pattern, _ in FAMILIES]
    assert len(set(globs)) == len(globs)
    assert {like for _, like in FAMILIES} <= set(KNOWN_IDS)


def test_no_family_speaks_for_a_model_of_another_vendor() -> None:
    for pattern, like in FAMILIES:
        for model in KNOWN_IDS:
            assert not matches(pattern, model) or profile(model).vendor == profile(like).vendor, (pattern, model)


def test_the_models_that_the_vendors_sdks_name_are_of_a_known_vendor() -> None:
    claude = next(arg for arg in get_args(anthropic.types.Model) if arg is not str)
    assert {profile(name).vendor for name in get_args(claude)} == {"anthropic"}
    names = (*get_args(openai.types.ChatModel), *get_args(openai.types.ImageModel), *get_args(openai.types.AudioModel))
    assert {profile(name).vendor for name in names} == {"openai"}
    assert all(profile(name).chat for name in get_args(openai.types.ChatModel))
    assert all(profile(name).image_output for name in get_args(openai.types.ImageModel))
    assert all(profile(name).transcription for name in get_args(openai.types.AudioModel))
    assert all(profile(name).embeddings for name in get_args(openai.types.EmbeddingModel))


def test_an_override_sets_its_field_and_nothing_else() -> None:
    found = profile("gpt-4o", {"gpt-*": {"vision": False}, "claude-*": {"tools": False}})
    assert found == msgspec.structs.replace(profile("gpt-4o"), vision=False)


def test_overrides_that_match_nothing_change_nothing() -> None:
    assert profile("gpt-4o", {"claude-*": {"tools": False}}) is profile("gpt-4o")


def test_for_each_field_the_most_literal_override_wins() -> None:
    overrides = {
        "my-model-*": {"sampling": False, "context_window": 1},
        "my-*": {"sampling": True, "tools": False},
        "my-model-x": {"context_window": 2},
    }
    found = profile("my-model-x", overrides)
    assert (found.sampling, found.tools, found.context_window) == (False, False, 2)


def test_of_equally_literal_overrides_the_plain_name_wins_then_the_earlier_one() -> None:
    assert profile("ab", {"ab*": {"context_window": 1}, "ab": {"context_window": 2}}).context_window == 2
    assert profile("ab", {"ab": {"context_window": 2}, "ab*": {"context_window": 1}}).context_window == 2
    assert profile("ab", {"a*": {"context_window": 3}, "*b": {"context_window": 4}}).context_window == 3


def test_overriding_the_kind_of_reasoning_brings_what_is_usual_for_it() -> None:
    found = profile("my-model", {"*": {"reasoning": "budget"}})
    assert (found.efforts, found.min_budget, found.max_budget) == (("none",), 1024, 32_768)
    found = profile("my-model", {"*": {"reasoning": "effort", "efforts": ["low", "max"]}})
    assert (found.reasoning, found.efforts) == ("effort", ("low", "max"))


def test_naming_the_kind_of_reasoning_a_model_has_anyway_keeps_its_levels() -> None:
    assert profile("gpt-5", {"gpt-5": {"reasoning": "effort"}}) == profile("gpt-5")


@given(name=st.text(max_size=40))
def test_every_name_has_a_profile_and_always_the_same(name: str) -> None:
    assert profile(name).model == name
    assert profile(name) == profile(name)


def test_every_capability_is_a_field_and_every_default_has_its_type() -> None:
    plain = Profile(model="x", display_name="x")
    for field, kind in CAPABILITY_FIELDS.items():
        assert isinstance(getattr(plain, field), tuple if kind is list else kind)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("tools", True, ""),
        ("tools", 1, "must be true or false"),
        ("context_window", 1000, ""),
        ("context_window", True, "must be a whole number"),
        ("context_window", -1, "must not be negative"),
        ("display_name", 5, "must be a string"),
        ("efforts", ["low"], ""),
        ("efforts", "low", "must be a list of strings"),
        ("efforts", [1], "must be a list of strings"),
        ("reasoning", "level", ""),
        ("reasoning", "lots", "must be one of none, effort, budget, adaptive, level"),
    ],
)
def test_a_setting_of_a_capability_is_checked(field: str, value: object, problem: str) -> None:
    assert override_problem(field, value) == problem


def test_an_unknown_capability_is_told_the_known_ones() -> None:
    assert override_problem("visoin", True).startswith("is none of display_name, context_window")
