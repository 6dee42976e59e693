"""Facts that are somewhere else: an exchange asks, waits for the replies, and goes on with what there is."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
import pytest

from agcore import (
    ClientGone,
    Denied,
    DrainRequested,
    Input,
    Load,
    Loaded,
    LocalProtocolError,
    State,
    StateReplied,
    StateUnavailable,
    Store,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamHead,
    Written,
)
from agcore.config.values import Limits
from agcore.replay import replay_recording
from agcore.state.responses import Pin, Pinned
from agcore_sim.clients import ClientRequest
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, Story, gateway
from agcore_sim.upstreams import Asked
from agcore_sim.world import World, nobody
from tests.support.dialogues import PROVIDER_KEY, config
from tests.support.exchange_checks import check_effects
from tests.support.recorded import recorders
from tests.support.slow_state import KEPT, REFERENCE, VALUE, Shared, asked, asking, body, remote

NOT_FOUND = {
    "message": "Previous response with id 'resp_1' not found.",
    "type": "invalid_request_error",
    "param": "previous_response_id",
    "code": "previous_response_not_found",
}


def sent(story: Story) -> dict[str, object]:
    """The body of the request that went up."""
    request = story.requests[1].body
    assert isinstance(request, bytes)
    decoded: dict[str, object] = json.loads(request)
    return decoded


def refused(story: Story) -> None:
    """The request was refused for want of the earlier response, in the words that clients know."""
    assert (story.status, json.loads(story.body)["error"], story.requests) == (400, NOT_FOUND, {})
    check_effects(story.effects)


# One exchange.


def test_a_response_is_asked_for_and_gone_on_from() -> None:
    story = asking()
    assert asked(story) == [Load(1, Store.RESPONSES, None, "resp_1")]
    assert (story.exchange.state, story.requests, story.exchange.wants_request) == (State.ASKING, {}, False)
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert story.exchange.state is State.WAITING
    assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello", "b"]  # type: ignore[index, attr-defined]
    story.upstream_answers(200, CHAT.answer)
    assert (story.status, json.loads(story.body)["previous_response_id"]) == (200, "resp_1")


def test_a_request_without_an_earlier_response_asks_nothing() -> None:
    story = asking(body(previous_response_id=None))
    assert (asked(story), list(story.requests)) == ([], [1])


def test_a_response_that_a_provider_holds_is_asked_for_there() -> None:
    server = gateway(config())
    story = asking(body("up-openai_responses"), server)
    provider = next(each for each in server.config.providers if each.name == "openai_responses")
    pin = Pinned(None, (Pin(provider.name, server._outside.keys(provider)[0].id, "up-openai_responses", "m"),))
    story.tell(StateReplied(Loaded(1, msgspec.json.encode(pin))))
    assert sent(story)["previous_response_id"] == "resp_1"


@pytest.mark.parametrize(
    "reply",
    [
        StateUnavailable(1),
        Loaded(1, None, foreign=True),
        Loaded(1, msgspec.json.encode(msgspec.structs.replace(KEPT, client="bob"))),
        Loaded(1, b"7"),
        Loaded(1, b"\xff"),
        Denied(1, 1.0, "a reply to something else"),
    ],
)
@pytest.mark.parametrize("model", ["up-openai", "up-openai_responses"])
def test_what_cannot_be_had_is_the_error_that_clients_look_for(model: str, reply: Loaded | StateUnavailable) -> None:
    story = asking(body(model))
    story.tell(StateReplied(reply))
    refused(story)


def test_an_unknown_id_passes_to_a_provider_that_may_have_it_from_before() -> None:
    story = asking(body("up-openai_responses"))
    story.tell(StateReplied(Loaded(1, None)))
    assert sent(story)["previous_response_id"] == "resp_1"


def test_items_are_asked_for_together_and_once_each() -> None:
    items = [{"type": "item_reference", "id": id} for id in ("msg_1", "msg_2", "msg_1")]
    story = asking(body("up-openai", [*items, {"role": "user", "content": "b"}], previous_response_id=None))
    assert asked(story) == [Load(1, Store.ITEMS, None, "msg_1"), Load(2, Store.ITEMS, None, "msg_2")]
    held = msgspec.structs.replace(KEPT, response=KEPT.response.replace(b"msg_1", b"msg_2"), items=("msg_2",))
    story.tell(StateReplied(Loaded(2, msgspec.json.encode(held))))
    assert story.exchange.state is State.ASKING
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert story.requests


def test_what_follows_from_a_reply_may_be_another_question() -> None:
    item = {"type": "item_reference", "id": "msg_1"}
    story = asking(body("up-openai", [item, {"role": "user", "content": "c"}]))
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert (story.exchange.state, len(asked(story))) == (State.ASKING, 2)
    story.tell(StateReplied(Loaded(2, VALUE)))
    assert [message["content"] for message in sent(story)["messages"]] == ["a", "hello\n\nhello", "c"]  # type: ignore[index, attr-defined]


def test_an_item_that_cannot_be_had_stays_a_reference() -> None:
    story = asking(REFERENCE)
    story.tell(StateReplied(StateUnavailable(1)))
    assert sent(story)["input"] == [{"type": "item_reference", "id": "msg_1"}]


def test_a_body_that_cannot_be_read_after_the_reply_is_a_400() -> None:
    deep = b'{"model":"up-openai","previous_response_id":"resp_1","input":' + b"[" * 5000 + b"]" * 5000 + b"}"
    story = asking(deep)
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert story.status == 400
    check_effects(story.effects)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("known", [True, False])
def test_a_stored_response_is_asked_for_when_it_is_read(method: str, known: bool) -> None:
    story = Story(remote())
    story.open(method, "/v1/responses/resp_1", body=b"")
    assert story.exchange.state is State.ASKING
    story.tell(StateReplied(Loaded(1, VALUE) if known else StateUnavailable(1)))
    assert story.status == (200 if known else 404)


def test_replies_that_nobody_waits_for_change_nothing() -> None:
    story = asking()
    assert story.tell(StateReplied(Loaded(7, VALUE))) == []
    assert story.exchange.state is State.ASKING
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert story.tell(StateReplied(Loaded(1, None))) == []
    story.upstream_answers(200, CHAT.answer)
    assert story.tell(StateReplied(StateUnavailable(1))) == []
    assert story.status == 200


def test_a_driver_that_replies_before_it_was_asked_is_told_so() -> None:
    story = Story(remote())
    story.open("POST", "/v1/responses", headers=JSON)
    with pytest.raises(LocalProtocolError, match="StateReplied is not legal while receiving"):
        story.tell(StateReplied(Loaded(1, VALUE)))


def test_a_client_that_leaves_while_facts_are_asked_for_is_gone() -> None:
    story = asking()
    story.tell(ClientGone())
    assert (story.finished, story.requests, story.gateway.buffered) == (True, {}, 0)
    assert story.exchange.deadline is None
    assert story.tell(StateReplied(Loaded(1, VALUE))) == []


def test_a_drain_leaves_it_to_the_facts_when_the_request_ends() -> None:
    story = asking()
    assert story.tell(DrainRequested()) == []
    assert story.tell(Written(None)) == []
    story.tell(StateReplied(Loaded(1, VALUE)))
    story.upstream_answers(200, CHAT.answer)
    assert story.status == 200


def test_after_a_second_whoever_does_not_reply_is_away() -> None:
    story = asking()
    assert story.exchange.deadline == EPOCH + 1
    story.wait(0.9)
    assert story.exchange.state is State.ASKING
    story.wait(0.1)
    refused(story)


def test_what_did_come_within_the_second_is_used() -> None:
    items = [{"type": "item_reference", "id": id} for id in ("msg_1", "msg_2")]
    story = asking(body("up-openai_responses", items, previous_response_id=None))
    story.tell(StateReplied(Loaded(1, VALUE)))
    story.wait(1)
    first, second = sent(story)["input"]  # type: ignore[misc]
    assert (first["type"], second) == ("message", items[1])  # type: ignore[has-type, index]


def test_what_was_loaded_is_held_within_the_bound_of_memory() -> None:
    story = asking()
    before = story.gateway.buffered
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert story.gateway.buffered >= before + len(VALUE)
    story.tell(ClientGone())
    assert story.gateway.buffered == 0
    story = asking(server=gateway(config(limits=Limits(max_buffered_mb=0.0002))))
    story.tell(StateReplied(Loaded(1, VALUE)))
    assert (story.status, story.requests, story.gateway.buffered) == (503, {}, 0)


# A recording.


@pytest.mark.parametrize("late", [False, True])
def test_replies_are_recorded_and_played_again(late: bool) -> None:
    with recorders() as found:
        story = asking(REFERENCE)
        if late:
            story.wait(1)
        story.tell(StateReplied(Loaded(1, VALUE)))
        story.upstream_answers(200, b"{}")
    ((recorder, setup, _),) = found
    assert replay_recording(recorder.text, setup) == story.effects
    assert PROVIDER_KEY not in recorder.text.decode()


# A world in which state takes its time.


class Chat:
    """An upstream that answers Chat requests at once."""

    def answer(self, asked: Asked) -> Iterable[tuple[float, Input]]:
        yield 0.0, UpstreamConnected(asked.leg, reused=False)
        yield 0.0, UpstreamHead(asked.leg, 200, JSON)
        yield 0.0, UpstreamData(asked.leg, CHAT.answer)
        yield 0.0, UpstreamEnd(asked.leg)


def simulated(*seconds: float, patience: float | None = None) -> Story:
    """The story of a request in a world whose shared state replies after so many seconds, once for each number."""
    server = remote()
    server._outside.state.responses.put("resp_1", KEPT)
    this = World(server, Chat(), shared=Shared(server, *seconds))
    story = this.ask(ClientRequest("POST", "/v1/responses", body=body(), patience=patience))
    this.run()
    check_effects(story.effects)
    return story


@pytest.mark.parametrize("seconds", [(0.0,), (0.3,), (0.3, 0.4), (0.2, 5.0), (0.0, 0.0)])
def test_state_that_replies_in_time_is_waited_for(seconds: tuple[float, ...]) -> None:
    story = simulated(*seconds)
    assert (story.status, story.now - EPOCH) == (200, pytest.approx(seconds[0], abs=1e-6))


@pytest.mark.parametrize("seconds", [(), (1.5,), (2.0, 3.0)])
def test_state_that_replies_too_late_is_away(seconds: tuple[float, ...]) -> None:
    story = simulated(*seconds)
    refused(story)
    assert story.now - EPOCH == 1


def test_a_client_may_lose_patience_first() -> None:
    story = simulated(0.5, patience=0.2)
    assert (story.body, story.requests, story.now - EPOCH) == (b"", {}, pytest.approx(0.2, abs=1e-6))


def test_a_world_without_shared_state_has_it_away() -> None:
    this = World(remote(), Chat())
    assert this.shared is nobody
    refused(this.ask(ClientRequest("POST", "/v1/responses", body=body())))
