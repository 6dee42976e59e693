"""The literal facts of Chat Completions (docs/wire/openai-chat.md)."""

from __future__ import annotations

import re
from typing import Final

from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.dialects.base import Traits
from agcore.dialects.openai import headers

NAME: Final = "openai_chat"

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b": keepalive\n\n",
    history_member="messages",
    stray_history_member="input",
    generate_path="/chat/completions",
    headers_up=headers.UP,
    headers_down=headers.DOWN,
    tool_names=ToolNameRule(re.compile(r"[A-Za-z0-9_-]{1,64}"), 64),
    plain_output=True,
    answer_id_prefix="chatcmpl-",
    users_in_a_row=True,
    drops_signatures=True,
)
