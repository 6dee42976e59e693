"""The literal facts of the toy."""

from __future__ import annotations

import re
from typing import Final

from agcore.codecs.header_fields import Allowed
from agcore.conversation.tool_name_rule import ToolNameRule
from agcore.dialects.base import Traits

NAME: Final = "toy"

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b": still here\n\n",
    history_member="say",
    generate_path="/say",
    headers_up=Allowed(frozenset({b"user-agent", b"x-toy"})),
    headers_down=Allowed(frozenset({b"x-toy"})),
    headers_required=((b"x-toy", b"1"),),
    tool_names=ToolNameRule(re.compile(r"[a-z]{1,9}"), 9),
    answer_id_prefix="toy-",
    one_answer=True,
    whole_is_event=False,
)
