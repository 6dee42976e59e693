"""Any request and any answer of Completions."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.values import (
    Delta,
    Finished,
    Invalid,
    Stop,
    TextDelta,
)
from tests.dialects.openai_completions.test_openai_completions import parsed, render, write
from tests.support.deltas import deltas
from tests.support.grammar_openai_chat import check


@given(deltas(choices=2), st.booleans(), st.booleans())
def test_any_legal_answer_is_a_well_formed_stream(said: list[Delta], include_usage: bool, echo: bool) -> None:
    conversation = parsed(prompt="p", echo=echo, stream_options={"include_usage": include_usage})
    check(write(said, conversation), include_usage=include_usage, kind="text_completion")


JSON = st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False) | st.text(max_size=3)

NAMES = [
    "prompt",
    "suffix",
    "max_tokens",
    "n",
    "logprobs",
    "echo",
    "stop",
    "best_of",
    "logit_bias",
    "stream_options",
    "temperature",
]


@given(st.dictionaries(st.sampled_from(NAMES), JSON | st.lists(JSON, max_size=3) | st.dictionaries(st.text(), JSON)))
def test_any_body_reads_or_is_invalid(body: dict[str, Any]) -> None:
    try:
        conversation = parsed(**body)
    except Invalid:
        return
    render([TextDelta("x"), Finished(Stop.END)], conversation)
