"""Any request of Messages, read and written."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.values import (
    Invalid,
    Reasoning,
    Settings,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from tests.dialects.anthropic.test_request import GET, USER, asked, parsed, rendered

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

KINDS = st.sampled_from(
    [
        "text",
        "image",
        "document",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_result",
        "search_result",
        "base64",
        "url",
        "content",
        "custom",
        "bash_20250124",
        "enabled",
        "adaptive",
        "json_schema",
        "any",
    ]
)

FIELDS = st.sampled_from(
    [
        "text", "source", "data", "media_type", "url", "thinking", "signature", "id", "name", "input", "tool_use_id",
        "content", "is_error", "cache_control", "title", "citations", "input_schema", "budget_tokens", "schema",
        "effort", "format", "user_id", "context",
    ]
)  # fmt: skip

BLOCKS = st.recursive(
    st.fixed_dictionaries({"type": KINDS}) | JSON,
    lambda inner: st.tuples(KINDS, st.dictionaries(FIELDS, inner | st.lists(inner, max_size=2), max_size=4)).map(
        lambda pair: {"type": pair[0], **pair[1]}
    ),
    max_leaves=8,
)

MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCKS, max_size=3) | JSON}
    ),
    min_size=1,
    max_size=3,
)

BODIES = st.fixed_dictionaries(
    {"messages": MESSAGES},
    optional={
        "max_tokens": st.integers(0, 9) | JSON,
        "system": st.lists(BLOCKS, max_size=2) | JSON,
        "tools": st.lists(BLOCKS, max_size=2) | JSON,
        **dict.fromkeys(
            ("tool_choice", "thinking", "output_config", "output_format", "metadata", "temperature", "top_k"), BLOCKS
        ),
        "stop_sequences": JSON,
        "container": JSON,
    },
)


@given(BODIES)
def test_any_object_is_read_or_refused_and_what_is_read_is_written(body: dict[str, Any]) -> None:
    try:
        conversation = parsed(body)
    except Invalid:
        return
    rendered(conversation)


MODELS = ("claude-opus-4-5", "claude-opus-4-1", "claude-opus-4-6", "claude-opus-4-7", "claude-opus-5", "someone-elses")

EFFORTS = ("", "none", "minimal", "low", "medium", "high", "xhigh", "max", "auto")


@given(
    st.sampled_from(MODELS),
    st.builds(
        Reasoning,
        effort=st.sampled_from(EFFORTS),
        budget=st.none() | st.integers(-1, 200_000),
        visible=st.sampled_from([None, True, False]),
    ),
    st.none() | st.integers(0, 200_000),
    st.booleans(),
)
def test_a_budget_always_fits(model: str, reasoning: Reasoning, limit: int | None, forced: bool) -> None:
    settings = Settings(max_output=limit, temperature=0.5, top_p=0.5, top_k=5)
    choice = ToolChoice("required") if forced else None
    request = rendered(asked(reasoning=reasoning, settings=settings, tools=(GET,), tool_choice=choice), model=model)
    thinking = request.get("thinking", {"type": "absent"})
    assert request["max_tokens"] >= (limit or 0)
    if thinking["type"] == "enabled":
        assert 1024 <= thinking["budget_tokens"] < request["max_tokens"]
        assert not forced
        assert not {"temperature", "top_p", "top_k"} & set(request)
    if model == "claude-opus-4-7":
        assert thinking["type"] in ("absent", "adaptive")
        assert not {"temperature", "top_p", "top_k"} & set(request)


TURNS = st.one_of(
    st.text("ab \n", min_size=1, max_size=4).map(lambda text: [Turn("user", (Text(text),))]),
    st.text("ab ", min_size=1, max_size=4).map(lambda text: [Turn("assistant", (Text(text),)), USER]),
    st.just([Turn("system", (Text("now"),)), USER]),
    st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2, unique=True).map(
        lambda ids: [
            Turn("assistant", tuple(ToolCall(id, "get", "{}") for id in ids)),
            Turn("user", tuple(ToolResult(id, (Text("x"),)) for id in ids)),
        ]
    ),
)


@given(st.lists(TURNS, min_size=1, max_size=4))
def test_a_further_turn_only_appends(steps: list[list[Turn]]) -> None:
    turns = [USER, *(turn for step in steps for turn in step)]

    def flat(request: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return [(message["role"], block) for message in request["messages"] for block in message["content"]]

    before = flat(rendered(asked(*turns[: 1 + len(steps[0])])))
    after = flat(rendered(asked(*turns)))
    assert after[: len(before)] == before
    assert json.dumps(rendered(asked(*turns))) == json.dumps(rendered(asked(*turns)))
