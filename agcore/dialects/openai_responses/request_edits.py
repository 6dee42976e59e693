"""What a Responses request asks for besides a model and a stream."""

from __future__ import annotations

from agcore.codecs.json_splice import Members


def fills_cache(members: Members) -> bool:
    """Whether no answer is wanted: `generate: false` or a prewarming (docs/wire/openai-responses.md#request)."""
    options = members.value("prompt_cache_options")
    return members.value("generate") is False or (isinstance(options, dict) and options.get("prewarm") is True)
