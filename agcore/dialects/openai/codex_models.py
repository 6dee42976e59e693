"""The catalogue of models that Codex keeps (docs/wire/clients.md#codex).

It holds the models that converse and call tools, except those Codex ships entries for itself: an entry replaces the
shipped one together with the instructions tuned for that model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.globs import matches
from agcore.codecs.request_target import RequestTarget
from agcore.dialects.openai import models as openai
from agcore.models.listing import ListedModel

write_model = openai.write_model

_UNKNOWN_CONTEXT: Final = 128_000
_SHIPPED: Final = ("gpt-5*", "gpt-6*", "codex-*")

_LEVELS: Final = {
    "none": "No reasoning",
    "minimal": "Barely any reasoning",
    "low": "Quick answers with light reasoning",
    "medium": "Speed and depth in balance",
    "high": "More depth for hard problems",
    "xhigh": "Very deep reasoning for the hardest problems",
    "max": "As much reasoning as the model is capable of",
}

# An entry without instructions makes Codex refuse the whole catalogue, and those of an entry are all the model gets.
_INSTRUCTIONS: Final = """\
You are a coding agent working in a terminal, in the user's own working directory, through Codex CLI. You share the \
workspace with the user: read and edit files and run commands with the tools you are given.

How you work:
- Carry a task through to the end: find the cause, make the change, check that it works, and only then report. Ask \
only when you cannot go on without an answer.
- Look before you change anything. Search with `rg` and `rg --files` where they exist, and read the code around the \
place you are about to edit.
- Follow the instructions of every AGENTS.md whose directory holds a file you touch; a deeper one goes first, and what \
the user says directly goes before all of them.
- For work of several steps keep a short plan with the plan tool, if there is one, and keep it up to date.
- Say in a sentence what you are about to do before a group of commands.

How you change code:
- Fix the cause and not the symptom; keep the change small and in the style of the code around it. Leave unrelated \
faults alone, but mention them.
- The working tree may hold changes of others. Never undo what you did not do. Do not run destructive commands such as \
`git reset --hard` or `git checkout --` unless the user asked for them, and do not commit unless asked.
- Run the narrowest tests that cover your change, then wider ones. Where a command is refused by the sandbox, ask for \
approval through the tool's own parameters if they exist, or say what could not be checked.

How you answer:
- Be brief, plain and exact. Start with the outcome, then what changed and where, giving paths such as \
`src/app.py:42`. Say honestly what you did not verify.
- The user sees your answer in a terminal: short paragraphs or flat lists, code in backticks, no large quotations of \
files that are on disk anyway.
"""


def write_list(models: Sequence[ListedModel], target: RequestTarget) -> bytes:
    """The body of `GET /v1/models?client_version=`."""
    usable = [model for model in models if model.profile.chat and model.profile.tools and not _is_shipped(model.id)]
    return msgspec.json.encode(
        {"models": [_entry(model, priority) for priority, model in enumerate(usable, start=100)]}
    )


def _is_shipped(model_id: str) -> bool:
    return any(matches(pattern, model_id) for pattern in _SHIPPED)


def _entry(model: ListedModel, priority: int) -> dict[str, object]:
    """An entry with every member that some Codex version since 0.143 requires, those that may be null too."""
    profile = model.profile
    efforts = ("low", "medium", "high") if profile.reasoning == "budget" else profile.efforts
    levels = [{"effort": level, "description": _LEVELS.get(level, level)} for level in efforts]
    return {
        "slug": model.id,
        "display_name": model.display_name,
        "description": f"{model.model} at {model.provider}",
        "default_reasoning_level": ("medium" if "medium" in efforts else efforts[-1]) if efforts else None,
        "supported_reasoning_levels": levels,
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "availability_nux": None,
        "upgrade": None,
        "base_instructions": _INSTRUCTIONS,
        "supports_reasoning_summaries": bool(efforts),
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "bytes", "limit": 10_000},
        "supports_parallel_tool_calls": False,
        "context_window": profile.context_window or _UNKNOWN_CONTEXT,
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"] if profile.vision else ["text"],
    }
