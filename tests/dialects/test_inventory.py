"""Every member of the official SDKs' request types is carried, reported or refused, by every reader.

A member that a newer SDK brings is found here without a change, and so is one that stops to make a difference: readers
tell of what they do not know (`dialects/shared/unread.py`). What makes no difference and is not told is in `NOTHING`,
with the reason why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams as BetaCountParams
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as BetaMessageParams
from anthropic.types.message_create_params import MessageCreateParamsBase as MessageParams
from google.genai import types as google
from openai.types.audio.transcription_create_params import TranscriptionCreateParamsBase as TranscriptionParams
from openai.types.beta.response_create_params import ResponseCreateParamsBase as BetaResponseParams
from openai.types.chat.completion_create_params import CompletionCreateParamsBase as ChatParams
from openai.types.completion_create_params import CompletionCreateParamsBase as CompletionParams
from openai.types.embedding_create_params import EmbeddingCreateParams as EmbeddingParams
from openai.types.image_generate_params import ImageGenerateParamsBase as ImageParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase as ResponseParams

from agcore.codecs.multipart import Form, FormFile
from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid
from agcore.dialects import DIALECTS
from agcore.dialects.gemini import embeddings as gemini_embeddings
from agcore.dialects.openai import embeddings as openai_embeddings
from agcore.dialects.openai import images, transcriptions
from tests.support.recordings import wav
from tests.support.sdk_types import PNG, Difference, Whole, members


class Asked(NamedTuple):
    """A type of request, and who reads it."""

    read: Callable[[Any, Losses], Any]
    kind: Any
    whole: Whole = lambda value: value
    places: tuple[str, ...] = ("",)
    """What may stand before a member's path on the wire."""


def generation(dialect: Any) -> Callable[[Any, Losses], Conversation]:
    """What reads a generation, but for what is kept to be repeated in the answer."""

    def read(body: Any, losses: Losses) -> Conversation:
        said = DIALECTS[dialect].client.parse_request(body, model="m", stream=False, losses=losses)
        return msgspec.structs.replace(said, echo=None)

    return read


def form(value: dict[str, Any]) -> Form:
    """A form with a recording, as the SDK sends one: a list is a field that comes again."""
    fields: list[tuple[str, str]] = []
    for name, each in value.items():
        if name != "file":
            listed = each if isinstance(each, list) else [each]
            fields += [
                (f"{name}[]" if listed is each else name, item if isinstance(item, str) else json.dumps(item))
                for item in listed
            ]
    return Form(tuple(fields), (FormFile("file", "a.wav", "audio/wav", wav(2)),))


def gemini_config(value: dict[str, Any]) -> dict[str, Any]:
    """A request with the SDK's `config`, whose members stand in two places on the wire."""
    root = {name: each for name, each in value.items() if name in _ROOT}
    config = {name: each for name, each in value.items() if name not in _ROOT}
    part = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    return {"contents": [{"role": "user", "parts": [part]}], "generationConfig": config, **root}


_ROOT: Final = frozenset({
    "systemInstruction", "safetySettings", "tools", "toolConfig", "labels", "cachedContent", "serviceTier"
})  # fmt: skip


def gemini_content(value: dict[str, Any]) -> dict[str, Any]:
    """A request that goes on from a content. Calls stand before it, so that results have some to answer."""
    call = {"role": "model", "parts": [{"functionCall": {"name": name, "id": name}} for name in ("x0", "x1")]}
    role = "model" if "functionCall" in str(value) else "user"
    # Most of what a part may have stands beside what it says.
    parts = [part if _SAYING & part.keys() else {"text": "x", **part} for part in value.get("parts", ())]
    return {"contents": [{"parts": [{"text": "x"}]}, call, {"role": role, **value, "parts": parts}]}


_SAYING: Final = frozenset({
    "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall",
    "toolResponse",
})  # fmt: skip


REQUESTS: Final[Mapping[str, Asked]] = {
    "messages": Asked(generation("anthropic"), MessageParams),
    "beta messages": Asked(generation("anthropic"), BetaMessageParams),
    "count_tokens": Asked(generation("anthropic"), BetaCountParams, lambda value: {"max_tokens": 1, **value}),
    "chat": Asked(generation("openai_chat"), ChatParams),
    "completions": Asked(generation("openai_completions"), CompletionParams),
    "responses": Asked(generation("openai_responses"), ResponseParams, lambda value: {"input": "x", **value}),
    "beta responses": Asked(generation("openai_responses"), BetaResponseParams, lambda value: {"input": "x", **value}),
    "generateContent": Asked(
        generation("gemini"), google.GenerateContentConfig, gemini_config, ("", "generationConfig.")
    ),
    "embeddings": Asked(
        lambda body, losses: openai_embeddings.read_request(body, path="/v1/embeddings", model="m", losses=losses),
        EmbeddingParams,
    ),
    "pictures": Asked(
        lambda body, losses: images.read_request(body, path="/v1/images/generations", model="m", losses=losses),
        ImageParams,
    ),
    "recordings": Asked(
        lambda body, losses: transcriptions.read_request(
            body, path="/v1/audio/transcriptions", model="m", losses=losses
        ),
        TranscriptionParams,
        form,
    ),
    "embedContent": Asked(
        lambda body, losses: gemini_embeddings.read_request(
            body, path="/v1beta/models/m:embedContent", model="m", losses=losses
        ),
        google.EmbedContentConfig,
        lambda value: {"content": {"parts": [{"text": "x"}]}, **value},
    ),
    "contents": Asked(generation("gemini"), google.Content, gemini_content, ("contents.",)),
}

