"""What strict Chat servers refuse, rule by rule, in words of our own.

Each rule raises `Refused` as its server does. The servers' own words and where they were seen stand beside the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

Messages = list[dict[str, Any]]


class Refused(AssertionError):
    """A request that the server would not take."""


def qwen(messages: Messages) -> None:
    """Chat templates of Qwen 3.5 and later (llama.cpp#20733, Qwen3.8#244, lmstudio-bug-tracker#1655)."""
    for at, message in enumerate(messages):
        if message["role"] == "system" and at:
            raise Refused("System message must be at the beginning.")
        if message["role"] not in ("system", "user", "assistant", "tool"):
            raise Refused("Unexpected message role.")
    if all(message["role"] != "user" for message in messages):
        raise Refused("No user query found in messages.")


def mistral_template(messages: Messages) -> None:
    """Chat templates of Devstral and Ministral (mini-swe-agent#759, opencode#5034): only what is no step of a tool
    counts."""
    rest = messages[1:] if messages and messages[0]["role"] == "system" else messages
    position = 0
    for message in rest:
        if message["role"] not in ("user", "assistant", "tool"):
            raise Refused("Only user, assistant and tool roles are supported")
        if message["role"] == "user" or (message["role"] == "assistant" and not message.get("tool_calls")):
            if (message["role"] == "user") != (position % 2 == 0):
                raise Refused("After the optional system message, conversation roles must alternate")
            position += 1


def mistral(messages: Messages) -> None:
    """Mistral's own API: MistralRequestValidatorV3 of mistral-common, codes 3230 and 3280 (zed#37021, langchain#24668)."""
    mistral_template(messages)
    for before, message in pairwise(messages):
        if before["role"] == "tool" and message["role"] not in ("tool", "assistant"):
            raise Refused(f"Unexpected role '{message['role']}' after role 'tool'")
    last = messages[-1]
    if last["role"] not in ("user", "tool") and not last.get("prefix"):
        raise Refused("Expected last role User or Tool (or Assistant with prefix True) for serving")
    for message in messages:
        ids = [call["id"] for call in message.get("tool_calls", ())]
        ids += [message["tool_call_id"]] if message["role"] == "tool" else []
        if not all(re.fullmatch("[a-zA-Z0-9]{9}", id) for id in ids):
            raise Refused("Tool call id must be a-z, A-Z, 0-9, with a length of 9.")


def perplexity(messages: Messages) -> None:
    """Perplexity (perplexityai/api-discussion#265, pipecat#4862)."""
    rest = messages[1:] if messages[0]["role"] == "system" else messages
    for at, message in enumerate(rest):
        if message["role"] not in ("user", "assistant") or "tool_calls" in message:
            raise Refused("roles are system, user and assistant")
        if (message["role"] == "user") != (at % 2 == 0):
            raise Refused("After the (optional) system message(s), user and assistant roles should be alternating.")
    if not rest or rest[-1]["role"] != "user":
        raise Refused("Last message must have role `user`.")


def thinking(messages: Messages) -> None:
    """DeepSeek V4 and Kimi K2.5 and later while they think (new-api#4795, hermes-agent#17341, openclaw#73417)."""
    for message in messages:
        if message["role"] == "assistant" and not message.get("reasoning_content"):
            raise Refused("The reasoning_content in the thinking mode must be passed back to the API.")


SERVERS: Final[dict[str, tuple[str, str, Callable[[Messages], None]]]] = {
    "qwen": ("llamacpp", "Qwen3.8-27B-GGUF", qwen),
    "devstral": ("lmstudio", "mistralai/Devstral-Small-2-24B-GGUF", mistral_template),
    "ministral": ("", "ministral-3-14b", mistral),
    "mistral": ("mistral", "mistral-large-latest", mistral),
    "perplexity": ("perplexity", "sonar-pro", perplexity),
    "deepseek": ("deepseek", "deepseek-v4-pro", thinking),
    "kimi": ("moonshot", "kimi-k2.6", thinking),
    "unknown": ("", "some-local-model", qwen),
}
"""Server -> who serves, a model's name there, and what it refuses."""
