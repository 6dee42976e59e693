"""Ids that join what a client saw, what the log says, and what the vendor knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agcore.protocol.http import Headers
from agcore.protocol.inputs import Stage
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, Story, gateway
from tests.support.dialogues import PROVIDER_KEY, config, ids

TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FOUR: Sequence[Dialogue] = (CHAT, RESPONSES, ANTHROPIC, GEMINI)


def asked(client: Dialogue, upstream: Dialogue, *, headers: Headers = ()) -> Story:
    story = Story(gateway(config(), attempts=1))
    body = client.request(upstream.model, stream=False)
    story.open("POST", client.target(upstream.model, stream=False), headers=(*JSON, *headers), body=body)
    return story


@pytest.mark.parametrize("upstream", FOUR, ids=ids)
@pytest.mark.parametrize("client", FOUR, ids=ids)
def test_an_answer_has_the_gateways_id_and_its_row_the_vendors(client: Dialogue, upstream: Dialogue) -> None:
    story = asked(client, upstream)
    story.upstream_answers(200, upstream.answer, headers=(*JSON, (b"x-request-id", b"req_vendor")))
    assert story.status == 200
    assert story.headers[b"x-agcore-request-id"].decode() == story.row["id"]
    assert story.row["upstream_request_id"] == "req_vendor"


@pytest.mark.parametrize("name", [b"x-request-id", b"request-id", b"apim-request-id", b"x-amzn-requestid", b"cf-ray"])
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_error_has_them_too(status: int, name: bytes) -> None:
    story = asked(CHAT, ANTHROPIC)
    story.upstream_answers(status, b'{"error":{"message":"no"}}', headers=(*JSON, (name, b"req_vendor")))
    assert story.headers[b"x-agcore-request-id"].decode() == story.row["id"]
    assert story.row["upstream_request_id"] == "req_vendor"


def test_a_refusal_of_the_gateways_own_has_its_id() -> None:
    for target in ("/nowhere", "/v1/chat/completions"):
        story = Story(gateway(config()))
        story.open("POST", target, headers=JSON, body=b"{")
        assert story.headers[b"x-agcore-request-id"].decode() == story.row["id"]
        assert "upstream_request_id" not in story.row


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"", None),
        (b"req_" + PROVIDER_KEY.encode(), "req_openai#1"),
        (b"a" * 500, "a" * 128),
        (b"forged\x1b[31m", None),
    ],
)
def test_an_id_of_a_vendors_is_shown_as_far_as_it_is_one(value: bytes, shown: str | None) -> None:
    story = asked(CHAT, CHAT)
    story.upstream_answers(200, CHAT.answer, headers=(*JSON, (b"x-request-id", value)))
    assert story.row.get("upstream_request_id") == shown


def test_an_attempt_that_was_not_answered_has_no_id_of_the_one_before() -> None:
    story = Story(gateway(config(), attempts=2))
    story.open("POST", CHAT.path, headers=JSON, body=CHAT.request(CHAT.model, stream=False))
    story.upstream_answers(500, b"{}", headers=(*JSON, (b"x-request-id", b"req_first")))
    story.wait(60)
    story.upstream_breaks(stage=Stage.CONNECT)
    assert story.finished
    assert "upstream_request_id" not in story.row


@pytest.mark.parametrize("name", [b"x-request-id", b"x-client-request-id"])
def test_a_clients_own_id_is_in_the_row(name: bytes) -> None:
    assert finished(asked(CHAT, CHAT, headers=((name, b"mine-1"),))).row["client_request_id"] == "mine-1"


def finished(story: Story) -> Story:
    story.upstream_answers(200, CHAT.answer)
    return story


@pytest.mark.parametrize("upstream", FOUR, ids=ids)
@pytest.mark.parametrize("client", FOUR, ids=ids)
def test_a_trace_is_passed_up_and_logged(client: Dialogue, upstream: Dialogue) -> None:
    story = asked(client, upstream, headers=((b"traceparent", TRACE), (b"tracestate", b"a=b")))
    sent = dict(story.requests[1].headers)
    assert (sent[b"traceparent"], sent[b"tracestate"]) == (TRACE, b"a=b")
    story.upstream_answers(200, upstream.answer)
    assert story.row["traceparent"] == TRACE.decode()


@pytest.mark.parametrize("value", [b"", b"00-1", TRACE + b"x", TRACE.upper()])
def test_what_is_no_trace_is_not_logged(value: bytes) -> None:
    assert "traceparent" not in finished(asked(CHAT, CHAT, headers=((b"traceparent", value),))).row
