"""The rows of vendor profiles, each with its source, and the profile that they add up to.

    upstream = vendor_profile("deepseek", "deepseek-v4-pro", "openai_chat")

Rows are merged in the order of `ROWS`, from the general to the special: families of models wherever they are served,
then vendors, then families at a vendor. A later row overrides single members of an earlier one. To add a fact, add a
row: who serves (`vendors`), which models (`models`, globs of lower-case names without what stands before the last
slash), in which dialects, what that changes, and where it is documented or was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from agcore.codecs.globs import matches
from agcore.models.vendor_profile import VendorProfile

_LONGEST_NAME: Final = 256
_CHAT: Final = ("openai_chat",)


class VendorRow(msgspec.Struct, frozen=True, kw_only=True):
    """Some facts about some endpoints."""

    vendors: tuple[str, ...] = ()
    """Ids of who serves; empty for anybody."""
    models: tuple[str, ...] = ()
    """Globs of models' names; empty for all."""
    dialects: tuple[str, ...] = ()
    """Dialects of the endpoint; empty for all."""
    members: Mapping[str, object]
    """Member of `VendorProfile` -> value."""
    source: str
    """Where that is documented, or was seen."""

    def concerns(self, vendor: str, name: str, dialect: str) -> bool:
        """Returns True where the row is about a model of this short name, so served."""
        return (
            (not self.vendors or vendor in self.vendors)
            and (not self.dialects or dialect in self.dialects)
            and (not self.models or any(matches(pattern, name) for pattern in self.models))
        )


_OPENAI: Final = (
    *("gpt-3*", "gpt-4*", "gpt-5*", "gpt-6*", "gpt-audio*", "chatgpt-*", "codex-*", "computer-use-*"),
    *("o1*", "o3*", "o4*", "ft:*"),
)

FAMILIES: Final[tuple[VendorRow, ...]] = (
    VendorRow(
        models=_OPENAI,
        members={"leading_system": "many", "late_system": "in_place", "developer_role": True},
        source="https://platform.openai.com/docs/api-reference/chat/create",
    ),
    VendorRow(
        models=_OPENAI,
        members={
            "endpoints": ("openai_responses", "openai_chat", "anthropic", "gemini", "openai_completions"),
        },
        source="https://platform.openai.com/docs/guides/migrate-to-responses (encrypted reasoning between calls)",
    ),
    VendorRow(
        models=("gpt-5.2*", "gpt-5.3*", "gpt-5.4*", "gpt-5.5*"),
        dialects=_CHAT,
        members={"tools_with_effort_on_chat": "left_out"},
        source="github.com/livekit/agents#5088, openai/openai-openapi#541, charmbracelet/crush#2913",
    ),
    VendorRow(
        models=("gpt-5.6*", "gpt-5.7*", "gpt-5.8*", "gpt-5.9*", "gpt-6*"),
        dialects=_CHAT,
        members={"tools_with_effort_on_chat": "none"},
        source="github.com/BerriAI/litellm#34569, fazer-ai/agents#66, danny-avila/LibreChat#14231",
    ),
    VendorRow(
        models=("claude-*",),
        members={
            "endpoints": ("anthropic", "openai_responses", "openai_chat", "gemini", "openai_completions"),
        },
        source="https://docs.anthropic.com/en/api/openai-sdk (its Chat endpoint is for tests)",
    ),
    VendorRow(
        models=("gemini-*", "gemma-*"),
        members={
            "endpoints": ("gemini", "openai_chat", "openai_responses", "anthropic", "openai_completions"),
        },
        source="https://ai.google.dev/gemini-api/docs/openai (thought signatures are Gemini's own there)",
    ),
    VendorRow(
        models=("*deepseek-v4*", "*deepseek-chat*", "*deepseek-reasoner*"),
        dialects=_CHAT,
        members={"reasoning_content": "demanded"},
        source="https://api-docs.deepseek.com/guides/thinking_mode",
    ),
    VendorRow(
        models=("*kimi-k2.5*", "*kimi-k2.6*", "*kimi-k2.7*", "*kimi-k3*"),
        dialects=_CHAT,
        members={"reasoning_content": "demanded", "sampling": "fixed", "forced_tool": "not_while_thinking"},
        source="https://platform.moonshot.ai/docs/guide/kimi-k2-5-quickstart",
    ),
    VendorRow(
        models=(
            "gpt-3*",
            "gpt-4",
            "gpt-4-*",
            "gpt-4o",
            "gpt-4o-2*",
            "gpt-4o-mini",
            "gpt-4o-mini-2*",
            "o1*",
            "o3-mini*",
        ),
        members={"longest_description": 1024},
        source="getsentry/sentry-mcp#106 (gpt-4o), dnakov/anon-kode#45 (o1, o3-mini); from gpt-4.1 on 1,048,576 by "
        "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/models",
    ),
    VendorRow(
        models=("*kimi*", "moonshot-*"),
        members={"schemas": "moonshot"},
        source="MoonshotAI/kimi-cli#1595, #2061 and #2531, router-for-me/CLIProxyAPI#5316, anomalyco/opencode#39995",
    ),
    VendorRow(
        models=("*kimi-k2-thinking*",),
        dialects=_CHAT,
        members={"reasoning_content": "taken"},
        source="https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model",
    ),
    VendorRow(
        models=("*glm-4.5*", "*glm-4.6*", "*glm-4.7*", "*glm-5*"),
        dialects=_CHAT,
        members={"reasoning_content": "taken"},
        source="https://docs.z.ai/guides/capabilities/thinking-mode (preserved thinking)",
    ),
    VendorRow(
        models=("*mistral*", "*ministral*", "*magistral*", "*devstral*", "*codestral*", "*pixtral*", "*mixtral*"),
        dialects=_CHAT,
        members={
            "alternates": True,
            "user_after_tool": False,
            "call_ids": "nine_alphanumerics",
        },
        source="github.com/mistralai/mistral-common MistralRequestValidatorV3",
    ),
)
"""Families of models, wherever they are served."""

