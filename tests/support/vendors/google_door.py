"""What Google's Gemini API refuses, of Gemini 3 and later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tests.support.vendors.rule import Json, Rule, Sent, objects, unknown

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_MEMBERS: Final = """contents systemInstruction tools toolConfig generationConfig safetySettings serviceTier cachedContent
labels store model"""
_CONFIG: Final = """temperature topP topK candidateCount maxOutputTokens stopSequences presencePenalty frequencyPenalty seed
responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema responseModalities imageConfig speechConfig
mediaResolution audioTimestamp thinkingConfig routingConfig modelSelectionConfig enableAffectiveDialog"""
_PART: Final = """text thought thoughtSignature inlineData fileData functionCall functionResponse executableCode
codeExecutionResult videoMetadata mediaResolution partMetadata toolCall toolResponse"""
_DECLARATION: Final = "name description parameters parametersJsonSchema response responseJsonSchema behavior"
_SCHEMA: Final = """type format title description nullable enum items maxItems minItems properties required minProperties
maxProperties minLength maxLength pattern example anyOf propertyOrdering default minimum maximum"""
_FREE: Final = ("args", "response", "parametersJsonSchema", "responseJsonSchema", "properties")
"""Members whose value is the user's, whatever its names."""
_USER: Final[Json] = {"role": "user", "parts": [{"text": "a"}]}
_SIGNED: Final[Json] = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
_CALLED: Final[Json] = {"role": "model", "parts": [_SIGNED]}


def _answered(response: Json) -> Json:
    return {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]}


def spelled(body: Json) -> Json:
    """Returns a request with the names of the API's own members in camelCase: Google takes both spellings."""
    return {_camel_name(name): _camel(value) for name, value in body.items()}


def _camel_name(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _camel(value: object) -> object:
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: inner if name in _FREE else _camel(inner) for key, inner in value.items() for name in [_camel_name(key)]
    }


def _parts(sent: Sent) -> Iterator[tuple[str, Json]]:
    for content in sent.body["contents"]:
        for part in content.get("parts") or ():
            yield content.get("role", "user"), part


def _declared(sent: Sent) -> list[Json]:
    return [each for tool in sent.body.get("tools") or () for each in tool.get("functionDeclarations") or ()]


def _unknown_name(sent: Sent) -> bool:
    return (
        unknown(sent.body, _MEMBERS)
        or unknown(sent.body.get("generationConfig") or {}, _CONFIG)
        or unknown(
            (sent.body.get("generationConfig") or {}).get("thinkingConfig") or {},
            "includeThoughts thinkingBudget thinkingLevel",
        )
        or any(unknown(part, _PART) for _, part in _parts(sent))
        or any(unknown(part["functionCall"], "id name args") for _, part in _parts(sent) if "functionCall" in part)
        or any(unknown(each, _DECLARATION) for each in _declared(sent))
    )


def _schemas(schema: object) -> Iterator[Json]:
    """A schema and those within it."""
    if isinstance(schema, dict):
        yield schema
        for inner in [*(schema.get("properties") or {}).values(), *(schema.get("$defs") or {}).values()]:
            yield from _schemas(inner)
        for name in ("items", "additionalProperties"):
            yield from _schemas(schema.get(name))
        for name in ("anyOf", "oneOf", "prefixItems"):
            for inner in schema.get(name) or ():
                yield from _schemas(inner)


def _unknown_in_schema(sent: Sent) -> bool:
    config = sent.body.get("generationConfig") or {}
    given = [*(each.get("parameters") for each in _declared(sent)), config.get("responseSchema")]
    return any(unknown(each, _SCHEMA) for schema in given for each in _schemas(schema))


def _undefined_reference(sent: Sent) -> bool:
    config = sent.body.get("generationConfig") or {}
    given = [*(each.get("parametersJsonSchema") for each in _declared(sent)), config.get("responseJsonSchema")]
    for schema in given:
        defined = {f"#/$defs/{name}" for name in (schema or {}).get("$defs") or ()} | {"#"}
        if any(each["$ref"] not in defined or len(each) > 1 for each in _schemas(schema) if "$ref" in each):
            return True
    return False


def _unsigned(sent: Sent) -> bool:
    """Whether the first call of a step has no signature, behind the last text of the user's."""
    contents = sent.body["contents"]
    asked = max(
        (
            at
            for at, each in enumerate(contents)
            if each.get("role") != "model" and any("text" in part for part in each["parts"])
        ),
        default=0,
    )
    for content in contents[asked:]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and not calls[0].get("thoughtSignature"):
            return True
    return False


