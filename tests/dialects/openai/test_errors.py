"""OpenAI's error objects: names where an upstream of another kind has none, and texts where it has numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agcore.codecs.sse import Decoder
from agcore.conversation.values import Conversation, TextDelta
from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.gemini import errors as gemini_error
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.openai_responses.answer_writer import ResponseWriter
from agcore.dialects.openai_responses.stream_tap import StreamTap
from agcore.protocol.fault import Fault

MISSING = {"type": "error", "error": {"type": "not_found_error", "message": "model: m"}}


@pytest.mark.parametrize(
    "fault",
    [
        anthropic_error.parse_error(404, MISSING),
        gemini_error.parse_error(404, {"error": {"code": 404, "message": "models/m is not found"}}),
    ],
)
def test_a_404_of_another_vendor_is_a_model_that_is_not_there(fault: Fault) -> None:
    error = openai_error.error_object(fault)
    assert (error["type"], error["code"]) == ("invalid_request_error", "model_not_found")


def test_a_404_of_the_gateway_is_not_about_the_model() -> None:
    assert openai_error.error_object(Fault(status=404, message="no such response"))["code"] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (429, "rate_limit_exceeded"),
        (501, "invalid_request_error"),
        (502, "server_error"),
    ],
)
def test_an_error_without_a_type_gets_that_of_its_status(status: int, kind: str) -> None:
    fault = openai_error.parse_error(status, {"error": {"message": "m"}})
    assert openai_error.error_object(fault)["type"] == kind


def last(out: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(list(Decoder().feed(out))[-1].data or b"")
    return event


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (502, 502, "server_error"),
        (429, 429, "rate_limit_exceeded"),
        (400, "context_length_exceeded", "context_length_exceeded"),
        (502, None, "server_error"),
    ],
)
def test_a_response_fails_with_a_code_that_is_text(status: int, told: object, code: str) -> None:
    fault = openai_error.parse_error(status, {"error": {"message": "m", "code": told}})
    writer = ResponseWriter(id="1", model="m", created=1, conversation=Conversation(model="m", turns=()))
    assert last(writer.error(fault, "req_1"))["code"] == code
    writer = ResponseWriter(id="1", model="m", created=1, conversation=Conversation(model="m", turns=()))
    writer.feed(TextDelta("Hi"))
    assert last(writer.error(fault, "req_1"))["response"]["error"] == {"code": code, "message": "m"}
    assert last(StreamTap(shown_model=None, hide_usage=False).error(fault, "req_1"))["code"] == code