_DEFAULT: Final = "it says what holds without it"
_PATH: Final = "the model and the stream are decided before a body is read"
_BOOKS: Final = "ids and states of items are their vendor's bookkeeping"
_KEPT: Final = "it is kept by its vendor"
NOTHING: Final[Mapping[str, str]] = {
    r"^model(\|.*)?$": _PATH,
    r"<SystemMessageParam>\.clear_at$": "it counts once the user spoke again: tested by itself",
    r"<ToolParam>\.type$": _DEFAULT,
    r"^response_format$|<ResponseTextConfigParam>\.format$|<Custom>\.format$": _DEFAULT,
    r"<(EasyInputMessageParam|Message)>\.type$": _DEFAULT,
    r"\.environment\|LocalEnvironmentParam$": _DEFAULT,
    r"^file(\|.*)?$": "the recording stands in each form",
    r"^echo$": "the answer repeats it, not the question",
    r"^store$": "nobody else stores answers, which the gateway does",
    r"^input.*>\.(id|status)$": _BOOKS,
    r"<(ToolSearchCall|ResponseToolSearchOutputItemParamParam)>\.execution$": _BOOKS,
    r"<ResponseOutputMessageParam>\.content$": "another text that is empty",
    r"^input\[ResponseConfigurationUpdateItemParamParam\]": "what it may change makes a difference at the top level",
    r"<ResponseFileSearchToolCallParam>\.results\[Result\]<Result>\.": "the text that was found is carried",
    r"<MultiAgentCallOutputOutput>\.annotations": "the text is carried",
    r"<ImageGenerationCall>\.(error|revised_prompt)": "the picture is carried",
    r"<McpListToolsTool>\.(input_schema|annotations)$": "the names of the tools are carried",
    r"<Schema>\.(example|nullable|propertyOrdering)$": "it says nothing without a type, or only to Google's own decoder",
    r"^systemInstruction<Content>\.role$": "whose instructions they are is known",
}
"""A pattern of paths -> why nothing need come of it."""

REFUSED: Final[Mapping[str, str]] = {
    r"\[UserMessageParam\].*\[(RedactedThinking|Thinking|ToolUse)Block": "only the assistant says so",
    r"\[AssistantMessageParam\].*\[ToolResultBlock": "only the user answers a call",
    r"\[RequestTool(Addition|Removal)BlockParam\]": "only a system message changes tools",
    r"^thread": _KEPT,
    r"^conversation|^previous_response_id$|^input\[ItemReference\]$": _KEPT,
    r"^(prompt|input)\|Iterable$": "tokens of one model mean nothing to another",
    r"^input\[CompactionTrigger\]": "there must be something to compact",
    r"\[ToolFunction\]<ToolFunction>\.parameters$": "the type takes anything, the vendor a schema",
    r"^role$": "roles are `user` and `model`",
}
"""A pattern of paths -> why it is refused: other refusals are of examples that are none."""


def outcome(asked: Asked, body: Any) -> tuple[Any, Losses] | Invalid:
    losses = Losses()
    try:
        return asked.read(body, losses), losses
    except Invalid as error:
        return error


def told(losses: Losses, path: str, asked: Asked) -> bool:
    """Whether a member, or what it stands in, is among the losses."""
    plain = re.sub(r"<[^>]*>|\[[^\]]*\]|\|.*", "", path)
    return any(
        loss.action == "dropped" and f"{place}{plain}.".startswith(re.sub(r"\[\d+\]", "", loss.path) + ".")
        for loss in losses
        for place in asked.places
    )


def silent(asked: Asked) -> Iterator[str]:
    """What makes no difference, and what is refused, beyond what is listed above."""
    walk = members(asked.kind, asked.whole)
    further: bool | None = None
    try:
        while True:
            difference = walk.send(further)
            problem, further = judged(asked, difference)
            if problem:
                yield problem
    except StopIteration:
        return


