"""What the answers of Chat and of legacy Completions have in common: their frame, their end, usage and finish reasons.

Streams of both are chunks of one shape around `choices`. Finish reasons are held back until the stream really ends:
an error may still come, and nothing may follow a usage chunk (docs/wire/openai-chat.md#stream).
"""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import encode
from agcore.conversation.values import Stop
from agcore.protocol.report import Usage

_DONE: Final = b"data: [DONE]\n\n"
_FINISH: Final = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.TOOL_CALLS: "tool_calls",
    Stop.FILTER: "content_filter",
    Stop.REFUSAL: "content_filter",
    Stop.CONTEXT: "length",
    Stop.PAUSE: "stop",
}


def finish_reason(stop: Stop, *, called: bool = False, refused: bool = False) -> str:
    """The word for `stop`, where tools were or were not `called`, and where the model did or did not say a refusal."""
    if stop is Stop.REFUSAL and refused:
        return "stop"
    if stop in (Stop.END, Stop.SEQUENCE, Stop.TOOL_CALLS, Stop.PAUSE):
        return "tool_calls" if called else "stop"
    return _FINISH[stop]


def usage_object(usage: Usage) -> dict[str, object]:
    """Usage with the cached tokens counted in the prompt's (docs/wire/answers.md#usage)."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


class Chunks:
    """Makes the frames of one stream. `include_usage` is whether its client asked for usage."""

    def __init__(self, *, kind: str, id: str, model: str, created: int, include_usage: bool) -> None:
        self._head: dict[str, object] = {"id": id, "object": kind, "created": created, "model": model}
        self._include_usage = include_usage

    def frame(self, choice: dict[str, object]) -> bytes:
        """A chunk with one choice."""
        return self._encoded([choice], None)

    def end(self, usage: Usage | None) -> bytes:
        """The usage chunk, where one was asked for, and the terminator.

        Usage that no upstream reported is zero here: clients that asked wait for the chunk.
        """
        if not self._include_usage:
            return _DONE
        return self._encoded([], usage_object(usage or Usage())) + _DONE

    def _encoded(self, choices: list[dict[str, object]], usage: dict[str, object] | None) -> bytes:
        chunk = {**self._head, "choices": choices}
        if self._include_usage:
            chunk["usage"] = usage
        return encode(json_text.encode(chunk))