VENDORS: Final[tuple[VendorRow, ...]] = (
    VendorRow(
        vendors=("openai", "azure"),
        models=(*_OPENAI, "gpt-*"),
        members={"endpoints": ("openai_responses", "openai_chat")},
        source="https://platform.openai.com/docs/models",
    ),
    VendorRow(
        vendors=("openai", "azure"),
        models=(
            *("*codex*", "gpt-5-pro*", "gpt-5.*-pro*", "gpt-6*-pro*", "o1-pro*", "o3-pro*"),
            *("*deep-research*", "computer-use-*"),
        ),
        members={"endpoints": ("openai_responses",)},
        source="https://platform.openai.com/docs/models/gpt-5-codex (and the pages of the others)",
    ),
    VendorRow(
        vendors=("openai", "azure"),
        models=("gpt-audio*", "gpt-4o-audio*", "gpt-4o-mini-audio*", "*-search-preview*", "*-search-api*"),
        members={"endpoints": ("openai_chat",)},
        source="https://platform.openai.com/docs/models/gpt-audio, /gpt-4o-search-preview",
    ),
    VendorRow(
        vendors=("openai", "azure"),
        models=("gpt-3.5-turbo-instruct*", "davinci-*", "babbage-*"),
        members={"endpoints": ("openai_completions",)},
        source="https://platform.openai.com/docs/models/gpt-3.5-turbo-instruct",
    ),
    VendorRow(
        vendors=("mistral",),
        dialects=_CHAT,
        members={"prefill": "prefix_member"},
        source="https://docs.mistral.ai/capabilities/completion",
    ),
    VendorRow(
        vendors=("deepseek", "zai"),
        dialects=_CHAT,
        members={"structured_output": False},
        source="https://api-docs.deepseek.com/api/create-chat-completion and "
        "https://docs.z.ai/api-reference/llm/chat-completion: text or json_object",
    ),
    VendorRow(
        vendors=("deepseek",),
        dialects=_CHAT,
        members={"prefill": "refused"},
        source="github.com/BerriAI/litellm#8090, https://api-docs.deepseek.com/guides/chat_prefix_completion",
    ),
    VendorRow(
        vendors=("perplexity",),
        members={"tools": False, "alternates": True},
        source="https://docs.perplexity.ai/api-reference/chat-completions-post",
    ),
    VendorRow(
        vendors=("zai", "moonshot", "deepseek"),
        dialects=("anthropic",),
        members={"lookalike": True, "late_system": "user_text"},
        source="github.com/deepseek-ai/DeepSeek-V3#1370; z.ai and Moonshot by analogy",
    ),
    VendorRow(
        vendors=("xai", "groq", "openrouter"),
        dialects=("openai_responses",),
        members={"lookalike": True},
        source="https://docs.x.ai/docs/guides/responses-api",
    ),
    VendorRow(
        vendors=("openrouter",),
        models=("claude-*",),
        dialects=_CHAT,
        members={"cache_field": True},
        source="https://openrouter.ai/docs/features/prompt-caching, microsoft/vscode 312939",
    ),
)
"""Vendors, and families at a vendor."""

ROWS: Final[tuple[VendorRow, ...]] = (*FAMILIES, *VENDORS)
"""All rows, in the order in which they are merged."""


def short_name(model: str) -> str:
    """Returns a model's name as rows match it: in lower case, without what aggregators and paths put before it."""
    return model.replace("\\", "/").rpartition("/")[2].lower()


def vendor_profile(vendor: str, model: str, dialect: str) -> VendorProfile:
    """Returns the profile of one endpoint for one model.

    Args:
        vendor: Who serves, as presets are named; empty when unknown.
        model: The model's name there; any text.
        dialect: What the endpoint speaks, as the core names it; empty for what holds in all.
    """
    if len(model) > _LONGEST_NAME:
        return VendorProfile(vendor=vendor)
    return _merged(vendor, short_name(model), dialect)


@lru_cache(maxsize=1024)
def _merged(vendor: str, name: str, dialect: str) -> VendorProfile:
    members: dict[str, object] = {"vendor": vendor}
    for row in ROWS:
        if row.concerns(vendor, name, dialect):
            members.update(row.members)
    return VendorProfile(**members)  # type: ignore[arg-type] # by a test of all rows
