"""Media by Google's models that pass through: Imagen's `:predict`, and embeddings (docs/wire/gemini.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agcore.dialects.gemini import stream_events as gemini
from agcore.dialects.gemini.traits import TRAITS
from agcore.dialects.openai import media as openai
from agcore.dialects.tasks import Destination

DEFAULT_MODELS: Final[Mapping[str, str]] = {}
"""Empty: every path names its model."""

StreamTap = openai.StreamTap
"""Google streams no media; what comes as a stream all the same is read as OpenAI's."""

read_usage = gemini.read_usage


def target(path: str, at: Destination) -> bytes:
    """The same action of the provider's model."""
    return action_path(at, path.rpartition(":")[2])


def is_repeatable(path: str) -> bool:
    """Whether it draws no pictures: one that was made twice was also paid for twice."""
    return not path.endswith(":predict")


def action_path(at: Destination, action: str) -> bytes:
    """`PREFIX/VERSION/COLLECTION/MODEL:ACTION`; without a version, in the one that has everything."""
    return TRAITS.target(at.prefix, "/{version}/{collection}/{model}:" + action, at.parts, at.model)
