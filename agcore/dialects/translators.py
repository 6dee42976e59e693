"""Every dialect's translating half, by name. Importing this loads all of them, which a gateway does on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agcore.dialects.anthropic import answer_reader as anthropic_answer
from agcore.dialects.anthropic import request_reader as anthropic_request
from agcore.dialects.gemini import answer_reader as gemini_answer
from agcore.dialects.gemini import request_reader as gemini_request
from agcore.dialects.openai_chat import answer_writer as openai_chat_answer
from agcore.dialects.openai_chat import request_reader as openai_chat_request
from agcore.dialects.openai_completions import answer_writer as openai_completions_answer
from agcore.dialects.openai_completions import request_reader as openai_completions_request
from agcore.dialects.openai_responses import answer_reader as openai_responses_answer
from agcore.dialects.openai_responses import request_reader as openai_responses_request
from agcore.dialects.translator import (
    ParseRequest,
    ReadAnswer,
    RenderAnswer,
    RenderRequest,
    ResponseReader,
    ResponseWriter,
)


class Client(msgspec.Struct, frozen=True):
    """What serves a client of a dialect."""

    parse_request: ParseRequest
    writer: Callable[..., ResponseWriter]
    render_answer: RenderAnswer


class Upstream(msgspec.Struct, frozen=True):
    """What asks an upstream of a dialect."""

    render_request: RenderRequest
    reader: Callable[..., ResponseReader]
    read_answer: ReadAnswer


CLIENTS: Final[Mapping[str, Client]] = {
    "openai": Client(
        openai_chat_request.parse_request, openai_chat_answer.ResponseWriter, openai_chat_answer.render_answer
    ),
    "openai_completions": Client(
        openai_completions_request.parse_request,
        openai_completions_answer.ResponseWriter,
        openai_completions_answer.render_answer,
    ),
    "openai_responses": Client(
        openai_responses_request.parse_request,
        openai_responses_answer.ResponseWriter,
        openai_responses_answer.render_answer,
    ),
    "anthropic": Client(
        anthropic_request.parse_request, anthropic_answer.ResponseWriter, anthropic_answer.render_answer
    ),
    "gemini": Client(gemini_request.parse_request, gemini_answer.ResponseWriter, gemini_answer.render_answer),
}

UPSTREAMS: Final[Mapping[str, Upstream]] = {
    "openai": Upstream(
        openai_chat_request.render_request, openai_chat_answer.ResponseReader, openai_chat_answer.read_answer
    ),
    "openai_responses": Upstream(
        openai_responses_request.render_request,
        openai_responses_answer.ResponseReader,
        openai_responses_answer.read_answer,
    ),
    "anthropic": Upstream(
        anthropic_request.render_request, anthropic_answer.ResponseReader, anthropic_answer.read_answer
    ),
    "gemini": Upstream(gemini_request.render_request, gemini_answer.ResponseReader, gemini_answer.read_answer),
}
"""Legacy Completions is nobody's upstream: what speaks it speaks Chat."""
