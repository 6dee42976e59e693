"""Codex's catalogue of models."""

from __future__ import annotations

from agcore.dialects.openai import codex_models as codex
from agcore.models.listing import ListedModel
from agcore.models.profiles import Profile
from tests.support.model_lists import EVERY, query, read

CODEX_REQUIRED = {
    # Members without a default in some Codex from 0.143 to 0.155: one that lacks fails the whole catalogue.
    "slug",
    "display_name",
    "description",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "availability_nux",
    "upgrade",
    "base_instructions",
    "supports_reasoning_summaries",
    "support_verbosity",
    "default_verbosity",
    "apply_patch_tool_type",
    "truncation_policy",
    "supports_parallel_tool_calls",
    "experimental_supported_tools",
}


def test_codex_entries_have_all_that_codex_requires() -> None:
    entries = read(codex.write_list(EVERY, query()))["models"]
    assert len(entries) > 20
    for entry in entries:
        assert entry.keys() >= CODEX_REQUIRED
        assert entry["base_instructions"].strip()
        assert entry["context_window"] > 0
        levels = [level["effort"] for level in entry["supported_reasoning_levels"]]
        assert entry["default_reasoning_level"] in (levels or [None])
        assert all(level["description"] for level in entry["supported_reasoning_levels"])
    assert len({entry["priority"] for entry in entries}) == len(entries)


def test_codex_is_told_of_models_it_can_drive_and_does_not_know_itself() -> None:
    slugs = {entry["slug"] for entry in read(codex.write_list(EVERY, query()))["models"]}
    assert {"claude-sonnet-4-5", "gpt-4.1", "glm-4.6", "my-own-llm"} <= slugs
    assert slugs.isdisjoint({"gpt-5", "gpt-5.5", "gpt-6-sol", "whisper-1", "gpt-image-2", "gemini-2.5-flash-image"})


def test_codex_entries_say_what_the_model_sees_and_how_it_reasons() -> None:
    by_slug = {entry["slug"]: entry for entry in read(codex.write_list(EVERY, query()))["models"]}
    assert by_slug["glm-4.6"]["input_modalities"] == ["text"]
    assert by_slug["glm-4.6v"]["input_modalities"] == ["text", "image"]
    assert by_slug["claude-haiku-4-5"]["default_reasoning_level"] == "medium"
    assert by_slug["gemini-3-pro"]["default_reasoning_level"] == "high"
    assert by_slug["gpt-4.1"]["default_reasoning_level"] is None


def test_codex_gets_a_context_window_where_none_is_known() -> None:
    unknown = ListedModel("m", "p", "m", Profile(model="m", display_name="m", context_window=0))
    assert read(codex.write_list([unknown], query()))["models"][0]["context_window"] == 128_000
