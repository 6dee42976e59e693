"""The literal facts of generateContent (docs/wire/gemini.md)."""

from __future__ import annotations

import re
from typing import Final

from agcore.codecs.header_fields import TRACE, Allowed
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.dialects.base import Traits

NAME: Final = "gemini"

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b"\r\n",  # anything else, a comment included, makes Google's SDK raise
    model_member="modelVersion",
    history_member="contents",
    prompt_members=("systemInstruction", "system_instruction"),
    generate_path="/{version}/{collection}/{model}:generateContent",
    stream_path="/{version}/{collection}/{model}:streamGenerateContent?alt=sse",
    list_path="/v1beta/models?pageSize=1000",
    default_version="v1beta",  # the one that has everything
    headers_up=Allowed(frozenset({b"user-agent", b"x-goog-api-client", b"x-server-timeout", *TRACE})),
    headers_down=Allowed(frozenset({b"retry-after"})),
    tool_names=ToolNameRule(re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}"), 128),
    whole_is_event=True,
    stream_as_array=True,
)
