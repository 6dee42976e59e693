"""Whatever a client's history is: strict servers take what becomes of it, and one more step only appends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.client_histories import HISTORY, Step, answers, histories, spelled
from tests.support.converted import asked_of
from tests.support.strict_chat import SERVERS

CLIENTS = st.sampled_from([client for client in HISTORY if client != "openai_chat"])


def messages_for(server: str, client: str, steps: list[Step]) -> list[dict[str, Any]]:
    vendor, model, _ = SERVERS[server]
    asked: list[dict[str, Any]] = asked_of("openai_chat", client, spelled(client, steps), model=model, vendor=vendor)[
        "messages"
    ]
    return asked


@pytest.mark.parametrize("server", SERVERS)
@given(client=CLIENTS, steps=histories())
def test_a_strict_server_takes_every_history(server: str, client: str, steps: list[Step]) -> None:
    _, _, check = SERVERS[server]
    check(messages_for(server, client, steps))


@pytest.mark.parametrize("server", SERVERS)
@given(client=CLIENTS, steps=histories(), answer=answers(first=100))
def test_one_more_step_only_appends(server: str, client: str, steps: list[Step], answer: Step) -> None:
    before = messages_for(server, client, steps)
    after = messages_for(server, client, [*steps, answer])
    assert json.dumps(after[: len(before)]) == json.dumps(before)
