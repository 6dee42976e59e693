"""Whole responses: whether one is an answer, and which one a stream tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agcore.dialects.openai_responses import errors
from agcore.dialects.shared.no_answer import no_answer
from agcore.protocol.fault import Fault

_RUNNING: Final = ("queued", "in_progress")
"""In the background: there is an answer once it is fetched."""


def judge(answer: dict[str, object]) -> Fault | None:
    """See `base.PassThrough.judge`. What failed with something to show is the dialect's own answer."""
    output, status, error = answer.get("output"), answer.get("status"), answer.get("error")
    if isinstance(output, list) and (output or not (error or status == "failed")):
        return None
    if error or status == "failed":
        fault = errors.parse_error(errors.status_in_stream(error), error)
        return fault if fault.message else no_answer(answer)
    return None if status in _RUNNING else no_answer(answer)


def fold(events: Iterable[dict[str, object]]) -> dict[str, object]:
    """See `base.PassThrough.fold`. The last event has it all; servers that leave its output out have told the items."""
    response: dict[str, object] = {}
    items: dict[int, object] = {}
    texts: list[str] = []
    for event in events:
        told = event.get("response")
        if isinstance(told, dict):
            response.update(told)
        if event.get("type") == "response.output_item.done":
            place = event.get("output_index")
            items[place if isinstance(place, int) else len(items)] = event.get("item")
        elif event.get("type") == "response.output_text.delta":
            delta = event.get("delta")
            texts.append(delta if isinstance(delta, str) else "")
    if not response.get("output"):
        output = [item for _, item in sorted(items.items(), key=lambda item: item[0]) if isinstance(item, dict)]
        if not output and texts:
            text = {"type": "output_text", "text": "".join(texts), "annotations": []}
            output = [{"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [text]}]
        response["output"] = output
    return response
