"""The literal facts of legacy Completions (docs/wire/openai-completions.md)."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Traits
from agcore.dialects.openai import headers

NAME: Final = "openai_completions"

TRAITS: Final = Traits(
    name=NAME,
    keepalive=b": keepalive\n\n",
    history_member=None,
    generate_path="/completions",
    headers_up=headers.UP,
    headers_down=headers.DOWN,
    answer_id_prefix="cmpl-",
    whole_is_event=True,
)
