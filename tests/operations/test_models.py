"""Model lists, single models and detection for clients whose dialect has rules of its own."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore.config.values import Config, Endpoint, ModelRule, Provider
from agcore.operations.models import detected
from agcore.protocol.http import Headers, Origin
from agcore.routing.catalog import Catalog, Resolution
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.story import JSON, Story, gateway
from tests.support.dialogues import config, with_literal_models

CLAUDE: Headers = ((b"anthropic-version", b"2023-06-01"),)


def with_own_rules() -> Config:
    """Anthropic's clients have a name of their own, and so have those of the Responses API."""
    rules = tuple(
        ModelRule(pattern, (((dialect, f"up-{dialect}"),),), dialect)
        for pattern, dialect in (("my-openai", "anthropic"), ("claude", "anthropic"), ("codex", "openai_responses"))
    )
    return msgspec.structs.replace(with_literal_models(config()), models=(*config().models, *rules))


def opened(method: str, target: str, *, headers: Headers = (), body: bytes | None = None) -> Story:
    story = Story(gateway(with_own_rules()))
    story.open(method, target, headers=headers, body=body)
    return story


def value(story: Story) -> Any:
    return json.loads(story.body)


def test_a_request_follows_the_rules_of_its_dialect() -> None:
    for dialogue, host in ((ANTHROPIC, "anthropic.example"), (CHAT, "openai.example")):
        story = Story(gateway(with_own_rules()))
        story.open("POST", dialogue.path, headers=JSON, body=dialogue.request("my-openai", stream=False))
        assert story.requests[1].origin.host == host


@pytest.mark.parametrize(
    ("target", "headers", "own"),
    [
        ("/v1/models", (), set()),
        ("/v1/models", CLAUDE, {"claude"}),
        ("/v1beta/models", (), set()),
        ("/v1/models?client_version=0.144.0", (), {"codex"}),
    ],
)
def test_a_listing_has_the_names_of_the_clients_dialect(target: str, headers: Headers, own: set[str]) -> None:
    body = value(opened("GET", target, headers=headers))
    (entries,) = (entries for entries in body.values() if isinstance(entries, list))
    names = {entry.get("id") or entry.get("slug") or entry["name"] for entry in entries}
    assert names & {"claude", "codex", "models/claude", "models/codex"} == own


def test_a_name_of_one_dialects_clients_is_no_name_for_others() -> None:
    assert opened("GET", "/v1/models/codex", headers=CLAUDE).status == 404
    assert opened("GET", "/v1/models/codex?client_version=0.144.0").status == 200


@pytest.mark.parametrize(("dialect", "provider"), [("", "openai"), ("anthropic", "anthropic"), ("gemini", "openai")])
def test_detection_tells_where_a_name_goes_for_the_clients_of_a_dialect(dialect: str, provider: str) -> None:
    body = {"model": "my-openai", "dialect": dialect} if dialect else {"model": "my-openai"}
    story = opened("POST", "/v1/models/detect", body=json.dumps(body).encode())
    assert [target["provider"] for target in value(story)["targets"]] == [provider]


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
    assert json.loads(detected(found, catalog.profile("glm-4.6v"))) == {
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
        assert json.loads(detected(found, catalog.profile(model)))["capabilities"]["audio"] is True
