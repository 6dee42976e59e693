"""The literal facts of Messages (docs/wire/anthropic-messages.md)."""

from __future__ import annotations

import re
from typing import Final

from agcore.codecs.header_fields import TRACE, Allowed
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.dialects.base import Traits

NAME: Final = "anthropic"

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b'event: ping\ndata: {"type":"ping"}\n\n',
    model_mark="[1m]",  # Claude Code's, which leaks from some of its calls (docs/wire/clients.md#claude-code)
    history_member="messages",
    prompt_members=("system",),
    generate_path="/v1/messages",
    list_path="/v1/models?limit=1000",
    headers_up=Allowed(
        frozenset(
            {
                b"user-agent",
                b"anthropic-version",
                b"anthropic-beta",
                b"anthropic-user-profile-id",
                b"idempotency-key",
                b"x-app",
                *TRACE,
            }
        ),
        (b"x-claude-code-",),
    ),
    headers_down=Allowed(frozenset({b"request-id", b"retry-after", b"retry-after-ms"}), (b"anthropic-ratelimit-",)),
    headers_required=((b"anthropic-version", b"2023-06-01"),),
    request_id_header=b"request-id",
    knows_529=True,
    tool_names=ToolNameRule(re.compile(r"[A-Za-z0-9_-]{1,128}"), 128),
    parameter_names=ToolNameRule(re.compile(r"[A-Za-z0-9_.-]{1,64}"), 64),
    names_hosted_tools=True,
    answer_id_prefix="msg_",
    signer="anthropic",
    one_answer=True,
    no_pictures="Messages has no pictures in answers",
)
