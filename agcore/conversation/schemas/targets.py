"""What each vendor takes of JSON Schema: a literal table, its facts and sources in docs/wire/json-schema.md."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from agcore.conversation.schemas.references import References

Enums: TypeAlias = Literal["any", "scalars", "texts"]


class SchemaTarget(msgspec.Struct, frozen=True, kw_only=True):
    """What one member of one vendor's requests takes of JSON Schema."""

    keywords: frozenset[str] | None = None
    """The keywords that mean something; whatever else a schema says moves into its description. None for all."""
    references: References = "kept"
    """See `references`."""
    cycles: Literal["taken", "optional", "cut"] = "taken"
    """Definitions that lead to themselves: `taken`, only where they are `optional` properties, or not at all."""
    plain_root: bool = False
    """The root is an object, and has neither alternatives nor a condition beside that."""
    enums: Enums = "any"
    """Values of `enum`: `any`, `scalars` (texts and numbers) or `texts`."""
    formats: frozenset[str] | None = None
    """The values of `format` that are known; None for any."""
    closed: bool = False
    """Each object says `additionalProperties: false`."""
    declared: bool = False
    """`required` names only what stands in `properties`."""
    typed: bool = False
    """Each schema says its type, and one with alternatives leaves that to them."""
    listed: bool = False
    """Each array says what its items are."""
    google_types: bool = False
    """Types are in capitals, one each, and `nullable` stands for null."""
    few_items: bool = False
    """Of `minItems` only 0 and 1 are known."""


OPENAI: Final = SchemaTarget(plain_root=True, listed=True)
"""OpenAI's functions and formats, and those of servers that imitate them."""
OPENAI_STRICT: Final = SchemaTarget(plain_root=True, listed=True, references="alone")
"""The same where `strict` is true. What strict mode refuses otherwise is the client's to avoid: it asked for it."""
ANTHROPIC: Final = SchemaTarget(plain_root=True)
"""Anthropic's tools that are not strict."""
ANTHROPIC_STRICT: Final = SchemaTarget(
    keywords=frozenset(
        {"type", "$defs", "$ref", "anyOf", "allOf", "enum", "const", "title", "description", "properties", "required",
         "items", "minItems", "format", "additionalProperties"}
    ),
    references="alone",
    cycles="cut",
    formats=frozenset(
        {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
    ),
    closed=True,
    few_items=True,
)  # fmt: skip
"""Anthropic's strict tools and `output_config.format`."""
GEMINI: Final = SchemaTarget(
    keywords=frozenset(
        {"$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems",
         "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties",
         "required", "propertyOrdering"}
    ),
    references="copied",
    cycles="optional",
    enums="scalars",
    declared=True,
)  # fmt: skip
"""Gemini's `responseJsonSchema`."""
GEMINI_PARAMETERS: Final = msgspec.structs.replace(GEMINI, plain_root=True)
"""Gemini's `parametersJsonSchema`."""
GOOGLE: Final = SchemaTarget(
    keywords=frozenset(
        {"type", "format", "title", "description", "enum", "items", "minItems", "maxItems", "properties", "required",
         "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "minimum", "maximum", "anyOf",
         "default", "propertyOrdering"}
    ),
    references="copied",
    cycles="cut",
    enums="texts",
    formats=frozenset({"date-time", "int32", "int64", "float", "double"}),
    declared=True,
    typed=True,
    listed=True,
    google_types=True,
)  # fmt: skip
"""Gemini's older `responseSchema`, for servers that know nothing else."""
GOOGLE_PARAMETERS: Final = msgspec.structs.replace(GOOGLE, plain_root=True)
"""Gemini's older `parameters`."""
MOONSHOT: Final = SchemaTarget(
    keywords=frozenset(
        {"$defs", "$ref", "type", "format", "title", "description", "default", "enum", "items", "minItems", "maxItems",
         "minimum", "maximum", "minLength", "maxLength", "pattern", "anyOf", "properties", "additionalProperties",
         "required"}
    ),
    references="copied",
    plain_root=True,
    declared=True,
    typed=True,
    listed=True,
)  # fmt: skip
"""Moonshot's flavour of JSON Schema, for Kimi's tools."""
