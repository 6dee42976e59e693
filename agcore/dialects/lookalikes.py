"""Requests for servers that imitate a dialect, or have less than it: they get what they know, nothing else
(docs/wire/lookalikes.md, and of Chat docs/wire/openai-chat.md#compatible-servers).

What such a server merely ignores or refuses is edited out of a request that otherwise passes byte for byte. A request
that holds more, which has to be told in other words and understood in the answer, `is_foreign`: it is translated from
its dialect to itself. Requests that were translated are adapted by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agcore.codecs import json_text
from agcore.codecs.json_splice import BodyError, Members
from agcore.conversation.losses import Losses
from agcore.dialects import task_registry
from agcore.models.vendor_profile import VendorProfile

_CHAT: Final = "openai_chat"
"""The dialect that everybody speaks: whoever does is asked by the same rules."""

_SCHEMAS: Final = ("parameters", "input_schema")
"""Members of tools that hold schemas, in all dialects."""

_SAMPLING: Final = {"temperature": 1, "top_p": 1, "top_k": None, "presence_penalty": 0, "frequency_penalty": 0}
"""The members of requests that steer sampling, with the values that steer nothing."""


def is_foreign(dialect: str, members: Members, upstream: VendorProfile) -> bool:
    """Whether a request holds what an upstream of its own dialect does not know, and what editing does not mend."""
    rules = task_registry.lookalikes().get(dialect)
    if rules is None or not (upstream.lookalike or dialect == _CHAT):
        return False
    try:
        return rules.is_foreign(members.value, upstream)
    except BodyError:  # what cannot be looked into passes as it is
        return False


def edits(dialect: str, members: Members, upstream: VendorProfile, losses: Losses) -> dict[str, bytes | None]:
    """The members of a passing request to change, and to what; None takes one out."""
    try:
        found = _changes(dialect, members.value, upstream, losses)
        if upstream.schemas == "moonshot":
            found |= _schemas(found["tools"] if "tools" in found else members.value("tools"), losses)
        return {name: None if value is None else json_text.encode(value) for name, value in found.items()}
    except (ValueError, RecursionError):  # what cannot be looked into passes as it is
        return {}


def adapted(dialect: str, body: dict[str, object], upstream: VendorProfile, losses: Losses) -> dict[str, object]:
    """Returns a request that was written for an upstream, without what that does not know."""
    found = _changes(dialect, body.get, upstream, losses)
    return {name: value for name, value in (body | found).items() if name not in found or value is not None}


def _schemas(tools: object, losses: Losses) -> dict[str, object]:
    """The tools of a request in any dialect, if their schemas are not Moonshot's flavour."""
    from agcore.conversation.schemas.targets import MOONSHOT  # few upstreams have one of their own
    from agcore.conversation.schemas.writer import write_schema

    def written(tool: object) -> object:
        if not isinstance(tool, dict):
            return tool
        inner = tool.get("function")
        if isinstance(inner, dict):
            return {**tool, "function": written(inner)}
        found = {name: write_schema(tool[name], MOONSHOT, f"tools.{name}", losses) for name in _SCHEMAS if name in tool}
        return {**tool, **found}

    fitted = [written(tool) for tool in tools] if isinstance(tools, list) else tools
    return {} if fitted == tools else {"tools": fitted}


def _changes(dialect: str, get: Callable[[str], object], upstream: VendorProfile, losses: Losses) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in upstream.refused_members:
        name, _, inner = path.partition(".")
        value = found[name] if name in found else get(name)
        if value is None or (inner and not (isinstance(value, dict) and inner in value)):
            continue
        losses.add(path, "the upstream does not take it")
        rest = {key: each for key, each in value.items() if key != inner} if isinstance(value, dict) and inner else None
        found[name] = rest or None
    if upstream.sampling == "fixed":
        found |= _unsampled(get, losses)
    rules = task_registry.lookalikes().get(dialect)
    if rules is not None and (upstream.lookalike or dialect == _CHAT):
        found |= rules.changes(lambda name: found[name] if name in found else get(name), upstream, losses)
    return found


def _unsampled(get: Callable[[str], object], losses: Losses) -> dict[str, object]:
    """The members of sampling, taken out: a model refuses them all where its own values are the only ones."""
    given = {name: value for name in _SAMPLING if (value := get(name)) is not None}
    for name, value in given.items():
        if value != _SAMPLING[name]:
            losses.add(name, "the model's sampling is fixed")
    return dict.fromkeys(given)
