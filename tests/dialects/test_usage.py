"""Usage as each vendor tells it."""

from __future__ import annotations

import pytest

from agcore.codecs.sse import Decoder, encode
from agcore.dialects import DIALECTS
from agcore.protocol.report import Usage


@pytest.mark.parametrize(
    ("dialect", "answer", "usage"),
    [
        (
            "openai_chat",
            {
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 9,
                    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                }
            },
            Usage(fresh=10, cache_read=60, cache_write=30, output=9, reasoning=4),
        ),
        ("openai_chat", {"usage": {"prompt_tokens": 5, "total_tokens": 7}}, Usage(fresh=5, output=2)),
        (
            "openai_chat",
            {"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}},
            Usage(cache_read=9),
        ),
        (
            "openai_chat",
            {"usage": {"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "completion_tokens": 1}},  # DeepSeek's
            Usage(fresh=6, cache_read=4, output=1),
        ),
        (
            "openai_responses",
            {
                "usage": {
                    "input_tokens": 100,
                    "output_tokens": 9,
                    "input_tokens_details": {"cached_tokens": 60},
                    "output_tokens_details": {"reasoning_tokens": 4},
                }
            },
            Usage(fresh=40, cache_read=60, output=9, reasoning=4),
        ),
        (
            "anthropic",
            {
                "usage": {
                    "input_tokens": 10,
                    "cache_read_input_tokens": 60,
                    "cache_creation_input_tokens": 30,
                    "output_tokens": 9,
                    "output_tokens_details": {"thinking_tokens": 4},
                }
            },
            Usage(fresh=10, cache_read=60, cache_write=30, output=9, reasoning=4),
        ),
        (
            "gemini",
            {
                "usageMetadata": {
                    "promptTokenCount": "100",
                    "cachedContentTokenCount": 60,
                    "toolUsePromptTokenCount": 3,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 4,
                }
            },
            Usage(fresh=43, cache_read=60, output=9, reasoning=4),
        ),
    ],
)
def test_each_vendors_counts_become_disjoint_parts(dialect: str, answer: dict[str, object], usage: Usage) -> None:
    assert DIALECTS[dialect].pass_through.read_usage(answer) == usage


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_without_usage_has_none(dialect: str) -> None:
    assert DIALECTS[dialect].pass_through.read_usage({"usage": 5, "usageMetadata": []}) is None


def test_what_a_message_ends_with_overrides_what_it_started_with() -> None:
    tap = DIALECTS["anthropic"].pass_through.tap(shown_model=None, hide_usage=False)
    assert tap.usage is None
    for event in (
        b'{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}',
        b'{"type":"message_delta","delta":{},"usage":{"output_tokens":9,"input_tokens":null}}',
    ):
        (frame,) = Decoder().feed(encode(event))
        tap.read(frame)
    assert tap.usage == Usage(fresh=5, output=9)
