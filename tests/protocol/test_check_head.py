"""A frontend's mistakes in a head are told as such, instead of a 401 that nobody understands."""

from __future__ import annotations

from typing import Any

import pytest

from agcore import Gateway, LocalProtocolError, OpenUpstream, Peer, RequestHead, SendHead, load_config

CONFIG = {
    "proxy": {"api_key": "sk-client", "auth_mode": "strict"},
    "providers": [{"preset": "openai", "keys": ["sk-a"]}],
}
KEY = (b"authorization", b"Bearer sk-client")
HOST = (b"host", b"localhost")


def open_at(head: RequestHead, peer: Any = Peer("127.0.0.1"), **config: Any) -> Any:  # noqa: B008
    gateway = Gateway(load_config(config or CONFIG), secret=bytes(32), now=0.0)
    return gateway.open(head, peer, now=0.0)


@pytest.mark.parametrize(
    ("head", "mistake"),
    [
        (RequestHead("GET", "/v1/models", (KEY,)), "the target of a request is bytes, not str"),  # type: ignore[arg-type]
        (RequestHead(b"GET", b"/v1/models", (KEY,)), "the method of a request is str, not bytes"),  # type: ignore[arg-type]
        (RequestHead("GET", b"/v1/models", ((b"Authorization", KEY[1]),)), "in lower case, not b'Authorization'"),
        (
            RequestHead("GET", b"/v1/models", (("authorization", "Bearer sk-client"),)),  # type: ignore[arg-type]
            "header 0 of a request is not a tuple",
        ),
        (
            RequestHead("GET", b"/v1/models", ((b"x-other", "value"), (b"authorization", b""))),  # type: ignore[arg-type]
            "header 0 of a request is not a tuple",
        ),
        (RequestHead("GET", b"/v1/models", ((b"host",),)), "header 0 of a request is not a tuple"),  # type: ignore[arg-type]
        (RequestHead("GET", b"/v1/models", {b"ab": b"cd"}), "the headers of a request is tuple, not dict"),  # type: ignore[arg-type]
        (
            RequestHead("GET", b"/v1/models", ((b"authorization", "Bearer sk-client"),)),  # type: ignore[arg-type]
            "header 0 of a request is not a tuple",
        ),
    ],
)
def test_a_head_that_no_frontend_may_report_is_its_mistake(head: RequestHead, mistake: str) -> None:
    with pytest.raises(LocalProtocolError, match=mistake) as caught:
        open_at(head)
    assert "sk-client" not in str(caught.value)


def test_a_peer_that_is_an_address_is_a_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="the peer of a request is Peer, not tuple"):
        open_at(RequestHead("POST", b"/v1/models", (HOST,)), ("127.0.0.1", 80), providers=[])


def test_a_host_in_upper_case_is_a_mistake_where_it_would_be_a_403() -> None:
    with pytest.raises(LocalProtocolError, match="in lower case, not b'Host'"):
        open_at(RequestHead("GET", b"/v1/models", ((b"Host", b"localhost"),)), providers=[])


def test_what_clients_do_is_refused_as_before() -> None:
    for headers in ((), ((b"authorization", b"Bearer wrong"),), ((b"\xff(", b"\x00"),)):
        _, effects = open_at(RequestHead("GET", b"/v1/models", headers))
        assert isinstance(effects[0], SendHead)
        assert effects[0].status == 401
    exchange, effects = open_at(
        RequestHead("POST", b"/v1/chat/completions", (KEY, (b"content-type", b"application/json")))
    )
    assert not effects
    assert not exchange.finished
    assert not any(isinstance(effect, OpenUpstream) for effect in effects)


def test_a_bug_of_the_core_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("agcore.gateway.admit", broken)
    with pytest.raises(ZeroDivisionError):
        open_at(RequestHead("GET", b"/v1/models", (KEY,)))
