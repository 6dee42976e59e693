"""Schemas from every dialect to every other one: tools, and structured output with its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from agcore.conversation.values import Consumed, Delta, Finished, Stop, TextDelta
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

Json = dict[str, Any]
MODELS: Final = {
    "openai_chat": "gpt-4.1",
    "openai_responses": "gpt-5.5",
    "anthropic": "claude-sonnet-4-6",
    "gemini": "gemini-3-flash",
}
TEXT: Final = {"type": "string"}
RECIPES: Final = {"type": "array", "items": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}}
EITHER: Final = {
    "anyOf": [
        {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
        {"type": "object", "properties": {"b": TEXT}},
    ]
}
REFERS: Final = {
    "type": "object",
    "properties": {"l": TEXT, "m": {"$ref": "#/properties/l"}, "n": {"$ref": "#/definitions/L", "description": "d"}},
    "definitions": {"L": TEXT},
}


def _chat(**more: Any) -> Json:
    tools = [{"type": "function", "function": {"name": "f", "parameters": each}} for each in more.get("tools", [])]
    shape = more.get("schema")
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": shape}}} if shape else {}
    return {"messages": [{"role": "user", "content": "hi"}], "tools": tools, **form}


def _responses(**more: Any) -> Json:
    tools = [{"type": "function", "name": "f", "parameters": each, "strict": False} for each in more.get("tools", [])]
    shape = more.get("schema")
    form = {"text": {"format": {"type": "json_schema", "name": "n", "schema": shape}}} if shape else {}
    return {"input": "hi", "tools": tools, **form}


def _messages(**more: Any) -> Json:
    tools = [{"name": "f", "input_schema": each} for each in more.get("tools", [])]
    shape = more.get("schema")
    form = {"output_config": {"format": {"type": "json_schema", "schema": shape}}} if shape else {}
    return {"max_tokens": 99, "messages": [{"role": "user", "content": "hi"}], "tools": tools, **form}


def _gemini(**more: Any) -> Json:
    functions = [{"name": "f", "parametersJsonSchema": each} for each in more.get("tools", [])]
    tools = [{"functionDeclarations": functions}] if functions else []
    shape = more.get("schema")
    form = {"generationConfig": {"responseMimeType": "application/json", "responseSchema": shape}} if shape else {}
    return {"contents": [{"parts": [{"text": "hi"}]}], "tools": tools, **form}


CLIENTS: Final[dict[str, Callable[..., Json]]] = {
    "openai_chat": _chat,
    "openai_responses": _responses,
    "anthropic": _messages,
    "gemini": _gemini,
}
PAIRS: Final = [(client, upstream) for client in CLIENTS for upstream in MODELS if client != upstream]


def asked(
    client: str, upstream: str, *, model: str = "", vendor: str = "", stream: bool = False, **more: Any
) -> Translation:
    name = model or MODELS[upstream]
    target = ModelTarget(upstream, name, profile(name, vendor=vendor, dialect=upstream), "")
    got = translate(client, json.dumps(CLIENTS[client](**more)).encode(), model="m", stream=stream, target=target)
    assert not isinstance(got, Fault), got
    return got


def parameters(upstream: str, body: Json) -> Any:
    (tool,) = body["tools"]
    match upstream:
        case "openai_chat":
            return tool["function"]["parameters"]
        case "openai_responses":
            return tool["parameters"]
        case "anthropic":
            return tool["input_schema"]
        case _:
            return tool["functionDeclarations"][0]["parametersJsonSchema"]


def output(upstream: str, body: Json) -> Any:
    match upstream:
        case "openai_chat":
            return body["response_format"]["json_schema"]["schema"]
        case "openai_responses":
            return body["text"]["format"]["schema"]
        case "anthropic":
            return body["output_config"]["format"]["schema"]
        case _:
            return body["generationConfig"]["responseJsonSchema"]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_the_root_of_a_tool_is_an_object_everywhere(client: str, upstream: str) -> None:
    translation = asked(client, upstream, tools=[EITHER])
    got = parameters(upstream, translation.rendered)
    assert got == {"type": "object", "properties": {"a": TEXT, "b": TEXT}}
    assert [loss.action for loss in translation.losses] == ["merged"]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_references_are_such_as_the_upstream_takes(client: str, upstream: str) -> None:
    got = parameters(upstream, asked(client, upstream, tools=[REFERS]).rendered)
    if upstream == "gemini":
        described = {"type": "string", "description": "d"}
        assert got == {"type": "object", "properties": {"l": TEXT, "m": TEXT, "n": described}}
    else:
        assert got["properties"]["m"] == TEXT
        assert got["properties"]["n"] == {"$ref": "#/$defs/L", "description": "d"}
        assert got["$defs"] == {"L": TEXT}


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_a_list_is_asked_for_as_the_upstream_takes_it(client: str, upstream: str) -> None:
    schema = {
        "type": "ARRAY",
        "items": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}, "required": ["name"]},
    }
    translation = asked(client, upstream, schema=schema if client == "gemini" else RECIPES)
    got = output(upstream, translation.rendered)
    if upstream.startswith("openai"):
        assert got["type"] == "object"
        assert got["properties"] == {"value": RECIPES}
        assert [(loss.action, loss.weight) for loss in translation.losses] == [("asked for in one", "note")]
    else:
        assert got["type"] == "array"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_a_list_comes_home_as_one(client: str, upstream: str) -> None:
    if client == upstream:
        pytest.skip("passes as it is")
    said: list[Delta] = [
        TextDelta('{"value"'),
        TextDelta(':[{"name":"a"}'),
        TextDelta("]}"),
        Finished(Stop.END),
        Consumed(Usage()),
    ]
    translation = asked(client, upstream, schema=RECIPES)
    home = list(translation.delta_mapper(id="i").deltas(said))
    assert "".join(delta.text for delta in home if isinstance(delta, TextDelta)) == '[{"name":"a"}]'
    rendered, _ = translation.written(home, id="i", model="m", created=1)
    assert json.dumps('[{"name":"a"}]') in json.dumps(rendered)


@pytest.mark.parametrize("client", ["openai_chat", "openai_responses", "gemini"])
def test_a_list_of_an_older_claude_is_a_tool(client: str) -> None:
    translation = asked(client, "anthropic", model="claude-sonnet-4-20250514", schema=RECIPES)
    (tool,) = translation.rendered["tools"]  # type: ignore[misc]
    assert tool["input_schema"]["properties"] == {"value": RECIPES}


@pytest.mark.parametrize("client", ["openai_responses", "anthropic", "gemini"])
def test_a_model_without_schemas_is_told_in_words(client: str) -> None:
    translation = asked(client, "openai_chat", model="deepseek-v4-pro", vendor="deepseek", schema=RECIPES)
    assert translation.rendered["response_format"] == {"type": "json_object"}
    (told, _) = translation.rendered["messages"]  # type: ignore[misc]
    assert told["role"] == "system"
    assert json.dumps(RECIPES, separators=(",", ":")) in told["content"]


def test_any_json_is_asked_for_by_its_name() -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"responseMimeType": "application/json"}}
    target = ModelTarget("openai_chat", "gpt-4.1", profile("gpt-4.1", dialect="openai_chat"), "")
    for text, told in (("hi", 1), ("some JSON", 0)):
        body["contents"][0]["parts"][0]["text"] = text  # type: ignore[index]
        translation = translate("gemini", json.dumps(body).encode(), model="m", stream=False, target=target)
        assert isinstance(translation, Translation)
        assert len(translation.rendered["messages"]) == 1 + told  # type: ignore[arg-type]


def test_kimi_gets_moonshots_flavour_at_both_doors() -> None:
    for upstream in ("openai_chat", "anthropic"):
        for client in CLIENTS:
            if client != upstream:
                got = parameters(upstream, asked(client, upstream, model="kimi-k3", tools=[REFERS]).rendered)
                assert got["properties"]["n"] == {"type": "string", "description": "d"}
                assert "$defs" not in got


def test_strict_tools_that_hold_themselves_are_not_strict_at_claude() -> None:
    tree = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}},
        "required": ["next"],
        "additionalProperties": False,
    }
    body = _chat(tools=[tree])
    body["tools"][0]["function"]["strict"] = True
    target = ModelTarget("anthropic", "claude-sonnet-4-6", profile("claude-sonnet-4-6", dialect="anthropic"), "")
    translation = translate("openai_chat", json.dumps(body).encode(), model="m", stream=False, target=target)
    assert isinstance(translation, Translation)
    (tool,) = translation.rendered["tools"]  # type: ignore[misc]
    assert "strict" not in tool
    assert [loss.why for loss in translation.losses] == ["strict tools take no schema that holds itself"]


@pytest.mark.parametrize(("model", "length"), [("gpt-4o", 1024), ("gpt-4.1", 2_000), ("gpt-5.5", 2_000)])
def test_descriptions_are_as_long_as_the_model_takes_them(model: str, length: int) -> None:
    body = _messages(tools=[{"type": "object"}])
    body["tools"][0]["description"] = "d" * 2_000
    target = ModelTarget("openai_chat", model, profile(model, vendor="openai", dialect="openai_chat"), "")
    translation = translate("anthropic", json.dumps(body).encode(), model="m", stream=False, target=target)
    assert isinstance(translation, Translation)
    (tool,) = translation.rendered["tools"]  # type: ignore[misc]
    assert len(tool["function"]["description"]) == length


@pytest.mark.parametrize("upstream", ["anthropic", "openai_responses"])
def test_a_function_named_like_the_vendors_search_is_told_apart(upstream: str) -> None:
    body = _chat(tools=[{"type": "object"}])
    body["tools"][0]["function"]["name"] = "web_search"
    body["web_search_options"] = {}
    model = MODELS[upstream]
    target = ModelTarget(upstream, model, profile(model, dialect=upstream), "")
    translation = translate("openai_chat", json.dumps(body).encode(), model="m", stream=False, target=target)
    assert isinstance(translation, Translation)
    function, search = translation.rendered["tools"]  # type: ignore[misc]
    assert search["type"].startswith("web_search")
    assert function["name"] != "web_search"
    assert translation.names.original(function["name"]) == "web_search"


@pytest.mark.parametrize("client", ["openai_chat", "openai_responses", "gemini"])
def test_parameters_that_anthropic_refuses_go_by_other_names(client: str) -> None:
    schema = {"type": "object", "properties": {"$top": TEXT, "filter[id]": TEXT}, "required": ["$top"]}
    got = parameters("anthropic", asked(client, "anthropic", tools=[schema]).rendered)
    assert got == {"type": "object", "properties": {"top": TEXT, "filter_id": TEXT}, "required": ["top"]}
