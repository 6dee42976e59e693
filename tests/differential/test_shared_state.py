"""Frontends without a backend for shared state: whoever asks for it is told at once that it is away."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
import trio

from agcore import AskState, Gateway, Load, StateReplied, StateUnavailable, Store
from agcore.machines.outside import LocalOutside
from agcore.state.responses import Missing
from agcore_host.shared_state import without_backend
from agcore_httpx import GatewayTransport
from agcore_sim.story import EPOCH, SECRET
from tests.differential.cases import Case
from tests.differential.test_differential import Seen, through_asgi, through_trio
from tests.support.dialogues import config
from tests.support.slow_state import body

ASK = Case("goes on", "POST", "/v1/responses", body())


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gateway holds its stored responses itself."""
    monkeypatch.setattr(LocalOutside, "load", lambda self, query: Missing.PENDING)


def test_the_answer_is_for_the_question() -> None:
    assert without_backend(AskState(Load(3, Store.ITEMS, None, "msg_1"))) == StateReplied(StateUnavailable(3))


@pytest.mark.parametrize("through", [through_trio, through_asgi])
def test_servers_have_no_earlier_response(through: Callable[[Case, Gateway], Awaitable[Seen]]) -> None:
    seen = trio.run(through, ASK, Gateway(config(), secret=SECRET, now=EPOCH))  # type: ignore[arg-type]
    assert (seen.status, json.loads(seen.body)["error"]["code"]) == (400, "previous_response_not_found")


def test_the_gateway_in_a_clients_process_has_no_earlier_response() -> None:
    with httpx.Client(transport=GatewayTransport(config())) as http:
        response = http.post(
            "http://anything/v1/responses", content=ASK.body, headers={"content-type": "application/json"}
        )
    assert (response.status_code, response.json()["error"]["code"]) == (400, "previous_response_not_found")
