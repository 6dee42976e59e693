"""Which dialect has which task. Every function loads the modules of its task when it is first called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

from agcore.conversation.embeddings import EmbeddingRequest, Embeddings
from agcore.dialects.tasks import ClientTask, MediaTask, Task, UpstreamTask

_Object: TypeAlias = dict[str, object]


@cache
def media() -> Mapping[str, MediaTask]:
    """Media that pass through."""
    from agcore.dialects.gemini import media as gemini
    from agcore.dialects.openai import media as openai

    return {"openai": openai, "gemini": gemini}


@cache
def embeddings() -> Task[ClientTask[_Object, EmbeddingRequest, Embeddings], UpstreamTask[EmbeddingRequest, Embeddings]]:
    """Embeddings, between OpenAI's shape and Gemini's."""
    from agcore.dialects.gemini import embeddings as gemini
    from agcore.dialects.openai import embeddings as openai

    return Task({"openai": openai, "gemini": gemini}, {"openai": openai, "gemini": gemini})
