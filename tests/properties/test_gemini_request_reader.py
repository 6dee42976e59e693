"""Any object at all as a request for Gemini."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.values import (
    Invalid,
    Text,
    ToolCall,
)
from tests.support.gemini_requests import (
    parse,
    render,
)

KEYS = st.sampled_from(["contents", "parts", "role", "text", "thought", "thought_signature", "functionCall", "function_response", "name", "id",
                        "args", "response", "inlineData", "fileData", "fileUri", "mimeType", "data", "systemInstruction", "tools",
                        "functionDeclarations", "parameters", "toolConfig", "functionCallingConfig", "mode", "generationConfig", "topK",
                        "thinkingConfig", "responseSchema", "responseFormat", "labels", "mediaResolution", "executableCode"])  # fmt: skip

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.floats()
    | st.sampled_from(["", "model", "user", "f", "AAAA", "image/png", "ANY"])
)

JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)

PARTS = st.lists(st.dictionaries(KEYS, JSON, max_size=3), max_size=4)

CONTENTS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "model", None]), "parts": PARTS}), min_size=1, max_size=4
)


@given(st.dictionaries(KEYS, JSON, max_size=6), CONTENTS | JSON)
def test_any_object_is_a_conversation_or_invalid(body: dict[str, Any], contents: Any) -> None:
    body = {**body, "contents": contents}
    before = copy.deepcopy(body)
    try:
        conversation = parse(body)
    except Invalid:
        return
    for turn in conversation.turns:
        for part in turn.parts:
            assert not isinstance(part, Text) or part.text
            assert not isinstance(part, ToolCall) or part.id
    assert repr(body) == repr(before)
    render(conversation)
