"""State that is somewhere else: gateways that have to ask for their facts, and who answers them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from agcore import Acquire, AskState, Denied, Gateway, Granted, Load, Loaded, StateUnavailable
from agcore.state.responses import Kept, Missing
from agcore_sim.story import EPOCH, Story, gateway
from tests.support.dialogues import config

KEPT: Final = Kept(
    client=None,
    input=b'[{"type":"message","role":"user","content":"a"}]',
    response=b'{"id":"resp_1","output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed",'
    b'"content":[{"type":"output_text","text":"hello","annotations":[]}]}]}',
    items=("msg_1",),
)
"""A response, with one item."""

VALUE: Final = msgspec.json.encode(KEPT)


def remote(server: Gateway | None = None) -> Gateway:
    """A gateway whose stored responses are somewhere else; what it keeps goes there at once."""
    server = server or gateway(config())
    server._outside.load = lambda query: Missing.PENDING  # type: ignore[method-assign]
    return server


def body(model: str = "up-openai", input: object = "b", **more: Any) -> bytes:
    """A Responses request, which goes on from `resp_1` unless told otherwise."""
    return json.dumps({"model": model, "input": input, "previous_response_id": "resp_1", **more}).encode()


REFERENCE: Final = body("up-openai_responses", [{"type": "item_reference", "id": "msg_1"}], previous_response_id=None)
"""A Responses request that refers to an item."""


def asking(request: bytes | None = None, server: Gateway | None = None) -> Story:
    """The story of a Responses request whose facts were asked for."""
    story = Story(remote(server))
    story.open("POST", "/v1/responses", body=body() if request is None else request)
    return story


def asked(story: Story) -> list[Load | Acquire]:
    """All questions so far."""
    return [effect.query for effect in story.effects if isinstance(effect, AskState)]


class Shared:
    """A backend that knows what the gateway itself would know, and takes its time.

    Args:
        server: Who asks.
        seconds: When it replies; more than one number for a reply that comes several times.
    """

    def __init__(self, server: Gateway, *seconds: float) -> None:
        self.server = server
        self.seconds = seconds

    def __call__(
        self, question: Load | Acquire
    ) -> Iterable[tuple[float, Loaded | Granted | Denied | StateUnavailable]]:
        """The replies."""
        reply = self.server._outside.state.ask(question, now=EPOCH)
        assert reply is not None
        return [(seconds, reply) for seconds in self.seconds]
