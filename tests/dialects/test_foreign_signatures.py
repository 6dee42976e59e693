"""Carriers and signatures taken out of requests that otherwise pass through as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.codecs.json_splice import parse
from agcore.conversation.losses import Losses
from agcore.conversation.signature_carrier import carrier
from agcore.conversation.values import Signature
from agcore.dialects.foreign_signatures import edits, is_refusal, unsigned
from agcore.dialects.gemini.carriers import google_carrier
from agcore.protocol.fault import Fault

SKIP = "skip_thought_signature_validator"
OWN = Signature("me", "thinking", "RXFRQg==")
FOREIGN = Signature("other", "thinking", "eHh4")
HISTORY = {"anthropic": "messages", "gemini": "contents", "openai_chat": "messages", "openai_responses": "input"}


def cleaned(dialect: str, history: list[Any], losses: Losses | None = None) -> list[Any]:
    """The history as it goes up to the provider `me`."""
    name = HISTORY[dialect]
    members = parse(json.dumps({"model": "m", name: history, "x": 1.5}).encode())
    changes = edits(dialect, members, signer="me", losses=losses if losses is not None else Losses())
    body = members.edited(changes) if changes else members.body
    found: list[Any] = json.loads(body)[name]
    return found


def stripped(dialect: str, history: list[Any], **more: Any) -> dict[str, Any] | None:
    """The request without signatures; None where nothing was to be taken out."""
    body = unsigned(dialect, json.dumps({**more, HISTORY[dialect]: history}).encode(), losses=Losses())
    return None if body is None else json.loads(body)


# Anthropic.


def thinking(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


TEXT = {"type": "text", "text": "hello"}
ASK = {"role": "user", "content": "hi"}


def test_an_own_signature_that_travelled_becomes_native_again() -> None:
    redacted = Signature("me", "redacted", "cmVk")
    history = [ASK, said(thinking(carrier(OWN)), {"type": "redacted_thinking", "data": carrier(redacted)}, TEXT)]
    assert cleaned("anthropic", history) == [
        ASK,
        said(thinking("RXFRQg=="), {"type": "redacted_thinking", "data": "cmVk"}, TEXT),
    ]


def test_thinking_with_a_foreign_signature_goes_whole() -> None:
    losses = Losses()
    history = [ASK, said(thinking(carrier(FOREIGN)), TEXT), said(thinking(carrier(FOREIGN))), ASK]
    assert cleaned("anthropic", history, losses) == [ASK, said(TEXT), ASK]
    assert [(loss.path, loss.weight) for loss in losses] == [("messages[].thinking", "note")]


def test_native_signatures_and_everything_else_stay() -> None:
    history = ["junk", {"role": "user", "content": []}, said(thinking("EqQB"), thinking(carrier(FOREIGN)), "x")]  # type: ignore[arg-type]
    assert cleaned("anthropic", history) == [*history[:2], said(thinking("EqQB"), "x")]  # type: ignore[arg-type]


def test_a_broken_carrier_is_nobodys() -> None:
    assert cleaned("anthropic", [said(thinking("gw1.me.!"), TEXT)]) == [said(TEXT)]


# Gemini.


def model(*parts: Any) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


@pytest.mark.parametrize("name", ["thoughtSignature", "thought_signature"])
def test_google_gets_its_own_signature_back_in_either_spelling(name: str) -> None:
    own = google_carrier(Signature("me", "call", "c2ln"))
    call = {"functionCall": {"name": "get", "args": {}}}
    assert cleaned("gemini", [model({**call, name: own})]) == [model({**call, name: "c2ln"})]


@pytest.mark.parametrize("name", ["functionCall", "function_call"])
def test_a_call_that_another_model_signed_is_excused(name: str) -> None:
    part = {name: {"name": "get"}, "thoughtSignature": google_carrier(FOREIGN)}
    assert cleaned("gemini", [model(part)]) == [model({name: {"name": "get"}, "thoughtSignature": SKIP})]


def test_a_text_keeps_its_words_and_loses_a_foreign_signature() -> None:
    signed = {"text": "hello", "thoughtSignature": google_carrier(FOREIGN)}
    empty = {"text": "", "thoughtSignature": google_carrier(FOREIGN)}
    thought = {"text": "", "thought": True, "thoughtSignature": google_carrier(FOREIGN)}
    assert cleaned("gemini", [model(signed, empty, thought), model(empty)]) == [model({"text": "hello"})]


def test_googles_own_signatures_stay() -> None:
    parts = ["junk", {"text": "a", "thoughtSignature": "bmF0aXZl"}, {"text": "b", "thoughtSignature": 7}]
    foreign = {"text": "c", "thoughtSignature": google_carrier(FOREIGN)}
    assert cleaned("gemini", [model(*parts, foreign)]) == [model(*parts, {"text": "c"})]


def test_one_content_with_one_part_is_a_history_too() -> None:
    foreign = {"text": "hi", "thoughtSignature": google_carrier(FOREIGN)}
    body = json.dumps({"contents": {"role": "model", "parts": foreign}}).encode()
    changes = edits("gemini", parse(body), signer="me", losses=Losses())
    changed = changes["contents"]
    assert changed is not None
    assert json.loads(changed) == [model({"text": "hi"})]
    raw = unsigned(
        "gemini",
        json.dumps({"contents": model({"text": "a", "thoughtSignature": "bmF0aXZl"})}).encode(),
        losses=Losses(),
    )
    assert raw is not None
    assert json.loads(raw) == {"contents": [model({"text": "a"})]}


# Responses.


def reasoning(encrypted: str | None, id: str = "rs_gw") -> dict[str, Any]:
    return {"type": "reasoning", "id": id, "summary": [], "encrypted_content": encrypted}


def test_reasoning_goes_back_to_its_own_vendor_under_its_own_id() -> None:
    own, plain = Signature("me", "reasoning", "gAAA", id="rs_1"), Signature("me", "reasoning", "gAAB")
    history = [ASK, reasoning(carrier(own)), reasoning(carrier(plain)), reasoning(carrier(FOREIGN)), reasoning(None)]
    assert cleaned("openai_responses", history) == [
        ASK,
        reasoning("gAAA", "rs_1"),
        reasoning("gAAB"),
        reasoning(None),
    ]


# Chat.


def test_the_gateways_extensions_do_not_reach_a_chat_upstream() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get", "arguments": "{}"}}
    signed = {**call, "extra_content": {"google": {"thought_signature": carrier(FOREIGN)}}}
    message = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "reasoning_details": [{"type": "reasoning.text", "signature": carrier(FOREIGN)}],
        "tool_calls": [signed, "junk"],
    }
    plain = {"role": "assistant", "content": "a", "reasoning_details": [{"type": "reasoning.text", "text": "own"}]}
    text = {"role": "assistant", "content": "a", "reasoning_details": [{"data": carrier(FOREIGN)}]}
    assert cleaned("openai_chat", [ASK, message, plain, text, "junk"]) == [
        ASK,
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call, "junk"]},
        plain,
        {"role": "assistant", "content": "a"},
        "junk",
    ]


# What is not touched.


@pytest.mark.parametrize("dialect", HISTORY)
def test_requests_without_carriers_are_not_edited(dialect: str) -> None:
    members = parse(json.dumps({HISTORY[dialect]: [said(thinking("EqQB")), model({"text": "gw2."})]}).encode())
    assert edits(dialect, members, signer="me", losses=Losses()) == {}


@pytest.mark.parametrize("dialect", HISTORY)
@pytest.mark.parametrize("history", ["gw1. is a text here", None, 7])
def test_a_history_that_is_none_is_left_to_the_upstream(dialect: str, history: Any) -> None:
    body = json.dumps({HISTORY[dialect]: history, "note": "gw1.x"}).encode()
    assert edits(dialect, parse(body), signer="me", losses=Losses()) == {}
    assert unsigned(dialect, body, losses=Losses()) is None


def test_what_merely_speaks_of_carriers_is_not_edited() -> None:
    for dialect in ("anthropic", "gemini", "openai_responses"):
        members = parse(json.dumps({HISTORY[dialect]: [{"role": "user", "content": "what is gw1. ?"}]}).encode())
        assert edits(dialect, members, signer="me", losses=Losses()) == {}


def test_completions_have_no_history() -> None:
    members = parse(b'{"prompt": "gw1."}')
    assert edits("openai_completions", members, signer="me", losses=Losses()) == {}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["a", carrier(OWN), carrier(FOREIGN), google_carrier(FOREIGN)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "content",
                    "parts",
                    "type",
                    "signature",
                    "data",
                    "text",
                    "thoughtSignature",
                    "functionCall",
                    "encrypted_content",
                    "tool_calls",
                    "extra_content",
                    "google",
                    "reasoning_details",
                    "thinking",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", HISTORY)
@given(st.lists(JSON, max_size=4))
def test_no_history_is_too_odd(dialect: str, history: list[Any]) -> None:
    again = cleaned(dialect, history)
    assert cleaned(dialect, again) == again
    body = json_text.encode({HISTORY[dialect]: history})
    without = unsigned(dialect, body, losses=Losses())
    assert without is None or unsigned(dialect, without, losses=Losses()) is None


# Signatures that their own signer refuses.


@pytest.mark.parametrize(
    ("dialect", "code", "message", "refusal"),
    [
        ("anthropic", None, "messages.1.content.0: Invalid `signature` in `thinking` block", True),
        ("anthropic", None, "Invalid `data` in `redacted_thinking` block", True),
        ("anthropic", None, "`thinking` or `redacted_thinking` blocks in the latest message cannot be modified", True),
        ("anthropic", None, "messages.1.content.0.thinking.signature: Field required", True),
        ("anthropic", None, "max_tokens: Field required", False),
        ("gemini", None, "Corrupted thought signature.", True),
        ("gemini", None, "Function call is missing a thought_signature in functionCall parts.", True),
        ("gemini", None, "Invalid `signature` in `thinking` block", False),
        ("openai_responses", "invalid_encrypted_content", "no", True),
        ("openai_responses", None, "The encrypted content gAAA could not be verified.", True),
        ("openai_chat", None, "Unable to submit: thought_signature", True),
        ("openai_chat", "context_length_exceeded", "too long", False),
        ("openai_completions", None, "Invalid `signature` in `thinking` block", False),
    ],
)
def test_a_refusal_of_a_signature_is_known_by_its_words(dialect: str, code: str, message: str, refusal: bool) -> None:
    assert is_refusal(dialect, Fault(status=400, message=message, code=code)) == refusal


def test_an_unsigned_request_to_anthropic_has_no_thoughts() -> None:
    redacted = {"type": "redacted_thinking", "data": "cmVk"}
    found = stripped("anthropic", [ASK, said(thinking("EqQB"), redacted, TEXT), said(redacted), ASK], model="m")
    assert found == {"model": "m", "messages": [ASK, said(TEXT), ASK]}


def test_thinking_is_switched_off_where_the_last_step_lost_its_own() -> None:
    use = {"type": "tool_use", "id": "t", "name": "get", "input": {}}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]}
    management = {"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]}
    history = [ASK, said(thinking("EqQB"), use), result]
    manual = {"type": "enabled", "budget_tokens": 1024}
    losses = Losses()
    body = {"thinking": manual, "context_management": management, "messages": history}
    raw = unsigned("anthropic", json.dumps(body).encode(), losses=losses)
    assert raw is not None
    assert json.loads(raw) == {
        "context_management": {"edits": management["edits"][1:]},
        "messages": [ASK, said(use), result],
    }
    assert [loss.path for loss in losses] == ["thinking", "messages"]
    assert stripped("anthropic", history, thinking=manual, context_management={"edits": None}) == {
        "context_management": {"edits": None},
        "messages": [ASK, said(use), result],
    }
    adaptive = {"type": "adaptive"}
    assert stripped("anthropic", history, thinking=adaptive) == {
        "thinking": adaptive,
        "messages": [ASK, said(use), result],
    }
    assert stripped("anthropic", [ASK, said(thinking("EqQB"), TEXT), ASK], thinking=manual) == {
        "thinking": manual,
        "messages": [ASK, said(TEXT), ASK],
    }


def test_an_unsigned_request_to_google_excuses_every_call() -> None:
    history = [
        model(
            {"functionCall": {"name": "a"}, "thoughtSignature": "c2ln"},
            {"function_call": {"name": "b"}, "thought_signature": "c"},
        ),
        model(
            {"text": "x", "thoughtSignature": "c2ln"}, {"text": "", "thoughtSignature": "c2ln"}, {"text": "y"}, "junk"
        ),
    ]
    assert stripped("gemini", history) == {
        "contents": [
            model(
                {"functionCall": {"name": "a"}, "thoughtSignature": SKIP},
                {"function_call": {"name": "b"}, "thought_signature": SKIP},
            ),
            model({"text": "x"}, {"text": "y"}, "junk"),
        ]
    }


def test_an_unsigned_responses_request_has_no_reasoning() -> None:
    assert stripped("openai_responses", [ASK, reasoning("gAAA"), TEXT]) == {"input": [ASK, TEXT]}


def test_an_unsigned_chat_request_has_no_details_and_excused_calls() -> None:
    call = {"id": "c", "extra_content": {"google": {"thought_signature": "c2ln", "x": 1}, "y": 2}}
    history = ["junk", {"role": "assistant", "reasoning_details": [1], "tool_calls": [call, {"id": "d"}, "junk"]}]
    excused = {"id": "c", "extra_content": {"google": {"thought_signature": SKIP, "x": 1}, "y": 2}}
    assert stripped("openai_chat", history) == {
        "messages": ["junk", {"role": "assistant", "tool_calls": [excused, {"id": "d"}, "junk"]}]
    }


@pytest.mark.parametrize("dialect", HISTORY)
def test_what_has_no_signatures_has_none_to_take_out(dialect: str) -> None:
    assert stripped(dialect, [ASK, said(TEXT), model({"text": "x"})]) is None
