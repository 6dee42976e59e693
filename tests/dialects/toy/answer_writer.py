"""The toy's answers, written."""

from __future__ import annotations

from typing import Final

from agcore.codecs import json_text
from agcore.codecs.sse import encode
from agcore.conversation.values import Answer, Consumed, Conversation, Delta, Text, TextDelta
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.dialects.toy import errors


class ResponseWriter:
    """See `base.ResponseWriterFactory`."""

    response: Final = None

    def __init__(self, *, id: str, model: str, created: int, conversation: Conversation) -> None:
        self._usage: Usage | None = None

    def feed(self, delta: Delta) -> bytes:
        """See `base.ResponseWriter`."""
        if isinstance(delta, Consumed):
            self._usage = delta.usage
        return encode(json_text.encode({"say": delta.text})) if isinstance(delta, TextDelta) else b""

    def end(self) -> bytes:
        """See `base.ResponseWriter`."""
        return encode(json_text.encode({"over": True, **_spent(self._usage)}))

    def error(self, fault: Fault, request_id: str) -> bytes:
        """See `base.ResponseWriter`."""
        return encode(errors.render_error(fault, request_id))


def render_answer(
    answer: Answer, *, id: str, model: str, created: int, conversation: Conversation
) -> dict[str, object]:
    """See `base.RenderAnswer`."""
    said = "".join(part.text for part in answer.choices[0].parts if isinstance(part, Text))
    return {"model": model, "said": said, **_spent(answer.usage)}


def _spent(usage: Usage | None) -> dict[str, object]:
    return {} if usage is None else {"spent": [usage.input, usage.output]}
