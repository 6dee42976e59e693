"""What vendors refuse in Chat besides messages: each with the words in which it is refused."""

from __future__ import annotations

from typing import Any

import pytest

import agcore
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Output, Reasoning, Settings, Text, Tool, ToolChoice, Turn
from agcore.dialects.openai_chat.request_writer import render_request
from agcore.models.known import profile

TOOLS = (Tool("f", parameters={"type": "object"}), Tool("g", parameters={"type": "object"}))
AUTO, REQUIRED, NAMED, NONE = (
    ToolChoice("auto"),
    ToolChoice("required"),
    ToolChoice("required", ("f",)),
    ToolChoice("none"),
)


def written(model: str, vendor: str = "", **asked: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The request, and what was lost with what was done about it."""
    losses = Losses()
    conversation = Conversation(model="m", turns=(Turn("user", (Text("hi"),)),), **asked)
    known = profile(model, vendor=vendor)
    body = render_request(conversation, model=model, profile=known, signer="", losses=losses)
    return body, {loss.path: loss.action for loss in losses}


@pytest.mark.parametrize("model", ["kimi-k2.5", "kimi-k2.6", "moonshotai/Kimi-K2.7-Code", "kimi-k3", "kimi-for-coding"])
def test_sampling_that_is_fixed_is_left_out(model: str) -> None:
    # "invalid temperature: only 1 is allowed for this model" (MoonshotAI/kimi-code#686)
    body, lost = written(model, settings=Settings(temperature=0, top_p=0.9, presence_penalty=0.5))
    assert {"temperature", "top_p", "presence_penalty"} & set(body) == set()
    assert {"temperature", "top_p", "presence_penalty"} <= set(lost)


def test_sampling_of_older_models_stays() -> None:
    assert written("kimi-k2-0905-preview", settings=Settings(temperature=0.5))[0]["temperature"] == 0.5


@pytest.mark.parametrize(
    ("model", "vendor", "off"),
    [
        # "Thinking mode does not support this tool_choice" (deepseek-ai/DeepSeek-V3#1376)
        ("deepseek-v4-pro", "deepseek", {"thinking": {"type": "disabled"}}),
        ("deepseek/deepseek-v4-flash", "openrouter", {"reasoning": {"effort": "none"}}),
        ("kimi-k2.6", "moonshot", {"thinking": {"type": "disabled"}}),
        # "The tool_choice parameter does not support being set to required or object in thinking mode"
        # (cloudwego/eino#994)
        ("qwen3.7-plus", "dashscope", {"enable_thinking": False}),
    ],
)
@pytest.mark.parametrize("choice", [REQUIRED, NAMED], ids=["any", "one"])
def test_a_forced_call_excludes_thinking_where_that_can_be_switched_off(
    choice: ToolChoice, model: str, vendor: str, off: dict[str, object]
) -> None:
    body, lost = written(model, vendor, tools=TOOLS, tool_choice=choice, reasoning=Reasoning(effort="high"))
    assert {name: body[name] for name in off} == off
    assert body["tool_choice"] not in ("auto", "none")
    assert lost == {"reasoning": "switched off"}
    _, lost = written(model, vendor, tools=TOOLS, tool_choice=choice, reasoning=Reasoning(effort="none"))
    assert not lost


@pytest.mark.parametrize(
    ("model", "vendor"),
    [
        ("kimi-k2.7-code", "moonshot"),  # "invalid thinking: only type=enabled is allowed for this model"
        ("deepseek-v4-pro", "groq"),  # takes no wish for reasoning
        ("glm-5.2", "zai"),  # takes `auto` only
    ],
)
def test_a_forced_call_is_left_to_a_model_that_always_thinks(model: str, vendor: str) -> None:
    body, lost = written(model, vendor, tools=TOOLS, tool_choice=NAMED)
    assert body["tool_choice"] == "auto"
    assert lost["tool_choice"] == "left to the model"


@pytest.mark.parametrize(
    ("model", "vendor", "choice"),
    [
        ("qwen3-max", "dashscope", REQUIRED),  # does not think
        ("deepseek-v4-pro", "deepseek", AUTO),
        ("deepseek-v4-pro", "deepseek", NONE),
        ("glm-5.2", "zai", AUTO),
    ],
)
def test_other_choices_stay(model: str, vendor: str, choice: ToolChoice) -> None:
    body, lost = written(model, vendor, tools=TOOLS, tool_choice=choice)
    assert body["tool_choice"] == choice.mode
    assert not {"thinking", "enable_thinking"} & set(body)
    assert not lost


def test_no_tools_are_offered_where_none_may_be_called_and_that_cannot_be_said() -> None:
    assert not {"tools", "tool_choice"} & set(written("glm-5.2", "zai", tools=TOOLS, tool_choice=NONE)[0])


@pytest.mark.parametrize("vendor", ["lmstudio", "llamacpp", "cohere"])
def test_one_tool_is_forced_by_offering_that_alone_where_choices_are_words(vendor: str) -> None:
    # "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
    body, lost = written("some-model", vendor, tools=TOOLS, tool_choice=NAMED)
    assert body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert not lost
    body, _ = written("some-model", vendor, tools=TOOLS, tool_choice=REQUIRED)
    assert (body["tool_choice"], len(body["tools"])) == ("required", 2)


@pytest.mark.parametrize(
    ("model", "vendor", "reasoning", "said"),
    [
        ("qwen3.8-max", "", Reasoning(effort="high"), {"enable_thinking": True}),
        ("some-model", "vllm", Reasoning(effort="none"), {}),
        ("unsloth/Qwen3.6-35B-GGUF", "llamacpp", Reasoning(effort="none"),
         {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("qwen3.6-35b", "ollama", Reasoning(effort="none"), {"reasoning_effort": "none"}),
        # "property 'enable_thinking' is unsupported" (proxysoul/Empryo#209)
        ("qwen-3.8-27b", "cerebras", Reasoning(effort="high"), {}),
        ("llama-3.3-70b", "groq", Reasoning(effort="high"), {}),
        ("openai/gpt-oss-120b", "groq", Reasoning(effort="high"), {"reasoning_effort": "high"}),
        ("kimi-k3", "moonshot", Reasoning(effort="medium"), {"reasoning_effort": "low"}),
        ("accounts/fireworks/models/kimi-k2p6", "fireworks", Reasoning(effort="high"), {"reasoning_effort": "high"}),
        ("z-ai/glm-5.2", "openrouter", Reasoning(budget=2000), {"reasoning": {"max_tokens": 2000}}),
        ("openai/gpt-5.1", "openrouter", Reasoning(effort="max"), {"reasoning": {"effort": "high"}}),
        ("qwen/qwen3.5-397b-a17b", "nvidia", Reasoning(effort="high"), {}),
        ("deepseek-ai/deepseek-v4-flash", "nvidia", Reasoning(effort="high"), {"reasoning_effort": "high"}),
        ("MiniMax-M3", "minimax", Reasoning(effort="high"), {}),
        ("sonar-pro", "perplexity", Reasoning(effort="high"), {}),
    ],
)  # fmt: skip
def test_reasoning_is_asked_for_in_the_words_of_who_serves(
    model: str, vendor: str, reasoning: Reasoning, said: dict[str, object]
) -> None:
    body, _ = written(model, vendor, reasoning=reasoning)
    words = ("reasoning_effort", "thinking", "enable_thinking", "chat_template_kwargs", "reasoning", "thinking_budget")
    assert {name: body[name] for name in words if name in body} == said


def test_functions_and_effort_go_together_where_a_router_sees_to_that() -> None:
    body, lost = written("openai/gpt-5.6-sol", "openrouter", tools=TOOLS, reasoning=Reasoning(effort="high"))
    assert body["reasoning"] == {"effort": "high"}
    assert not lost


def test_stop_sequences_are_left_out_where_reasoning_models_refuse_them() -> None:
    # docs.x.ai/docs/guides/reasoning
    body, lost = written("grok-4.5", "xai", settings=Settings(stop=("x",)))
    assert "stop" not in body
    assert "stop" in lost
    assert written("grok-4.20-non-reasoning", "xai", settings=Settings(stop=("x",)))[0]["stop"] == ["x"]


@pytest.mark.parametrize("vendor", ["lmstudio", "perplexity"])
def test_json_without_a_schema_is_asked_for_by_a_schema_for_anything(vendor: str) -> None:
    asked = written("some-model", vendor, output=Output())[0]["response_format"]
    assert asked == {"type": "json_schema", "json_schema": {"name": "response", "schema": {"type": "object"}}}
    assert written("some-model", output=Output())[0]["response_format"] == {"type": "json_object"}


def test_no_tools_go_to_who_takes_none() -> None:
    body, lost = written("sonar-pro", "perplexity", tools=TOOLS, tool_choice=REQUIRED)
    assert not {"tools", "tool_choice"} & set(body)
    assert "tools" in lost


def test_members_that_a_vendor_refuses_are_left_out_with_a_loss() -> None:
    # "body -> presence_penalty: Extra inputs are not permitted" (Kilo-Org/kilocode#9652)
    request = {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"presencePenalty": 0.5}}
    made = agcore.convert(request, source="gemini", target="openai", model="llama-5", vendor="nvidia")
    assert "presence_penalty" not in made.request
    assert [loss.path for loss in made.losses] == ["presence_penalty"]
    assert agcore.convert(request, source="gemini", target="openai", model="llama-5").request["presence_penalty"] == 0.5
