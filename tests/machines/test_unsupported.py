"""A frontend that lacks something says so, and no credential suffers for it."""

from __future__ import annotations

import json

from agcore import (
    Effect,
    Exchange,
    Gateway,
    OpenUpstream,
    Peer,
    RequestData,
    RequestEnd,
    RequestHead,
    SendData,
    SendHead,
    Sent,
    Stage,
    UpstreamFailed,
    load_config,
)

HEADERS = ((b"host", b"localhost"), (b"content-type", b"application/json"))


def gateway() -> Gateway:
    """One with two providers for the model."""
    providers = [
        {"name": name, "dialect": "openai", "base_url": f"https://{name}.example/v1", "keys": [f"sk-{name}"]}
        for name in ("a", "b")
    ]
    return Gateway(load_config({"providers": providers, "models": {"m": ["a/m", "b/m"]}}), secret=bytes(32), now=0.0)


def ask(machine: Gateway, *, now: float) -> tuple[Exchange, OpenUpstream]:
    head = RequestHead("POST", b"/v1/chat/completions", HEADERS)
    exchange, effects = machine.open(head, Peer("127.0.0.1"), now=now)
    effects += exchange.receive(RequestData(b'{"model":"m","messages":[]}'), now=now)
    effects += exchange.receive(RequestEnd(), now=now)
    return exchange, opened(effects)[0]


def opened(effects: list[Effect]) -> list[OpenUpstream]:
    return [effect for effect in effects if isinstance(effect, OpenUpstream)]


def unsupported(leg: int, cause: str = "streamed bodies") -> UpstreamFailed:
    return UpstreamFailed(leg, Stage.UNSUPPORTED, Sent.NONE, reused=False, cause=cause)


def told(effects: list[Effect]) -> tuple[SendHead, str]:
    (head,) = (effect for effect in effects if isinstance(effect, SendHead))
    body = b"".join(effect.data for effect in effects if isinstance(effect, SendData))
    return head, json.loads(body)["error"]["message"]


def test_the_client_hears_at_once_what_the_frontend_lacks_and_not_to_ask_again() -> None:
    exchange, leg = ask(gateway(), now=0.0)
    effects = exchange.receive(unsupported(leg.leg), now=0.1)
    head, message = told(effects)
    assert (head.status, message) == (501, "this server lacks what the request needs: streamed bodies")
    assert [value for name, value in head.headers if name == b"x-should-retry"] == [b"false"]
    assert not opened(effects)  # nobody else is asked
    assert exchange.finished


def test_no_key_is_left_alone_for_it() -> None:
    machine = gateway()
    for now in range(5):
        exchange, leg = ask(machine, now=float(now))
        assert leg.request.origin.host == "a.example"
        exchange.receive(unsupported(leg.leg), now=float(now))
    assert machine.unsaved_state(now=9.0) is None


def test_the_hint_not_to_ask_again_stands_once_after_several_attempts() -> None:
    exchange, leg = ask(gateway(), now=0.0)
    failed = UpstreamFailed(leg.leg, Stage.CONNECT, Sent.NONE, reused=False, cause="a.example: refused")
    effects = exchange.receive(failed, now=0.1)
    while not opened(effects):
        assert exchange.deadline is not None
        effects = exchange.handle_timeout(now=exchange.deadline)
    (second,) = opened(effects)
    head, message = told(exchange.receive(unsupported(second.leg), now=5.0))
    assert (head.status, "streamed bodies" in message) == (501, True)
    assert [value for name, value in head.headers if name == b"x-should-retry"] == [b"false"]
