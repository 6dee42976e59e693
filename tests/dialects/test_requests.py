"""What each dialect reads of a request that passes, and where it asks for counts."""

from __future__ import annotations

from agcore.codecs.json_splice import parse as members_of
from agcore.codecs.request_target import RequestTarget, parse
from agcore.dialects import DIALECTS
from agcore.ingress.routes import MatchedRoute, match
from agcore.protocol.fault import Fault
from tests.support.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI


def test_dialects_have_their_own_counters_or_none() -> None:
    target = parse(b"/v1beta/models/m:countTokens")
    assert isinstance(target, RequestTarget)
    found = match("POST", target, ())
    assert isinstance(found, MatchedRoute)
    counts = {name: dialect.traits.count_target(b"/p", found.parts(target), "m") for name, dialect in DIALECTS.items()}
    assert counts == {
        "openai": None,
        "openai_completions": None,
        "openai_responses": b"/p/responses/input_tokens",
        "anthropic": b"/p/v1/messages/count_tokens",
        "gemini": b"/p/v1beta/models/m:countTokens",
    }


def test_a_request_that_names_its_model_right_needs_no_edit() -> None:
    for dialogue in (CHAT, ANTHROPIC, GEMINI):
        dialect = DIALECTS[dialogue.dialect]
        target = parse(dialogue.target("m", stream=False).encode())
        assert isinstance(target, RequestTarget)
        found = match("POST", target, ())
        assert isinstance(found, MatchedRoute)
        members = members_of(dialogue.request("m", stream=False))
        ask = dialect.pass_through.read_summary(members, found.parts(target))
        assert not isinstance(ask, Fault)
        assert dialect.pass_through.edits(members, ask, "m") == ({}, False)
    assert len(DIALOGUES) == len(DIALECTS)
