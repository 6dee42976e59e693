"""What strict Chat servers refuse, as checks of a request's messages. The rules themselves stand in `vendors/`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.support.vendors import chat_servers
from tests.support.vendors.rule import Rule, Sent, broken

Messages = list[dict[str, Any]]


class Refused(AssertionError):
    """A request that the server would not take."""


def _hold(rules: tuple[Rule, ...], messages: Messages) -> None:
    if rule := broken(rules, Sent({"messages": messages})):
        raise Refused(f"{rule.id}: {rule.words}")


def qwen(messages: Messages) -> None:
    """Chat templates of Qwen 3.5 and later."""
    _hold(chat_servers.QWEN, messages)


def mistral_template(messages: Messages) -> None:
    """Chat templates of Devstral and Ministral."""
    _hold(chat_servers.MISTRAL_TEMPLATE, messages)


def mistral(messages: Messages) -> None:
    """Mistral's own API."""
    _hold(chat_servers.MISTRAL, messages)


def perplexity(messages: Messages) -> None:
    """Perplexity."""
    _hold(chat_servers.PERPLEXITY, messages)


def deepseek(messages: Messages) -> None:
    """DeepSeek V4 while it thinks."""
    _hold(chat_servers.DEEPSEEK, messages)


def kimi(messages: Messages) -> None:
    """Kimi K2.5 and later while they think."""
    _hold(chat_servers.KIMI, messages)


SERVERS: Final[dict[str, tuple[str, str, Callable[[Messages], None]]]] = {
    "qwen": ("llamacpp", "Qwen3.8-27B-GGUF", qwen),
    "devstral": ("lmstudio", "mistralai/Devstral-Small-2-24B-GGUF", mistral_template),
    "ministral": ("", "ministral-3-14b", mistral),
    "mistral": ("mistral", "mistral-large-latest", mistral),
    "perplexity": ("perplexity", "sonar-pro", perplexity),
    "deepseek": ("deepseek", "deepseek-v4-pro", deepseek),
    "kimi": ("moonshot", "kimi-k2.6", kimi),
    "unknown": ("", "some-local-model", qwen),
}
"""Server -> who serves, a model's name there, and what it refuses."""
