"""The vendors: where each of their doors is, what it refuses, and how a gateway is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agcore.demo.wire import Wire
from tests.support.vendors import chat_servers, google_door, messages_doors, openai_doors
from tests.support.vendors.rule import Json, Rule

TAKEN: Final[Mapping[Wire, Json]] = {
    Wire.CHAT: {"model": "m", "messages": [{"role": "user", "content": "a"}]},
    Wire.RESPONSES: {"model": "m", "input": "a"},
    Wire.MESSAGES: {"model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "a"}]},
    Wire.GEMINI: {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
}
"""A request that every door of a dialect takes."""

_DIALECTS: Final[Mapping[Wire, tuple[str, str]]] = {
    Wire.CHAT: ("openai", "/v1"),
    Wire.RESPONSES: ("openai_responses", "/v1"),
    Wire.MESSAGES: ("anthropic", "/anthropic"),
    Wire.GEMINI: ("gemini", ""),
}
"""Dialect as a configuration names it, and the path of a base URL."""


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor, or a server on one's own machine."""

    name: str
    preset: str
    model: str
    doors: Mapping[Wire, tuple[Rule, ...]]
    calls: bool = True
    """Whether it takes tools."""
    thinks: bool = False
    """Whether its model thinks unasked."""

    def provider(self, port: int, keys: str = '"sk-vendor-0123456789abcdef"') -> str:
        """Returns the `[[providers]]` entry, in TOML, of this vendor at a port of this machine."""
        doors = [_DIALECTS[door] for door in self.doors]
        urls = ", ".join(f'{name} = "http://127.0.0.1:{port}{path}"' for name, path in doors)
        return (
            f'[[providers]]\npreset = "{self.preset}"\nkeys = [{keys}]\nmodels = ["*"]\n'
            f"dialect = {[name for name, _ in doors]}\nbase_url = {{ {urls} }}\n"
        )


VENDORS: Final[tuple[Vendor, ...]] = (
    Vendor(
        name="openai",
        preset="openai",
        model="gpt-5.6-sol",
        doors={Wire.CHAT: openai_doors.CHAT, Wire.RESPONSES: openai_doors.RESPONSES},
    ),
    Vendor(name="openai-chat", preset="openai", model="gpt-5.6-sol", doors={Wire.CHAT: openai_doors.CHAT}),
    Vendor(
        name="anthropic", preset="anthropic", model="claude-sonnet-4-5", doors={Wire.MESSAGES: messages_doors.ANTHROPIC}
    ),
    Vendor(name="google", preset="gemini", model="gemini-3-pro-preview", doors={Wire.GEMINI: google_door.GOOGLE}),
    Vendor(name="qwen", preset="llamacpp", model="Qwen3.8-27B-GGUF", doors={Wire.CHAT: chat_servers.QWEN}),
    Vendor(
        name="devstral",
        preset="lmstudio",
        model="Devstral-Small-2-24B-GGUF",
        doors={Wire.CHAT: chat_servers.MISTRAL_TEMPLATE},
    ),
    Vendor(name="mistral", preset="mistral", model="mistral-large-latest", doors={Wire.CHAT: chat_servers.MISTRAL}),
    Vendor(
        name="deepseek",
        preset="deepseek",
        model="deepseek-v4-pro",
        doors={Wire.CHAT: chat_servers.DEEPSEEK},
        thinks=True,
    ),
    Vendor(
        name="deepseek-anthropic",
        preset="deepseek",
        model="deepseek-v4-pro",
        doors={Wire.MESSAGES: messages_doors.DEEPSEEK},
        thinks=True,
    ),
    Vendor(name="kimi", preset="moonshot", model="kimi-k2.6", doors={Wire.CHAT: chat_servers.KIMI}, thinks=True),
    Vendor(name="xai", preset="xai", model="grok-4.5", doors={Wire.RESPONSES: openai_doors.XAI}),
    Vendor(
        name="perplexity",
        preset="perplexity",
        model="sonar-pro",
        doors={Wire.CHAT: chat_servers.PERPLEXITY},
        calls=False,
    ),
)

BY_NAME: Final[Mapping[str, Vendor]] = {vendor.name: vendor for vendor in VENDORS}
