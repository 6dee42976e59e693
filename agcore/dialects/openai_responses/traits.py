"""The literal facts of Responses (docs/wire/openai-responses.md)."""

from __future__ import annotations

import re
from typing import Final

from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.dialects.base import Traits
from agcore.dialects.openai import headers

NAME: Final = "openai_responses"

ENCRYPTED_REASONING: Final = "reasoning.encrypted_content"
LOGPROBS: Final = "message.output_text.logprobs"
"""What a request may ask to have included."""

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b": keepalive\n\n",
    history_member="input",
    prompt_members=("instructions",),
    generate_path="/responses",
    headers_up=headers.UP,
    headers_down=headers.DOWN,
    tool_names=ToolNameRule(re.compile(r"[A-Za-z0-9_-]{1,64}"), 64),
    plain_output=True,
    names_hosted_tools=True,
    answer_id_prefix="resp_",
    signer="openai",
    one_answer=True,
    users_in_a_row=True,
)
