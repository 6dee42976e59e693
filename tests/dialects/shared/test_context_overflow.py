"""A conversation that is too long: known in every vendor's words, told in the client's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agcore.dialects.anthropic import errors as anthropic_error
from agcore.dialects.gemini import errors as gemini_error
from agcore.dialects.openai import errors as openai_error
from agcore.dialects.shared.context_overflow import CODE, code_of, in_anthropic_words

ANTHROPIC = "prompt is too long: 210000 tokens > 200000 maximum"
OPENAI = "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens."
GEMINI = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."


@pytest.mark.parametrize(
    "message",
    [
        ANTHROPIC,
        OPENAI,
        GEMINI,
        "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "This model's maximum context length is 4097 tokens, however you requested 4116 tokens (3860 in your prompt).",
    ],
)
def test_every_vendors_words_are_known(message: str) -> None:
    assert code_of(400, message) == CODE


def test_the_words_alone_do_not_make_it_one() -> None:
    assert code_of(500, OPENAI) is None
    assert code_of(400, "max_tokens is too large: 99999") is None


@pytest.mark.parametrize(
    ("message", "numbers"),
    [(OPENAI, "10000 tokens > 8192"), (GEMINI, "1200000 tokens > 1048576"), (ANTHROPIC, "210000 tokens > 200000")],
)
def test_claude_code_finds_both_numbers_where_there_are_two(message: str, numbers: str) -> None:
    assert in_anthropic_words(message) == f"prompt is too long: {numbers} maximum ({message})"


def test_without_numbers_the_upstreams_words_follow() -> None:
    assert in_anthropic_words("too much") == "prompt is too long: too much"


def shown(rendered: bytes) -> dict[str, Any]:
    error: dict[str, Any] = msgspec.json.decode(rendered)["error"]
    return error


def test_openai_clients_get_the_code_whoever_refused() -> None:
    told = {"type": "invalid_request_error", "message": ANTHROPIC}
    for fault in (
        anthropic_error.parse_error(400, {"type": "error", "error": told}),
        gemini_error.parse_error(400, {"error": {"code": 400, "message": ANTHROPIC}}),
        openai_error.parse_error(400, {"error": {"message": ANTHROPIC, "code": 400}}),
    ):
        error = shown(openai_error.render_error(fault, "req_1"))
        assert (error["code"], error["message"], error["type"]) == (CODE, ANTHROPIC, "invalid_request_error")


def test_anthropic_clients_get_the_wording_whoever_refused() -> None:
    for fault in (
        openai_error.parse_error(400, {"error": {"message": "Too much.", "code": CODE}}),
        gemini_error.parse_error(400, {"error": {"code": 400, "message": GEMINI}}),
    ):
        error = shown(anthropic_error.render_error(fault, "req_1"))
        assert error["message"].startswith("prompt is too long: ")
        assert error["message"].rstrip(")").endswith(fault.message)


def test_an_upstreams_own_code_stays() -> None:
    fault = openai_error.parse_error(400, {"error": {"message": OPENAI, "code": "string_above_max_length"}})
    assert fault.code == "string_above_max_length"
