"""Names of models that are no paths, paths of many forms, and what is not served: what each client is told."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Gateway
from agcore.config.values import ClientKey, ModelRule, Provider, Proxy, Secret
from agcore.protocol.http import Headers
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, Story, gateway
from tests.support.dialogues import CLIENT_KEY, config, ids, provider, with_client_key, with_literal_models

GOOGLE: Headers = ((b"x-goog-api-key", CLIENT_KEY.encode()),)


def serving(dialogue: Dialogue, *models: str, name: str = "") -> Provider:
    """A provider with these models."""
    return msgspec.structs.replace(provider(dialogue, name=name), models=models)


def ask(
    server: Gateway, dialogue: Dialogue, model: str, *, path: str = "", stream: bool = False, headers: Headers = ()
) -> Story:
    story = Story(server)
    body = dialogue.request(model, stream=stream)
    story.open("POST", path or dialogue.target(model, stream=stream), headers=(*JSON, *headers), body=body)
    return story


# A model's name is never a path.

ELSEWHERE = [
    "gemini-flash-x/../gemini-ultra",
    "gemini-flash-x/../../tunedModels/secret",
    "gemini-flash-x/./y",
    "gemini-flash-x//y",
    "gemini-flash-x/",
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [*ELSEWHERE, "gem/../../v1/admin", "gem/.."])
@pytest.mark.parametrize("dialogue", [CHAT, RESPONSES, ANTHROPIC], ids=ids)
def test_a_name_that_would_lead_to_another_path_is_refused(dialogue: Dialogue, model: str, stream: bool) -> None:
    server = gateway(config(providers=(serving(GEMINI, "gemini-*", name="gem"),)))
    story = ask(server, dialogue, model, stream=stream)
    assert (story.status, list(story.requests)) == (400, [])
    assert "its name would lead to another path" in story.text()


def test_no_such_name_gets_past_a_keys_list_of_models() -> None:
    setup = config(
        providers=(serving(GEMINI, "gemini-*", name="gem"),),
        proxy=with_client_key(models=("gemini-flash-*",)),
    )
    key: Headers = ((b"x-api-key", CLIENT_KEY.encode()),)
    for model, status in (*((each, 400) for each in ELSEWHERE), ("gemini-ultra", 403)):
        story = ask(gateway(setup), CHAT, model, headers=key)
        assert (story.status, list(story.requests)) == (status, [])


@pytest.mark.parametrize("target", ["/v1/messages/count_tokens", "/v1/embeddings", "/v1/images/generations"])
def test_no_other_task_makes_a_path_of_a_name(target: str) -> None:
    server = gateway(config(providers=(serving(GEMINI, "gemini-*", name="gem"),)))
    story = Story(server)
    body = {"model": "gemini-x/../y", "messages": [{"role": "user", "content": "a"}], "input": "a", "prompt": "a"}
    story.open("POST", target, headers=JSON, body=json.dumps(body).encode())
    assert (story.status, list(story.requests)) == (400, [])


@pytest.mark.parametrize("model", ["../models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "/models/x", "a//b"])
def test_where_the_name_stands_in_the_body_it_may_be_anything(model: str) -> None:
    story = ask(gateway(config(providers=(serving(CHAT, "*"),))), CHAT, model)
    body = story.requests[1].body
    assert isinstance(body, bytes)
    assert json.loads(body)["model"] == model


# Claude Code's mark.


@pytest.mark.parametrize("mark", ["[1m]", "[1M]", "[1m][1m]", " [1m]"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/anthropic/v1/messages"])
def test_the_mark_of_a_long_context_is_no_part_of_a_name(path: str, mark: str) -> None:
    setup = with_literal_models(config())
    rules = (*setup.models, ModelRule("fast", ((("anthropic", "up-anthropic"),),)))
    server = gateway(msgspec.structs.replace(setup, models=rules))
    for name in ("up-anthropic", "fast"):
        story = ask(server, ANTHROPIC, name + mark, path=path)
        body = story.requests[1].body
        assert isinstance(body, bytes)
        assert json.loads(body)["model"] == "up-anthropic"


def test_the_mark_is_taken_off_before_a_name_is_translated_or_looked_up() -> None:
    server = gateway(with_literal_models(config()))
    story = ask(server, ANTHROPIC, "up-openai[1m]")
    assert b'"up-openai"' in (story.requests[1].body or b"")  # type: ignore[operator]
    story = Story(server)
    story.open("GET", "/v1/models/up-openai%5B1m%5D", headers=((b"anthropic-version", b"2023-06-01"),))
    assert (story.status, json.loads(story.body)["id"]) == (200, "up-openai")


def test_clients_of_other_dialects_mean_what_they_write() -> None:
    assert ask(gateway(with_literal_models(config())), CHAT, "up-openai[1m]").status == 404


def test_a_name_that_is_nothing_but_the_mark_is_a_name() -> None:
    assert ask(gateway(with_literal_models(config())), ANTHROPIC, "[1m]").status == 404


# Methods that no route has.


def test_a_method_of_googles_passes_to_a_gemini_provider_as_it_is() -> None:
    server = gateway(config())
    story = ask(server, GEMINI, GEMINI.model, path=f"/v1/models/{GEMINI.model}:batchGenerateContent?alt=json&key=x")
    request = story.requests[1]
    assert request.target.endswith(b"/v1/models/up-gemini:batchGenerateContent?alt=json")
    story.upstream_answers(200, b'{"name":"batches/1","metadata":{}}')
    assert (story.status, json.loads(story.body)) == (200, {"name": "batches/1", "metadata": {}})


def test_a_method_is_renamed_where_its_model_is() -> None:
    setup = config()
    rules = (*setup.models, ModelRule("mine", ((("gemini", "up-gemini"),),)))
    story = ask(
        gateway(msgspec.structs.replace(setup, models=rules)),
        GEMINI,
        "mine",
        path="/v1beta/models/mine:asyncBatchEmbedContent",
    )
    assert story.requests[1].target.endswith(b"/v1beta/models/up-gemini:asyncBatchEmbedContent")


def test_a_method_at_a_provider_of_another_dialect_is_named_in_a_501() -> None:
    story = ask(gateway(config()), GEMINI, CHAT.model, path=f"/v1beta/models/{CHAT.model}:batchGenerateContent")
    told = json.loads(story.body)["error"]
    assert (story.status, told["status"], list(story.requests)) == (501, "UNIMPLEMENTED", [])
    assert "'batchGenerateContent'" in told["message"]


@pytest.mark.parametrize("where", ["a line of [models]", "a provider's models"])
def test_a_name_that_is_written_down_is_no_method(where: str) -> None:
    name = "x:batchGenerateContent"
    setup = config()
    if where == "a provider's models":
        setup = config(providers=(serving(CHAT, name), provider(GEMINI)))
    else:
        rules = (*setup.models, ModelRule(name, ((("openai", "up-openai"),),)))
        setup = msgspec.structs.replace(setup, models=rules)
    story = ask(gateway(setup), GEMINI, name, path=f"/v1beta/models/{name}")
    assert story.requests[1].target.endswith(b"/chat/completions")


# Forms of a path, and of a key.


@pytest.mark.parametrize(
    ("dialogue", "path"),
    [
        (CHAT, "/chat/completions"),
        (CHAT, "/openai/v1/chat/completions"),
        (CHAT, "/v1beta/openai/chat/completions"),
        (CHAT, "/openai/deployments/up-openai/chat/completions?api-version=2024-10-21"),
        (RESPONSES, "/responses"),
        (RESPONSES, "/openai/responses"),
        (ANTHROPIC, "/messages"),
        (ANTHROPIC, "/anthropic/v1/messages"),
        (GEMINI, "/gemini/v1beta/models/up-gemini:generateContent"),
        (GEMINI, "/models/up-gemini:generateContent"),
    ],
)
def test_nearly_right_urls_are_served(dialogue: Dialogue, path: str) -> None:
    setup = config(proxy=with_client_key())
    story = ask(gateway(setup), dialogue, dialogue.model, path=path, headers=((b"api-key", CLIENT_KEY.encode()),))
    assert story.requests[1].origin.host == f"{dialogue.dialect.replace('_', '-')}.example"
    assert all(name != b"api-key" for name, _ in story.requests[1].headers)
    story.upstream_answers(200, dialogue.answer)
    assert (story.status, story.row["client_key"]) == (200, "alice")


def test_the_prefix_is_no_way_around_a_key() -> None:
    strict = Proxy(keys=(ClientKey("alice", Secret(CLIENT_KEY)),), auth_mode="strict")
    for path in ("/openai/v1/models", "/anthropic/healthz", "/gemini", "/models"):
        story = Story(gateway(config(proxy=strict)))
        story.open("GET", path)
        assert story.status == 401


# What is not served.

PATHS = ["/v1/files", "/v1/files/file_1", "/v1/batches/b/cancel", "/v1/conversations", "/v1/skills", "/v1/interactions"]


def told(path: str, headers: Headers) -> tuple[int, Any]:
    story = Story(gateway(config()))
    story.open("GET", path, headers=headers)
    return story.status, json.loads(story.body)


@pytest.mark.parametrize("path", [*PATHS, "/v1beta/files", "/upload/v1/files", "/v1/auth_tokens"])
def test_googles_clients_are_refused_in_googles_shape(path: str) -> None:
    status, body = told(path, ((b"x-goog-api-client", b"google-genai-sdk/3.6"),))
    assert (status, body["error"]["code"], body["error"]["status"]) == (501, 501, "UNIMPLEMENTED")
    assert path in body["error"]["message"]


@pytest.mark.parametrize("path", [*PATHS, "/v1/sessions/s/events", "/v1/agents", "/v1/messages/batches/b"])
def test_anthropics_clients_are_refused_in_anthropics_shape(path: str) -> None:
    status, body = told(path, ((b"anthropic-version", b"2023-06-01"),))
    assert (status, body["type"], path in body["error"]["message"]) == (501, "error", True)


@pytest.mark.parametrize(
    "path", [*PATHS, "/v1/vector_stores/vs_1/files", "/v1/containers", "/v1/videos", "/v1/uploads"]
)
def test_openais_clients_are_refused_in_openais_shape(path: str) -> None:
    status, body = told(path, ((b"authorization", b"Bearer x"),))
    assert (status, body["error"]["code"], path in body["error"]["message"]) == (501, "not_supported", True)


def test_a_wrong_key_is_refused_in_the_shape_of_who_shows_it() -> None:
    strict = Proxy(keys=(ClientKey("alice", Secret(CLIENT_KEY)),), auth_mode="strict")
    for name, value, member in (
        (b"x-goog-api-key", b"wrong", "status"),
        (b"anthropic-version", b"2023-06-01", "type"),
        (b"authorization", b"Bearer wrong", "param"),
    ):
        for path in ("/v1/files", "/v1/nowhere"):
            story = Story(gateway(config(proxy=strict)))
            story.open("GET", path, headers=((name, value),))
            assert (story.status, member in json.loads(story.body)["error"]) == (401, True)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/v1/mesages", "there is no /v1/mesages here; did you mean /v1/messages?"),
        ("/anthropic/v1/mesages", "there is no /anthropic/v1/mesages here; did you mean /anthropic/v1/messages?"),
        ("/api/chat", "there is no /api/chat here; GET / says what there is"),
    ],
)
def test_an_unknown_path_says_what_to_do_next(target: str, message: str) -> None:
    story = Story(gateway(config()))
    story.open("POST", target, headers=JSON, body=b"{}")
    assert (story.status, json.loads(story.body)["error"]["message"]) == (404, message)
