"""Any request of Responses, read and written."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from agcore.conversation.losses import Losses
from agcore.conversation.repair import repair_history
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import (
    Invalid,
    Signature,
)
from agcore.dialects.openai_responses.request_reader import parse_request
from tests.dialects.openai_responses.test_request import parse, render

MEMBERS = """
type role content input text name call_id id arguments output tools tool_choice summary encrypted_content image_url
file_data input_audio data format parameters strict instructions reasoning effort metadata include action operation
command env temperature max_output_tokens refusal mode namespace result status environment
"""

KINDS = """
x user assistant system function custom message input_text input_image input_file input_audio refusal namespace
function_call function_call_output reasoning local_shell_call shell_call_output apply_patch_call
image_generation_call additional_tools allowed_tools grammar json_schema data:;base64,AA== gw1.a.b
"""

WORDS = st.sampled_from(MEMBERS.split())

SCALARS = st.none() | st.booleans() | st.integers(-1, 3) | st.floats() | st.sampled_from(KINDS.split())

VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=20
)

ITEMS = st.lists(
    st.sampled_from(
        [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "a", "annotations": []}],
            },
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "r"},
            {"type": "custom_tool_call", "call_id": "p", "name": "p", "input": "+"},
            {"type": "reasoning", "summary": [], "encrypted_content": carrier(Signature("openai", "reasoning", "own"))},
        ]
    ),
    min_size=1,
    max_size=8,
)


@given(ITEMS)
def test_the_same_history_gives_the_same_bytes(history: list[dict[str, Any]]) -> None:
    def once() -> bytes:
        return msgspec.json.encode(render(repair_history(parse(instructions="S", input=history), losses=Losses())))

    assert once() == once()


@given(ITEMS)
@example([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}])
def test_a_further_turn_only_appends(history: list[dict[str, Any]]) -> None:
    closed = [*history, {"role": "assistant", "content": "end"}]
    before = render(repair_history(parse(instructions="S", input=closed), losses=Losses()))
    after = render(
        repair_history(parse(instructions="S", input=[*closed, {"role": "user", "content": "more"}]), losses=Losses())
    )
    assert after["instructions"] == before["instructions"]
    assert after["input"][: len(before["input"])] == before["input"]


@given(st.data())
def test_anything_is_parsed_or_refused(data: st.DataObject) -> None:
    body = data.draw(st.dictionaries(WORDS, VALUES, max_size=4))
    kinds = st.fixed_dictionaries(
        {"type": st.sampled_from(KINDS.split())}, optional={"role": st.sampled_from(["user", "assistant"])}
    )
    item = st.tuples(st.dictionaries(WORDS, VALUES, max_size=5), kinds).map(lambda pair: pair[0] | pair[1])
    if data.draw(st.booleans()):
        body["input"] = data.draw(st.lists(item, min_size=1, max_size=4))
    if data.draw(st.booleans()):
        body["tools"] = data.draw(st.lists(item, max_size=3))
    try:
        said = parse_request(body, model="m", stream=False, losses=Losses())
    except Invalid:
        return
    render(repair_history(said, losses=Losses()))
