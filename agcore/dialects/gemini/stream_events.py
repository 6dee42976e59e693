"""What the chunks of a generateContent stream are, and the usage they report."""

from __future__ import annotations

from collections.abc import Mapping

from agcore.codecs import json_text
from agcore.codecs.sse import Frame
from agcore.conversation.usage import count
from agcore.dialects.base import FrameKind, StreamEvent
from agcore.dialects.gemini import errors
from agcore.dialects.shared.frames import DONE, EMPTY, unreadable
from agcore.dialects.shared.no_answer import told_failure
from agcore.protocol.report import Usage


class StreamEvents:
    """See `base.StreamEvents`. Each chunk is a whole response object with incremental parts."""

    def read(self, frame: Frame) -> StreamEvent:
        """See `base.StreamEvents`."""
        data = frame.data
        if data is None:
            return EMPTY
        text = data.strip()
        if not text:
            return EMPTY
        if text == b"[DONE]":
            return DONE
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
        feedback = event.get("promptFeedback")
        finished = content = isinstance(feedback, dict) and bool(feedback.get("blockReason"))
        candidates = event.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            if not isinstance(candidate, dict):
                continue
            if candidate.get("finishReason") is not None:
                finished = content = True
            said = candidate.get("content")
            if isinstance(said, dict) and said.get("parts"):
                content = True
        if not candidates and not finished and (failed := told_failure(event)) is not None:
            return StreamEvent(FrameKind.ERROR, event, fault=failed)
        kind = FrameKind.CONTENT if content else FrameKind.LIFECYCLE
        return StreamEvent(kind, event, finished=finished, usage=read_usage(event))


def read_usage(answer: Mapping[str, object]) -> Usage | None:
    """Usage; thoughts are beside the candidates' tokens, cached ones in the prompt's (docs/wire/answers.md#usage).

    Where only the prompt and the total are given, the rest was output.
    """
    usage = answer.get("usageMetadata")
    if not isinstance(usage, dict):
        return None
    prompt, read = count(usage, "promptTokenCount"), count(usage, "cachedContentTokenCount")
    tool, thoughts = count(usage, "toolUsePromptTokenCount"), count(usage, "thoughtsTokenCount")
    fresh = max(prompt - read, 0) + tool
    output = count(usage, "candidatesTokenCount") + thoughts
    return Usage(
        fresh=fresh,
        cache_read=read,
        output=output or max(count(usage, "totalTokenCount") - fresh - read, 0),
        reasoning=thoughts,
    )
