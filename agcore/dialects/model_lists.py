"""Model listings as bodies: OpenAI's, Anthropic's, Google's and Codex's shapes, and the answer of `detect`.

Pure functions from `ListedModel`s to JSON bytes. Nothing here depends on a clock: release dates come from the shipped
table, and where one is unknown it is the epoch, as Anthropic does it.
"""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Sequence
from typing import Final

import msgspec

from agcore.codecs.globs import matches
from agcore.models.profiles import Profile
from agcore.routing.catalog import ListedModel, Resolution

ANTHROPIC_LIMIT: Final = 20
ANTHROPIC_MAX_LIMIT: Final = 1000
GEMINI_PAGE_SIZE: Final = 50
GEMINI_MAX_PAGE_SIZE: Final = 1000

_encode: Final = msgspec.json.Encoder().encode
_UNKNOWN_CONTEXT: Final = 128_000


def openai_list(models: Sequence[ListedModel]) -> bytes:
    """The body of OpenAI's `GET /v1/models`."""
    return _encode({"object": "list", "data": [_openai(model) for model in models]})


def openai_model(model: ListedModel) -> bytes:
    """The body of OpenAI's `GET /v1/models/{id}`."""
    return _encode(_openai(model))


def anthropic_list(
    models: Sequence[ListedModel],
    *,
    limit: int = ANTHROPIC_LIMIT,
    before_id: str | None = None,
    after_id: str | None = None,
) -> bytes:
    """The body of Anthropic's `GET /v1/models`: one page.

    Args:
        models: The whole list.
        limit: The most models of a page, 1 to 1000.
        before_id: Give the page that ends right before this model.
        after_id: Give the page that starts right after this model.

    Raises:
        ValueError: A limit out of range, both ids at once, or an id that is not in the list; for a 400.
    """
    if not 1 <= limit <= ANTHROPIC_MAX_LIMIT:
        raise ValueError(f"limit: must be between 1 and {ANTHROPIC_MAX_LIMIT}")
    if before_id and after_id:
        raise ValueError("before_id, after_id: only one of them can be given")
    start, end = 0, len(models)
    if before_id:
        end = _index(models, before_id, "before_id")
        start = max(0, end - limit)
        has_more = start > 0
    else:
        if after_id:
            start = _index(models, after_id, "after_id") + 1
        has_more = end - start > limit
        end = min(end, start + limit)
    page = models[start:end]
    return _encode(
        {
            "data": [_anthropic(model) for model in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


def anthropic_model(model: ListedModel) -> bytes:
    """The body of Anthropic's `GET /v1/models/{id}`."""
    return _encode(_anthropic(model))


def gemini_list(models: Sequence[ListedModel], *, page_size: int = 0, page_token: str = "") -> bytes:
    """The body of Google's `GET /v1beta/models`: one page.

    Args:
        models: The whole list.
        page_size: The most models of a page; 0 for the usual 50, and what exceeds 1000 counts as that.
        page_token: `nextPageToken` of the page before; empty for the first page.

    Raises:
        ValueError: A negative size, or a token that this list did not give; for a 400.
    """
    if page_size < 0:
        raise ValueError("pageSize: must not be negative")
    size = min(page_size or GEMINI_PAGE_SIZE, GEMINI_MAX_PAGE_SIZE)
    start = _index(models, _token_id(page_token), "pageToken") + 1 if page_token else 0
    page = models[start : start + size]
    body: dict[str, object] = {"models": [_gemini(model) for model in page]}
    if start + size < len(models):
        body["nextPageToken"] = base64.urlsafe_b64encode(page[-1].id.encode()).rstrip(b"=").decode()
    return _encode(body)


def gemini_model(model: ListedModel) -> bytes:
    """The body of Google's `GET /v1beta/models/{id}`."""
    return _encode(_gemini(model))


def codex_catalogue(models: Sequence[ListedModel]) -> bytes:
    """The body of `GET /v1/models?client_version=`: the catalogue Codex keeps of what it can run.

    It holds the models that converse and call tools, except those Codex ships entries for itself: an entry replaces
    the shipped one together with the instructions tuned for that model.
    """
    usable = [model for model in models if model.profile.chat and model.profile.tools and not _shipped(model.id)]
    return _encode({"models": [_codex(model, priority) for priority, model in enumerate(usable, start=100)]})


def detect(resolution: Resolution, profile: Profile) -> bytes:
    """The body of `POST /v1/models/detect`: where a name goes, by which rule, and what answers there.

    The members beside `targets` tell of the first of them.

    Args:
        resolution: Of the name asked about.
        profile: Of the first target's model.
    """
    targets = [
        {
            "step": target.step,
            "provider": target.provider.name,
            "model": target.model,
            "dialects": list(target.provider.endpoints),
            "weight": target.provider.weight,
        }
        for target in resolution.targets
    ]
    first = resolution.targets[0]
    dialects = list(first.provider.endpoints)
    return _encode(
        {
            "model": resolution.requested,
            "provider": first.provider.name,
            "upstream_model": first.model,
            "dialect": dialects[0],
            "dialects": dialects,
            "rule": resolution.rule,
            "targets": targets,
            "capabilities": {
                "chat": profile.chat,
                "tools": profile.tools,
                "vision": profile.vision,
                "pdf": profile.pdf,
                "reasoning": profile.reasoning != "none",
                "reasoning_kind": profile.reasoning,
                "reasoning_efforts": profile.efforts,
                "structured_output": profile.structured_output,
                "sampling": profile.sampling,
                "images": profile.image_output,
                "audio": profile.audio_in or profile.transcription or profile.speech,
                "audio_input": profile.audio_in,
                "transcription": profile.transcription,
                "speech": profile.speech,
                "embeddings": profile.embeddings,
                "context_window": profile.context_window,
                "max_output_tokens": profile.max_output_tokens,
            },
        }
    )


def _index(models: Sequence[ListedModel], model_id: str, parameter: str) -> int:
    for index, model in enumerate(models):
        if model.id == model_id:
            return index
    raise ValueError(f"{parameter}: does not name a model of this list")


def _openai(model: ListedModel) -> dict[str, object]:
    return {"id": model.id, "object": "model", "created": model.profile.created, "owned_by": model.provider}


def _anthropic(model: ListedModel) -> dict[str, object]:
    profile = model.profile
    released = datetime.date.fromordinal(datetime.date(1970, 1, 1).toordinal() + profile.created // 86_400)
    own = profile.vendor == "anthropic"
    reasons = profile.reasoning != "none"
    adaptive = profile.reasoning == "adaptive"
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": f"{released.isoformat()}T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": profile.context_window or None,
        "max_tokens": profile.max_output_tokens or None,
        "capabilities": {
            "batch": _supported(False),
            "citations": _supported(own),
            "code_execution": _supported(own),
            "context_management": _supported(own),
            "effort": {
                "supported": reasons and profile.reasoning != "budget",
                **{level: _supported(level in profile.efforts) for level in ("low", "medium", "high", "xhigh", "max")},
            },
            "image_input": _supported(profile.vision),
            "pdf_input": _supported(profile.pdf),
            "server_tools": {
                "supported": own,
                "code_execution": _supported(own),
                "web_search": _supported(own),
            },
            "structured_outputs": _supported(profile.structured_output),
            "thinking": {
                "supported": reasons,
                "types": {
                    "adaptive": _supported(adaptive if own else reasons),
                    "between_tools": _supported(False),
                    "disabled": _supported(not reasons or "none" in profile.efforts),
                    "enabled": _supported(profile.max_budget > 0 if own else reasons),
                },
            },
        },
    }


def _supported(supported: bool) -> dict[str, bool]:
    return {"supported": supported}


def _gemini(model: ListedModel) -> dict[str, object]:
    profile = model.profile
    methods: list[str] = []
    if profile.chat:
        methods += ["generateContent", "streamGenerateContent", "countTokens"]
    if profile.embeddings:
        methods += ["embedContent", "batchEmbedContents"]
    entry: dict[str, object] = {
        "name": f"models/{model.id}",
        "baseModelId": model.id,
        "version": "001",
        "displayName": model.display_name,
        "description": f"{model.model} at {model.provider}",
        "inputTokenLimit": profile.context_window,
        "outputTokenLimit": profile.max_output_tokens,
        "supportedGenerationMethods": methods,
    }
    if profile.chat:
        entry["thinking"] = profile.reasoning != "none"
    if profile.chat and profile.sampling:
        entry |= {"temperature": 1.0, "maxTemperature": 1.0 if profile.vendor == "anthropic" else 2.0, "topP": 0.95}
    return entry


def _token_id(token: str) -> str:
    """The id in a page token; one that is no token of ours gives an id that no list holds."""
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


_SHIPPED_WITH_CODEX: Final = ("gpt-5*", "gpt-6*", "codex-*")

_CODEX_LEVELS: Final = {
    "none": "No reasoning",
    "minimal": "Barely any reasoning",
    "low": "Quick answers with light reasoning",
    "medium": "Speed and depth in balance",
    "high": "More depth for hard problems",
    "xhigh": "Very deep reasoning for the hardest problems",
    "max": "As much reasoning as the model is capable of",
}

# An entry without instructions makes Codex refuse the whole catalogue, and those of an entry are all the model gets.
_CODEX_INSTRUCTIONS: Final = """\
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


def _shipped(model_id: str) -> bool:
    return any(matches(pattern, model_id) for pattern in _SHIPPED_WITH_CODEX)


def _codex(model: ListedModel, priority: int) -> dict[str, object]:
    """An entry with every member that some Codex version since 0.143 requires, those that may be null too."""
    profile = model.profile
    efforts = ("low", "medium", "high") if profile.reasoning == "budget" else profile.efforts
    levels = [{"effort": level, "description": _CODEX_LEVELS.get(level, level)} for level in efforts]
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
        "base_instructions": _CODEX_INSTRUCTIONS,
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
