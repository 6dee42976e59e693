"""Any request of Chat Completions, read and written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Image,
    Invalid,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from agcore.dialects.openai_chat.request_reader import parse_request
from tests.dialects.openai_chat.test_request import ONE_HISTORY, PNG, parsed, talk, written

WORDS = st.sampled_from(
    [
        *[
            "text",
            "image_url",
            "url",
            "file",
            "function",
            "custom",
            "input_audio",
            "system",
            "user",
            "assistant",
            "tool",
            "a-b",
        ],
        "",
    ]
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "name",
                    "id",
                    "function",
                    "custom",
                    "url",
                    "image_url",
                    "tool_calls",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)

MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function"])},
    optional=dict.fromkeys(
        [
            "content",
            "name",
            "tool_calls",
            "tool_call_id",
            "function_call",
            "refusal",
            "reasoning_details",
            "reasoning",
            "audio",
        ],
        JSON,
    ),
)

BODY = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE | JSON, max_size=4) | JSON},
    optional=dict.fromkeys(
        [
            "tools",
            "functions",
            "tool_choice",
            "function_call",
            "response_format",
            "stop",
            "n",
            "max_tokens",
            "modalities",
            "reasoning",
            "thinking",
            "stream_options",
            "logprobs",
            "metadata",
            "user",
        ],
        JSON,
    ),
)


@given(BODY)
def test_any_body_reads_or_is_invalid_and_what_reads_can_be_written(body: dict[str, Any]) -> None:
    try:
        conversation = parse_request(body, model="m", stream=False, losses=Losses())
    except Invalid:
        return
    for model in ("", "gpt-5.2", "deepseek-v4-pro"):
        assert json.dumps(written(conversation, model=model)) == json.dumps(written(conversation, model=model))


TURNS = st.lists(
    st.sampled_from(
        [
            *parsed(messages=ONE_HISTORY).turns,
            Turn("user", (ToolResult("c", (Image(Source("image/png", data=PNG)),)), Text("and?"))),
            Turn("assistant", (Thinking("T"), Text("A"), ToolCall("c", "f", ""))),
            Turn("developer", (Text("D"),)),
        ]
    ),
    min_size=1,
    max_size=8,
)


@given(TURNS)
def test_one_more_turn_only_appends(turns: list[Turn]) -> None:
    before = written(talk(*turns))["messages"]
    after = written(talk(*turns, Turn("user", (Text("more"),))))["messages"]
    assert after[: len(before)] == before
