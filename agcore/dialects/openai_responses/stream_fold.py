"""A Responses stream as the whole response that it tells."""

from __future__ import annotations

from collections.abc import Iterable


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
