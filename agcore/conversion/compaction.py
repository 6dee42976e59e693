"""A compaction at a provider that has none: the model is asked for a summary, and the answer is made of that."""

from __future__ import annotations

from agcore.codecs import json_text
from agcore.conversion.base import Answered, WholeAnswer
from agcore.conversion.generation import TranslatedGeneration


class TranslatedCompaction(TranslatedGeneration):
    """What `POST /v1/responses/compact` answers: the user's messages as they were, and the summary that ends them."""

    def whole(self, body: bytes, *, now: float) -> Answered:
        """The summary, in the form of a compaction."""
        answered = super().whole(body, now=now)
        response = self.response
        if response is None or not isinstance(answered, WholeAnswer):
            return answered
        echo = self._translation.conversation.echo
        output = response["output"]
        assert isinstance(output, list)
        compacted = {
            "id": response["id"],
            "object": "response.compaction",
            "created_at": response["created_at"],
            "output": [*_of_user(echo["input"], id=self._id), *output],
            "usage": response["usage"],
        }
        return WholeAnswer(json_text.encode(compacted))


def _of_user(items: list[object], *, id: str) -> list[dict[str, object]]:
    """The user's messages of an `input`, as items of an output."""
    return [
        {
            "type": "message",
            "id": f"msg_{id}_{place}",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_text", "text": item["content"]}]
            if isinstance(item["content"], str)
            else item["content"],
        }
        for place, item in enumerate(items)
        if isinstance(item, dict) and item.get("role") == "user" and item.get("content")
    ]
