from __future__ import annotations

import json
from typing import Any

import anthropic.types
import openai.types
import pytest
from google.genai import types as google_types
from hypothesis import given
from hypothesis import strategies as st

from agcore.config.values import Config, Endpoint, ModelRule, Provider
from agcore.dialects.model_lists import (
    anthropic_list,
    anthropic_model,
    codex_catalogue,
    detect,
    gemini_list,
    gemini_model,
    openai_list,
    openai_model,
)
from agcore.models.profiles import KNOWN_IDS, Profile, profile
from agcore.protocol.http import Origin
from agcore.routing.catalog import Catalog, ListedModel, Resolution


def listed(model: str, provider: str = "somewhere", upstream: str = "") -> ListedModel:
    return ListedModel(model, provider, upstream or model, profile(upstream or model))


EVERY = tuple(listed(model) for model in (*KNOWN_IDS, "my-own-llm", "models with / strange: names"))


def read(body: bytes) -> Any:
    return json.loads(body)


def test_openai_accepts_every_entry() -> None:
    body = read(openai_list(EVERY))
    assert body["object"] == "list"
    models = [openai.types.Model.model_validate(entry, strict=True) for entry in body["data"]]
    assert [model.id for model in models] == [entry.id for entry in EVERY]
    assert read(openai_model(EVERY[3])) == body["data"][3]


def test_openai_owner_is_the_provider_and_the_date_that_of_the_table() -> None:
    assert read(openai_model(listed("gpt-4.1", "openai"))) == {
        "id": "gpt-4.1",
        "object": "model",
        "created": 1744588800,
        "owned_by": "openai",
    }


def test_anthropic_accepts_every_entry() -> None:
    for entry in EVERY:
        info = anthropic.types.ModelInfo.model_validate(read(anthropic_model(entry)))
        assert info.id == entry.id
        assert info.created_at.timestamp() == entry.profile.created
        assert info.max_input_tokens == (entry.profile.context_window or None)


def test_anthropic_tells_apart_how_models_think() -> None:
    def types(model: str) -> dict[str, bool]:
        thinking = read(anthropic_model(listed(model)))["capabilities"]["thinking"]
        return {name: support["supported"] for name, support in thinking["types"].items()}

    rows = {
        "claude-haiku-4-5": (False, True, True),
        "claude-sonnet-4-6": (True, True, True),
        "claude-fable-5": (True, False, False),
        "claude-3-haiku-20240307": (False, False, True),
        "gpt-5": (True, True, False),
    }
    for model, (adaptive, enabled, disabled) in rows.items():
        expected = {"adaptive": adaptive, "enabled": enabled, "disabled": disabled, "between_tools": False}
        assert types(model) == expected, model


def test_an_alias_is_shown_under_its_own_name() -> None:
    alias = listed("fast", upstream="gemini-3-flash")
    assert read(anthropic_model(alias))["display_name"] == "fast"
    assert read(gemini_model(alias))["displayName"] == "fast"
    assert read(gemini_model(alias))["inputTokenLimit"] == 1_048_576


def test_anthropic_pages_are_twenty_long() -> None:
    body = read(anthropic_list(EVERY))
    assert len(body["data"]) == 20
    assert body["has_more"] is True
    assert body["first_id"] == EVERY[0].id
    assert body["last_id"] == EVERY[19].id


def test_an_empty_anthropic_list_has_no_ids() -> None:
    assert read(anthropic_list(())) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@given(size=st.integers(0, 12), limit=st.integers(1, 5))