def _out_of_order(sent: Sent) -> bool:
    """Whether calls and responses do not stand side by side, as many of the one as of the other."""
    open_calls = 0
    for content in sent.body["contents"]:
        responses = sum("functionResponse" in part for part in content["parts"])
        if responses != open_calls:
            return True
        open_calls = sum("functionCall" in part for part in content["parts"])
    return open_calls > 0


def _references(sent: Sent) -> bool:
    return any(
        "$ref" in each
        for _, part in _parts(sent)
        for each in objects((part.get("functionResponse") or {}).get("response"))
    )


GOOGLE: Final = (
    Rule(
        id="google.names",
        words='Invalid JSON payload received. Unknown name "x": Cannot find field.',
        source="google-gemini/gemini-cli#11393, https://ai.google.dev/gemini-api/docs/troubleshooting",
        breaks=_unknown_name,
        bad={"cache_control": {"type": "ephemeral"}},
    ),
    Rule(
        id="google.schema_names",
        words="Invalid JSON payload received. Unknown name \"x\" at 'tools[x].function_declarations[x].parameters': Cannot "
        "find field.",
        source="google-gemini/gemini-cli#11393, https://ai.google.dev/api/caching#Schema",
        breaks=_unknown_in_schema,
        bad={"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "$schema": "x"}}]}]},
    ),
    Rule(
        id="google.schema_references",
        words="reference to undefined schema at x",
        source="agent-infra/sandbox#83, https://ai.google.dev/api/generate-content#FIELDS.response_json_schema",
        breaks=_undefined_reference,
        bad={
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "f", "parametersJsonSchema": {"properties": {"a": {"$ref": "#/definitions/A"}}}}
                    ]
                }
            ]
        },
    ),
    Rule(
        id="google.signatures",
        words="Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
        "correctly, and missing thought_signature may lead to degraded model performance.",
        source="https://ai.google.dev/gemini-api/docs/thought-signatures, nearai/ironclaw#1510",
        breaks=_unsigned,
        bad={
            "contents": [
                _USER,
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                _answered({}),
            ]
        },
    ),
    Rule(
        id="google.foreign_signatures",
        words="Base64 decoding failed for thought_signature",
        source="docs/wire/json.md",
        breaks=lambda sent: any(
            not re.fullmatch(r"[A-Za-z0-9+/_=-]+", part["thoughtSignature"])
            for _, part in _parts(sent)
            if "thoughtSignature" in part
        ),
        bad={
            "contents": [_USER, {"role": "model", "parts": [{"text": "b", "thoughtSignature": "gw1.openai.eA"}]}, _USER]
        },
    ),
    Rule(
        id="google.order",
        words="Please ensure that the number of function response parts is equal to the number of function call parts of "
        "the function call turn.",
        source="google-gemini/gemini-cli#11393 by its form; docs/wire/gemini.md",
        breaks=_out_of_order,
        bad={"contents": [_USER, _CALLED, _USER]},
    ),
    Rule(
        id="google.references",
        words="The referenced name `#/$defs/x` in function_response.response does not match to a display_name in the "
        "function_response.parts",
        source="googleapis/python-genai#2792, vercel/ai#14369",
        breaks=_references,
        bad={"contents": [_USER, _CALLED, _answered({"a": [{"$ref": "#/$defs/A"}]})]},
    ),
    Rule(
        id="google.parts",
        words="* GenerateContentRequest.contents[x].parts: contents.parts must not be empty.",
        source="https://ai.google.dev/gemini-api/docs/troubleshooting",
        breaks=lambda sent: not all(content.get("parts") for content in sent.body["contents"]),
        bad={"contents": [{"role": "user", "parts": []}]},
    ),
    Rule(
        id="google.roles",
        words="Please use a valid role: user, model.",
        source="https://ai.google.dev/api/caching#Content",
        breaks=lambda sent: any(role not in ("user", "model") for role, _ in _parts(sent)),
        bad={"contents": [{"role": "system", "parts": [{"text": "s"}]}, _USER]},
    ),
    Rule(
        id="google.function_names",
        words="Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), "
        "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.",
        source="https://ai.google.dev/api/caching#FunctionDeclaration",
        breaks=lambda sent: not all(_NAME.fullmatch(each["name"]) for each in _declared(sent)),
        bad={"tools": [{"functionDeclarations": [{"name": "9f"}]}]},
    ),
    Rule(
        id="google.thinking",
        words="You can only set only one of thinking budget and thinking level.",
        source="https://ai.google.dev/gemini-api/docs/gemini-3#thinking_level",
        breaks=lambda sent: (
            {"thinkingBudget", "thinkingLevel"}
            <= ((sent.body.get("generationConfig") or {}).get("thinkingConfig") or {}).keys()
        ),
        bad={"generationConfig": {"thinkingConfig": {"thinkingBudget": 9, "thinkingLevel": "LOW"}}},
    ),
)
