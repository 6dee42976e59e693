"""Anthropic's lists of models (https://docs.claude.com/en/api/models-list)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.request_target import RequestTarget
from agcore.dialects.shared.paging import index_of, whole_number
from agcore.models.listing import ListedModel

LIMIT: Final = 20
MAX_LIMIT: Final = 1000


def write_list(models: Sequence[ListedModel], target: RequestTarget) -> bytes:
    """The body of `GET /v1/models`: one page.

    It has at most `limit` models, 1 to 1000, and ends right before the model `before_id` or starts right after the
    model `after_id`.

    Raises:
        ValueError: For a limit out of range, both ids at once, or an id that is not in the list.
    """
    limit = whole_number(target, "limit", default=LIMIT)
    before_id, after_id = target.first("before_id"), target.first("after_id")
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit: must be between 1 and {MAX_LIMIT}")
    if before_id and after_id:
        raise ValueError("before_id, after_id: only one of them can be given")
    start, end = 0, len(models)
    if before_id:
        end = index_of(models, before_id, "before_id")
        start = max(0, end - limit)
        has_more = start > 0
    else:
        if after_id:
            start = index_of(models, after_id, "after_id") + 1
        has_more = end - start > limit
        end = min(end, start + limit)
    page = models[start:end]
    return msgspec.json.encode(
        {
            "data": [_entry(model) for model in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


def write_model(model: ListedModel) -> bytes:
    """The body of `GET /v1/models/{id}`. Where no day of release is known it is the epoch, as Anthropic has it."""
    return msgspec.json.encode(_entry(model))


def _entry(model: ListedModel) -> dict[str, object]:
    profile = model.profile
    released = datetime.date.fromordinal(datetime.date(1970, 1, 1).toordinal() + profile.created // 86_400)
    own = profile.vendor == "anthropic"
    reasons = profile.reasoning != "none"
    adaptive = profile.reasoning == "adaptive"
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": f"{released.isoformat()}T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": profile.context_window or None,
        "max_tokens": profile.max_output_tokens or None,
        "capabilities": {
            "batch": _supported(False),
            "citations": _supported(own),
            "code_execution": _supported(own),
            "context_management": _supported(own),
            "effort": {
                "supported": reasons and profile.reasoning != "budget",
                **{level: _supported(level in profile.efforts) for level in ("low", "medium", "high", "xhigh", "max")},
            },
            "image_input": _supported(profile.vision),
            "pdf_input": _supported(profile.pdf),
            "server_tools": {
                "supported": own,
                "code_execution": _supported(own),
                "web_search": _supported(own),
            },
            "structured_outputs": _supported(profile.structured_output),
            "thinking": {
                "supported": reasons,
                "types": {
                    "adaptive": _supported(adaptive if own else reasons),
                    "between_tools": _supported(False),
                    "disabled": _supported(not reasons or "none" in profile.efforts),
                    "enabled": _supported(profile.max_budget > 0 if own else reasons),
                },
            },
        },
    }


def _supported(supported: bool) -> dict[str, bool]:
    return {"supported": supported}
