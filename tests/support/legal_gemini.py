"""What a Gemini upstream takes, written from docs/wire/gemini.md and what it links to."""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.support.legal_parts import NAME_GEMINI, check_base64, known

_MEMBERS = "contents systemInstruction tools toolConfig generationConfig safetySettings serviceTier labels"
_CONFIG = """temperature topP topK candidateCount maxOutputTokens stopSequences presencePenalty frequencyPenalty seed
responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema mediaResolution thinkingConfig"""
SKIP = "skip_thought_signature_validator"


def check(body: dict[str, Any], *, levels: bool) -> None:
    """Assert that the API would take `body`; `levels` says that the model is a Gemini 3 or later."""
    known(body, _MEMBERS)
    for part in body.get("systemInstruction", {"parts": []})["parts"]:
        known(part, "text")
        assert part["text"].strip()
    assert body.get("systemInstruction", {"parts": [1]})["parts"]
    contents = body["contents"]
    assert contents
    assert contents[0]["role"] == "user"
    _check_turns(contents)
    if levels:
        _check_signatures(contents)
    _check_tools(body)
    config = body.get("generationConfig", {})
    known(config, _CONFIG)
    assert len(config.get("stopSequences", [])) <= 5
    assert not {"responseSchema", "responseJsonSchema"} <= config.keys()
    thinking = config.get("thinkingConfig", {})
    known(thinking, "includeThoughts thinkingBudget thinkingLevel")
    assert not {"thinkingBudget", "thinkingLevel"} <= thinking.keys()
    assert "thinkingLevel" not in thinking or levels


def _check_turns(contents: list[dict[str, Any]]) -> None:
    before: list[dict[str, Any]] = []
    role = ""
    for content in contents:
        known(content, "role parts")
        assert content["role"] in ("user", "model")
        assert content["role"] != role, "neighbours of one role"
        role = content["role"]
        assert content["parts"], "an empty content"
        for part in content["parts"]:
            _check_part(part, role)
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        responses = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        assert [(each["name"], each.get("id")) for each in responses] == [
            (each["name"], each.get("id")) for each in before
        ]
        assert all("functionResponse" in part for part in content["parts"][: len(responses)])
        before = calls
    assert not before, "calls at the end"


def _check_part(part: dict[str, Any], role: str) -> None:
    known(part, "text thought thoughtSignature inlineData fileData functionCall functionResponse")
    (kind,) = part.keys() & {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
    signature = part.get("thoughtSignature")
    if signature is not None:
        assert role == "model"
        assert signature == SKIP or not base64.b64decode(signature, validate=True).startswith(b"gw1.")
    if kind == "text":
        assert part["text"].strip() or signature
    elif kind == "functionCall":
        assert role == "model"
        known(part[kind], "id name args")
        assert re.fullmatch(NAME_GEMINI, part[kind]["name"])
        assert isinstance(part[kind]["args"], dict)
    elif kind == "functionResponse":
        assert role == "user"
        known(part[kind], "id name response parts")
        assert isinstance(part[kind]["response"], dict)
    elif kind == "inlineData":
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", part[kind]["mimeType"])
        check_base64(part[kind]["data"])


def _check_signatures(contents: list[dict[str, Any]]) -> None:
    """Every step's first call is signed, or excused."""
    for content in contents:
        calls = [part for part in content["parts"] if "functionCall" in part]
        assert not calls or "thoughtSignature" in calls[0]
        assert all(part.get("thoughtSignature") != SKIP for part in calls[1:])


def _check_tools(body: dict[str, Any]) -> None:
    declared = [each for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]
    names = [each["name"] for each in declared]
    assert len(set(names)) == len(names)
    for each in declared:
        known(each, "name description parametersJsonSchema parameters")
        assert re.fullmatch(NAME_GEMINI, each["name"])
        assert not {"parametersJsonSchema", "parameters"} <= each.keys()
    if "toolConfig" in body:
        assert body.get("tools")
        calling = body["toolConfig"]["functionCallingConfig"]
        known(calling, "mode allowedFunctionNames")
        assert calling["mode"] in ("AUTO", "ANY", "NONE", "VALIDATED")
        if "allowedFunctionNames" in calling:
            assert calling["mode"] in ("ANY", "VALIDATED")
            assert calling["allowedFunctionNames"]
            assert set(calling["allowedFunctionNames"]) <= set(names)
