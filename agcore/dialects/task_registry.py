"""Which dialect has which task. Every function loads the modules of its task when it is first called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

from agcore.conversation.embeddings import EmbeddingRequest, Embeddings
from agcore.conversation.images import ImageAnswer, ImageRequest
from agcore.conversation.token_estimate import TokenCount
from agcore.dialects.tasks import (
    ClientTask,
    ImagesClient,
    LookalikesTask,
    MediaTask,
    ModelsTask,
    SignaturesTask,
    Task,
    TranscriptsClient,
    TranscriptsUpstream,
    UpstreamTask,
)

_Object: TypeAlias = dict[str, object]


@cache
def media() -> Mapping[str, MediaTask]:
    """Media that pass through."""
    from agcore.dialects.gemini import media as gemini
    from agcore.dialects.openai import media as openai

    return {"openai_chat": openai, "gemini": gemini}


@cache
def embeddings() -> Task[ClientTask[_Object, EmbeddingRequest, Embeddings], UpstreamTask[EmbeddingRequest, Embeddings]]:
    """Embeddings, between OpenAI's shape and Gemini's."""
    from agcore.dialects.gemini import embeddings as gemini
    from agcore.dialects.openai import embeddings as openai

    return Task({"openai_chat": openai, "gemini": gemini}, {"openai_chat": openai, "gemini": gemini})


@cache
def images() -> Task[ImagesClient, UpstreamTask[ImageRequest, ImageAnswer]]:
    """Pictures drawn and edited: OpenAI's clients, Google's models."""
    from agcore.dialects.gemini import images as gemini
    from agcore.dialects.openai import images as openai

    return Task({"openai_chat": openai}, {"gemini": gemini})


@cache
def transcripts() -> Task[TranscriptsClient, TranscriptsUpstream]:
    """Recordings heard: OpenAI's clients, Google's models."""
    from agcore.dialects.gemini import transcripts as gemini
    from agcore.dialects.openai import transcriptions as openai

    return Task({"openai_chat": openai}, {"gemini": gemini})


@cache
def models() -> Mapping[str, ModelsTask]:
    """Lists of models, by the dialect of the route that asks for them."""
    from agcore.dialects.anthropic import models as anthropic
    from agcore.dialects.gemini import models as gemini
    from agcore.dialects.openai import codex_models as codex
    from agcore.dialects.openai import models as openai

    return {"openai_chat": openai, "codex": codex, "anthropic": anthropic, "gemini": gemini}


@cache
def tokens() -> Task[ClientTask[_Object, _Object, TokenCount], UpstreamTask[_Object, TokenCount]]:
    """Token counts of generation requests, by the counters that vendors have."""
    from agcore.dialects.anthropic import tokens as anthropic
    from agcore.dialects.gemini import tokens as gemini
    from agcore.dialects.openai_responses import tokens as openai_responses

    counters = {"anthropic": anthropic, "gemini": gemini, "openai_responses": openai_responses}
    return Task(counters, counters)


@cache
def signatures() -> Mapping[str, SignaturesTask]:
    """Signatures taken out of requests that pass through."""
    from agcore.dialects.anthropic import signatures as anthropic
    from agcore.dialects.gemini import signatures as gemini
    from agcore.dialects.openai_chat import signatures as openai_chat
    from agcore.dialects.openai_responses import signatures as openai_responses

    return {"openai_chat": openai_chat, "openai_responses": openai_responses, "anthropic": anthropic, "gemini": gemini}


@cache
def lookalikes() -> Mapping[str, LookalikesTask]:
    """What servers that imitate a dialect, or have less than it, take of it."""
    from agcore.dialects.anthropic import lookalikes as anthropic
    from agcore.dialects.openai_chat import lookalikes as openai_chat
    from agcore.dialects.openai_responses import lookalikes as openai_responses

    return {"openai_chat": openai_chat, "openai_responses": openai_responses, "anthropic": anthropic}
