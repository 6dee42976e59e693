"""What each dialect reads of a request that passes, and where it asks for counts."""

from __future__ import annotations

from agcore.codecs.json_splice import parse as members_of
from agcore.codecs.request_target import RequestTarget, parse
from agcore.config.values import dialect_of
from agcore.dialects import DIALECTS, task_registry
from agcore.dialects.tasks import Destination
from agcore.ingress.routes import MatchedRoute, match
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, GEMINI


def test_dialects_have_their_own_counters_or_none() -> None:
    target = parse(b"/v1beta/models/m:countTokens")
    assert isinstance(target, RequestTarget)
    found = match("POST", target, ())
    assert isinstance(found, MatchedRoute)
    at = Destination(b"/p", "m", profile("m"), found.parts(target))
    assert {name: counter.target({}, at) for name, counter in task_registry.tokens().upstreams.items()} == {
        "anthropic": b"/p/v1/messages/count_tokens",
        "gemini": b"/p/v1beta/models/m:countTokens",
        "openai_responses": b"/p/responses/input_tokens",
    }


def test_a_request_that_names_its_model_right_needs_no_edit() -> None:
    for dialogue in (CHAT, ANTHROPIC, GEMINI):
        dialect = DIALECTS[dialect_of(dialogue.dialect)]
        target = parse(dialogue.target("m", stream=False).encode())
        assert isinstance(target, RequestTarget)
        found = match("POST", target, ())
        assert isinstance(found, MatchedRoute)
        members = members_of(dialogue.request("m", stream=False))
        ask = dialect.pass_through.read_summary(members, found.parts(target))
        assert not isinstance(ask, Fault)
        assert dialect.pass_through.edits(members, ask, "m") == ({}, False)
    assert len(DIALOGUES) == len(DIALECTS)
