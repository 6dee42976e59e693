"""Any legal history of a client gives a legal request for any upstream, always the same, and growing at its end only."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs import json_text
from agcore.conversion.translation import ModelTarget, Translation, translate
from agcore.models.known import profile
from agcore.protocol.fault import Fault
from tests.support import legal_anthropic, legal_gemini, legal_openai, legal_openai_responses
from tests.support.client_histories import HISTORY, OPTIONS, Answered, Options, Said, Step, answers, histories, spelled
from tests.support.examples import examples


class Upstream(msgspec.Struct, frozen=True):
    """A model at its vendor, and what its API takes."""

    dialect: str
    model: str
    signer: str
    check: Callable[[dict[str, Any]], None]

    @property
    def target(self) -> ModelTarget:
        return ModelTarget(dialect=self.dialect, model=self.model, profile=profile(self.model), signer=self.signer)


UPSTREAMS = {
    "chat": Upstream("openai_chat", "gpt-4.1", "chat", partial(legal_openai.check, reasoning=False)),
    "chat reasoning": Upstream("openai_chat", "gpt-5", "chat", partial(legal_openai.check, reasoning=True)),
    "responses": Upstream(
        "openai_responses", "gpt-4.1", "openai_chat", partial(legal_openai_responses.check, reasoning=False)
    ),
    "responses reasoning": Upstream(
        "openai_responses", "gpt-5", "openai_chat", partial(legal_openai_responses.check, reasoning=True)
    ),
    "claude with budgets": Upstream(
        "anthropic", "claude-sonnet-4-5", "anthropic", partial(legal_anthropic.check, adaptive=False)
    ),
    "claude adaptive": Upstream(
        "anthropic", "claude-opus-4-7", "anthropic", partial(legal_anthropic.check, adaptive=True)
    ),
    "gemini with budgets": Upstream("gemini", "gemini-2.5-flash", "gemini", partial(legal_gemini.check, levels=False)),
    "gemini with levels": Upstream("gemini", "gemini-3-flash", "gemini", partial(legal_gemini.check, levels=True)),
}
EVERY_UPSTREAM = pytest.mark.parametrize("upstream", UPSTREAMS.values(), ids=UPSTREAMS.keys())
CLIENTS = st.sampled_from(sorted(HISTORY))
SPOKEN = answers(100).filter(lambda answer: bool(answer.text.strip() or answer.calls))
"""Answers of which something is left at any upstream: white space and foreign thoughts are not sent."""
TOLD = {"openai_chat": "messages", "openai_responses": "input", "anthropic": "messages", "gemini": "contents"}


def translated(client: str, body: dict[str, Any], upstream: Upstream) -> Translation | Fault:
    raw = json_text.encode(body)
    return translate(client, raw, model="m", stream=False, target=upstream.target)


def request_of(translation: Translation | Fault) -> dict[str, Any]:
    assert isinstance(translation, Translation), translation
    request: dict[str, Any] = json.loads(translation.body)
    return request


@EVERY_UPSTREAM
@examples(60)
@given(CLIENTS, histories(), OPTIONS)
def test_a_legal_history_gives_a_legal_request(
    upstream: Upstream, client: str, steps: list[Step], options: Options
) -> None:
    body = spelled(client, steps, options)
    if not body[HISTORY[client]]:
        return
    translation = translated(client, body, upstream)
    upstream.check(request_of(translation))
    assert isinstance(translation, Translation)
    assert translation.refusal(on_loss="report") is None
    again = translated(client, body, upstream)
    assert isinstance(again, Translation)
    assert again.body == translation.body


@EVERY_UPSTREAM
@examples(60)
@given(CLIENTS, histories(), SPOKEN)
def test_further_turns_only_append(upstream: Upstream, client: str, steps: list[Step], answer: Answered) -> None:
    steps = [*steps, Said("so")]  # white space alone is no turn
    before = request_of(translated(client, spelled(client, steps), upstream))
    more: list[Step] = [*steps, answer, Said("and")]
    after = request_of(translated(client, spelled(client, more), upstream))
    told = TOLD[upstream.dialect]
    assert after[told][: len(before[told])] == before[told]
    assert {**after, told: []} == {**before, told: []}


@EVERY_UPSTREAM
@examples(60)
@given(CLIENTS, histories(), OPTIONS, st.data())
def test_a_history_that_lacks_a_message_gives_a_legal_request_or_a_400(
    upstream: Upstream, client: str, steps: list[Step], options: Options, data: st.DataObject
) -> None:
    body = spelled(client, steps, options)
    history = body[HISTORY[client]]
    at = data.draw(st.integers(0, len(history) - 1))
    body[HISTORY[client]] = history[:at] + history[at + 1 :]
    translation = translated(client, body, upstream)
    if isinstance(translation, Fault):
        assert translation.status == 400
        assert translation.message
    else:
        upstream.check(request_of(translation))
