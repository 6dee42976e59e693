"""The edits that send a Chat Completions request on."""

from __future__ import annotations

import msgspec

from agcore.codecs.json_splice import Members
from agcore.dialects.base import RequestSummary
from agcore.dialects.shared.request_edits import model_edit
from agcore.models.vendor_profile import VendorProfile


def edits(members: Members, summary: RequestSummary, model: str) -> tuple[dict[str, bytes | None], bool]:
    """Name the upstream's model; ask a stream for its usage, which is hidden again unless the client asked too."""
    changes = model_edit(members, model)
    if not summary.stream:
        return changes, False
    options = members.value("stream_options")
    options = options if isinstance(options, dict) else {}
    if options.get("include_usage") is True:
        return changes, False
    changes["stream_options"] = msgspec.json.encode({**options, "include_usage": True})
    return changes, True


def passes(members: Members, manners: VendorProfile) -> bool:
    """Tell whether a request can be sent as it is where functions and reasoning may exclude each other."""
    manner = manners.tools_with_effort_on_chat
    if manner == "taken" or not (members.value("tools") or members.value("functions")):
        return True
    effort = members.value("reasoning_effort")
    return effort == "none" if manner == "none" else effort is None