def judged(asked: Asked, difference: Difference) -> tuple[str, bool]:
    """What is wrong with a member, if anything, and whether what it holds makes a difference of its own."""
    path = difference.path
    without = outcome(asked, difference.without)
    found = [outcome(asked, given) for given in difference.given]
    read = [each for each in found if not isinstance(each, Invalid)]
    if isinstance(without, Invalid) or not read:
        known = any(re.search(pattern, path) for pattern in REFUSED)
        said = without if isinstance(without, Invalid) else found[0]
        return "" if known else f"{path}: refused: {said}", False
    if any(told(losses, path, asked) for _, losses in read):
        return "", False
    if any(conversation != without[0] or [*losses] != [*without[1]] for conversation, losses in read):
        return "", any(conversation != without[0] for conversation, _ in read)
    known = any(re.search(pattern, path) for pattern in NOTHING)
    return "" if known else f"{path}: makes no difference, and nothing is said of it", known


@pytest.mark.parametrize("name", REQUESTS)
def test_every_member_of_the_sdks_requests_is_carried_reported_or_refused(name: str) -> None:
    assert not list(silent(REQUESTS[name]))


def test_what_makes_no_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.dialects.test_inventory.NOTHING", {})
    monkeypatch.setattr("tests.dialects.test_inventory.REFUSED", {})
    found = [*silent(REQUESTS["messages"]), *silent(REQUESTS["completions"])]
    assert "model: makes no difference, and nothing is said of it" in found
    assert any(each.startswith("prompt|Iterable: refused") for each in found)


_TEXT: Final = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("dialect", "body", "path"),
    [
        ("anthropic", {"tomorrow": 1}, "tomorrow"),
        ("anthropic", {"messages": [{"role": "user", "content": "x", "tomorrow": 1}]}, "messages[0].tomorrow"),
        (
            "anthropic",
            {"messages": [{"role": "user", "content": [{**_TEXT, "tomorrow": 1}]}]},
            "messages[0].content[0].tomorrow",
        ),
        ("anthropic", {"tools": [{"name": "f", "input_schema": {}, "tomorrow": 1}]}, "tools[0].tomorrow"),
        ("openai_chat", {"tomorrow": 1}, "tomorrow"),
        ("openai_chat", {"messages": [{"role": "user", "content": "x", "tomorrow": 1}]}, "messages[0].tomorrow"),
        (
            "openai_chat",
            {"messages": [{"role": "user", "content": [{**_TEXT, "tomorrow": 1}]}]},
            "messages[0].content[0].tomorrow",
        ),
        ("openai_chat", {"tools": [{"type": "function", "function": {"name": "f", "tomorrow": 1}}]},
         "tools[0].function.tomorrow"),
        ("openai_chat", {"stream_options": {"tomorrow": 1}}, "stream_options.tomorrow"),
        ("openai_completions", {"tomorrow": 1}, "tomorrow"),
        ("openai_responses", {"tomorrow": 1}, "tomorrow"),
        ("openai_responses", {"input": [{"role": "user", "content": "x", "tomorrow": 1}]}, "input[0].tomorrow"),
        (
            "openai_responses",
            {"input": [{"role": "user", "content": [{**_TEXT, "tomorrow": 1}]}]},
            "input[0].content[0].tomorrow",
        ),
        (
            "openai_responses",
            {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "tomorrow": 1}]},
            "input[0].tomorrow",
        ),
        ("openai_responses", {"tools": [{"type": "function", "name": "f", "tomorrow": 1}]}, "tools[0].tomorrow"),
        ("gemini", {"tomorrow": 1}, "tomorrow"),
        ("gemini", {"generationConfig": {"tomorrow": 1}}, "generationConfig.tomorrow"),
        ("gemini", {"contents": [{"parts": [{"text": "x"}], "tomorrow": 1}]}, "contents[0].tomorrow"),
        ("gemini", {"contents": [{"parts": [{"text": "x", "tomorrow": 1}]}]}, "contents[0].parts[0].tomorrow"),
        ("gemini", {"tools": [{"functionDeclarations": [{"name": "f", "tomorrow": 1}]}]},
         "tools[0].functionDeclarations[0].tomorrow"),
    ],
)  # fmt: skip
def test_a_member_of_tomorrow_is_told_of_before_anybody_knows_it(dialect: Any, body: Any, path: str) -> None:
    least: dict[str, Any] = {
        "anthropic": {"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]},
        "openai_chat": {"messages": [{"role": "user", "content": "x"}]},
        "openai_completions": {"prompt": "x"},
        "openai_responses": {"input": "x"},
        "gemini": {"contents": [{"parts": [{"text": "x"}]}]},
    }
    read = outcome(Asked(generation(dialect), None), {**least[dialect], **body})
    assert not isinstance(read, Invalid)
    assert [loss.path for loss in read[1]] == [path]
