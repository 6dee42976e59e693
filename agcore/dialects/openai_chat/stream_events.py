"""What the chunks of a Chat Completions stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.usage import count
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.openai_chat import errors
from agcore.dialects.shared.frames import EMPTY, unreadable
from agcore.dialects.shared.no_answer import told_failure
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage

FAILURES: Final = frozenset({"error", "network_error", "insufficient_system_resource", "abort"})
"""Finish reasons of answers that failed: OpenRouter, z.ai, DeepSeek, vLLM (docs/wire/openai-chat.md)."""
_CACHE_HITS: Final = ("prompt_cache_hit_tokens", "cached_tokens")
"""Where DeepSeek and Moonshot count what was read from a cache, beside the details."""
_DONE: Final = StreamEvent(FrameKind.TERMINAL, finished=True)


class StreamEvents:
    """See `base.StreamEvents`. Chunks of Chat and of legacy Completions differ only inside `choices`."""

    def read(self, frame: Frame) -> StreamEvent:
        """See `base.StreamEvents`."""
        data = frame.data
        if data is None:
            return EMPTY
        text = data.strip()
        if not text:
            return EMPTY
        if text == b"[DONE]":
            return _DONE
        try:
            event = json_text.decode(data)
        except ValueError:
            return unreadable(text)
        return self.classify(event, frame.event) if isinstance(event, dict) else unreadable(text, event)

    def classify(self, event: dict[str, object], name: str | None = None) -> StreamEvent:
        """See `base.StreamEvents`."""
        error = event.get("error")
        if error:
            fault = errors.parse_error(errors.status_in_stream(error), event)
            return StreamEvent(FrameKind.ERROR, event, fault=fault)
        usage = _usage(event) if "usage" in event or "x_groq" in event else None
        finished = content = False
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            reason = choice.get("finish_reason")
            if isinstance(reason, str) and reason in FAILURES:
                return StreamEvent(FrameKind.ERROR, event, fault=failure(choice, reason))
            if reason is not None:
                finished = content = True
            delta = choice.get("delta")
            if choice.get("text") or (
                isinstance(delta, dict)
                and (delta.get("content") or any(value for name, value in delta.items() if name != "role"))
            ):
                content = True
            if usage is None and ("usage" in choice or "x_groq" in choice):
                usage = _usage(choice)
        if not choices and (failed := told_failure(event)) is not None:
            return StreamEvent(FrameKind.ERROR, event, fault=failed)
        kind = FrameKind.CONTENT if content else FrameKind.LIFECYCLE
        return StreamEvent(kind, event, finished=finished, usage=usage)


def failure(choice: dict[str, object], reason: str) -> Fault:
    """The fault of an answer that ended so, one of `FAILURES`: OpenRouter puts its words beside the reason."""
    error = choice.get("error")
    fault = errors.parse_error(errors.status_in_stream(error), error)
    return fault if fault.message else Fault(status=502, message=f"the upstream ended its answer with {reason!r}")


def _usage(holder: dict[str, object]) -> Usage | None:
    """Usage of a chunk, of a choice (Moonshot), or where Groq has it."""
    for place in (holder, holder.get("x_groq")):
        if isinstance(place, dict) and place.get("usage"):
            usage = read_usage(place)
            if usage is not None:
                return usage
    return None


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; cached and written tokens are taken out of the prompt's (docs/wire/answers.md#usage)."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, read, write = count(usage, "prompt_tokens"), 0, 0
    details = usage.get("prompt_tokens_details")
    if details:
        read, write = count(details, "cached_tokens"), count(details, "cache_write_tokens")
    for name in _CACHE_HITS:
        if name in usage:
            read = read or count(usage, name)
    return Usage(
        fresh=max(prompt - read - write, 0),
        cache_read=read,
        cache_write=write,
        output=count(usage, "completion_tokens") or max(count(usage, "total_tokens") - prompt, 0),
        reasoning=count(usage, "completion_tokens_details", "reasoning_tokens"),
    )