def test_anthropic_paging_visits_each_model_once_both_ways(size: int, limit: int) -> None:
    models = EVERY[:size]
    forwards: list[str] = []
    page = read(anthropic_list(models, limit=limit))
    forwards += [entry["id"] for entry in page["data"]]
    while page["has_more"]:
        page = read(anthropic_list(models, limit=limit, after_id=page["last_id"]))
        forwards += [entry["id"] for entry in page["data"]]
    assert forwards == [entry.id for entry in models]
    if not models:
        return
    backwards = [models[-1].id]
    page = read(anthropic_list(models, limit=limit, before_id=models[-1].id))
    backwards[:0] = [entry["id"] for entry in page["data"]]
    while page["has_more"]:
        page = read(anthropic_list(models, limit=limit, before_id=page["first_id"]))
        backwards[:0] = [entry["id"] for entry in page["data"]]
    assert backwards == forwards


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 0}, "limit: must be between 1 and 1000"),
        ({"limit": 1001}, "limit: must be between 1 and 1000"),
        ({"after_id": "no-such"}, "after_id: does not name a model of this list"),
        ({"before_id": "no-such"}, "before_id: does not name a model of this list"),
        ({"before_id": "gpt-5", "after_id": "gpt-5"}, "only one of them"),
    ],
)
def test_a_bad_anthropic_page_is_refused(query: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        anthropic_list(EVERY, **query)


def test_google_accepts_every_entry() -> None:
    for entry in EVERY:
        model = google_types.Model.model_validate(
            {
                # The SDK renames this one before it validates.
                ("supportedActions" if key == "supportedGenerationMethods" else key): value
                for key, value in read(gemini_model(entry)).items()
                if key != "baseModelId"
            }
        )
        assert model.name == f"models/{entry.id}"
        assert model.output_token_limit == entry.profile.max_output_tokens


def test_google_methods_follow_from_what_a_model_can_do() -> None:
    def methods(model: str) -> list[str]:
        found: list[str] = read(gemini_model(listed(model)))["supportedGenerationMethods"]
        return found

    assert methods("gemini-2.5-pro") == ["generateContent", "streamGenerateContent", "countTokens"]
    assert methods("gemini-embedding-001") == ["embedContent", "batchEmbedContents"]
    assert methods("whisper-1") == []


def test_google_sampling_defaults_are_given_where_sampling_is_taken() -> None:
    assert read(gemini_model(listed("gemini-2.5-pro")))["maxTemperature"] == 2.0
    assert read(gemini_model(listed("claude-haiku-4-5")))["maxTemperature"] == 1.0
    assert "temperature" not in read(gemini_model(listed("gpt-5")))


@given(size=st.integers(0, 12), page_size=st.integers(1, 5))
def test_google_paging_visits_each_model_once(size: int, page_size: int) -> None:
    models = EVERY[len(EVERY) - size :]
    page = read(gemini_list(models, page_size=page_size))
    seen = [entry["name"] for entry in page["models"]]
    while "nextPageToken" in page:
        page = read(gemini_list(models, page_size=page_size, page_token=page["nextPageToken"]))
        seen += [entry["name"] for entry in page["models"]]
    assert seen == [f"models/{entry.id}" for entry in models]


def test_google_pages_are_fifty_long_and_a_thousand_at_most() -> None:
    assert len(read(gemini_list(EVERY))["models"]) == 50
    many = [listed(f"m-{n}") for n in range(1100)]
    assert len(read(gemini_list(many, page_size=5000))["models"]) == 1000


@pytest.mark.parametrize("token", ["!", "AAAAA", "_w", "Z3B0LTk5", "aå"])
def test_a_token_that_the_list_did_not_give_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="pageToken: does not name a model of this list"):
        gemini_list(EVERY, page_token=token)


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(ValueError, match="pageSize: must not be negative"):
        gemini_list(EVERY, page_size=-1)


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
    entries = read(codex_catalogue(EVERY))["models"]
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
    slugs = {entry["slug"] for entry in read(codex_catalogue(EVERY))["models"]}
    assert {"claude-sonnet-4-5", "gpt-4.1", "glm-4.6", "my-own-llm"} <= slugs
    assert slugs.isdisjoint({"gpt-5", "gpt-5.5", "gpt-6-sol", "whisper-1", "gpt-image-2", "gemini-2.5-flash-image"})


def test_codex_entries_say_what_the_model_sees_and_how_it_reasons() -> None:
    by_slug = {entry["slug"]: entry for entry in read(codex_catalogue(EVERY))["models"]}
    assert by_slug["glm-4.6"]["input_modalities"] == ["text"]
    assert by_slug["glm-4.6v"]["input_modalities"] == ["text", "image"]
    assert by_slug["claude-haiku-4-5"]["default_reasoning_level"] == "medium"
    assert by_slug["gemini-3-pro"]["default_reasoning_level"] == "high"
    assert by_slug["gpt-4.1"]["default_reasoning_level"] is None


def test_codex_gets_a_context_window_where_none_is_known() -> None:
    unknown = ListedModel("m", "p", "m", Profile(model="m", display_name="m", context_window=0))
    assert read(codex_catalogue([unknown]))["models"][0]["context_window"] == 128_000


def endpoint(dialect: str) -> Endpoint:
    return Endpoint(dialect, Origin("https", "up.example", 443), b"", "bearer")


def test_detect_tells_where_a_name_goes_and_what_answers() -> None:
    spoken = {"anthropic": endpoint("anthropic"), "openai": endpoint("openai")}
    zai = Provider(name="zai", endpoints=spoken, weight=2.5)
    gemini = Provider(name="gemini", endpoints={"gemini": endpoint("gemini")})
    rule = ModelRule("gpt-*", ((("zai", "glm-4.6v"), ("gemini", "gemini-3-flash")), (("zai", "*"),)))
    catalog = Catalog(Config(providers=(zai, gemini), models=(rule,)))
    found = catalog.resolve("gpt-4o")
    assert isinstance(found, Resolution)
    assert read(detect(found, catalog.profile("glm-4.6v"))) == {
        "model": "gpt-4o",
        "provider": "zai",
        "upstream_model": "glm-4.6v",
        "dialect": "anthropic",
        "dialects": ["anthropic", "openai"],
        "rule": '[models] glob "gpt-*"',
        "targets": [
            {"step": 0, "provider": "zai", "model": "glm-4.6v", "dialects": ["anthropic", "openai"], "weight": 2.5},
            {"step": 0, "provider": "gemini", "model": "gemini-3-flash", "dialects": ["gemini"], "weight": 1},
            {"step": 1, "provider": "zai", "model": "gpt-4o", "dialects": ["anthropic", "openai"], "weight": 2.5},
        ],
        "capabilities": {
            "chat": True,
            "tools": True,
            "vision": True,
            "pdf": False,
            "reasoning": True,
            "reasoning_kind": "budget",
            "reasoning_efforts": ["none"],
            "structured_output": True,
            "sampling": True,
            "images": False,
            "audio": False,
            "audio_input": False,
            "transcription": False,
            "speech": False,
            "embeddings": False,
            "context_window": 128_000,
            "max_output_tokens": 32_768,
        },
    }


def test_detect_counts_hearing_and_speaking_as_audio() -> None:
    provider = Provider(name="openai", endpoints={"openai": endpoint("openai")})
    catalog = Catalog(Config(providers=(provider,)))
    for model in ("whisper-1", "tts-1", "gpt-audio"):
        found = catalog.resolve(model)
        assert isinstance(found, Resolution)
        assert read(detect(found, catalog.profile(model)))["capabilities"]["audio"] is True
