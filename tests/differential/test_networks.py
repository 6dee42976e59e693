"""Gateways in networks as companies have them, on every frontend: from the words of a configuration to the answer."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import httpx
import pytest
import trustme

from agcore import Gateway, load_config
from agcore_httpx import GatewayTransport
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, SECRET
from tests.differential.test_ways_out import authority, connects, context_of, listening, socks
from tests.support import scripted_vendors
from tests.support.scripted_vendors import FRONTENDS

__all__ = ["authority"]

ENTRY: Final = '[[providers]]\nname = "up"\ndialect = "openai"\nbase_url = "{}/v1"\nkeys = ["sk-0123456789abcdef"]\n'
ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(CHAT.answer)
BODY: Final = CHAT.request("up/m", stream=False)
EVERYWHERE: Final = pytest.mark.parametrize("frontend", [*FRONTENDS, "httpx"])


def vendor(asked: list[bytes]) -> Callable[[socket.socket], None]:
    """Answers one request of a connection, and then the next."""

    def serve(made: socket.socket) -> None:
        data = b""
        while piece := made.recv(65536):
            data += piece
            head, end, body = data.partition(b"\r\n\r\n")
            length = next((line[15:] for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), b"0")
            if end and len(body) >= int(length):
                asked.append(data)
                made.sendall(ANSWER + CHAT.answer)
                data = b""

    return serve


@contextmanager
def client_of(frontend: str, text: str, environ: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client of a gateway with this configuration, in one of the servers or in the client's own process."""
    setup = load_config(text, environ=environ)
    if frontend == "httpx":
        with httpx.Client(transport=GatewayTransport(setup), base_url="http://agcore", timeout=60) as client:
            yield client
    else:
        gateway = Gateway(setup, secret=SECRET, now=EPOCH)
        with (
            scripted_vendors.listening(frontend, gateway) as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
        ):
            yield client


def ask(client: httpx.Client) -> httpx.Response:
    return client.post(CHAT.path, content=BODY, headers={"content-type": "application/json"})


def refused(answer: httpx.Response) -> str:
    """The words of a refusal that is final and followed one attempt."""
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false"), answer.text
    message = json.loads(answer.content)["error"]["message"]
    assert isinstance(message, str)
    assert "(tried" not in message
    return message


@EVERYWHERE
def test_a_ca_file_for_all_providers_is_asked_for_and_works(frontend: str, authority: tuple[trustme.CA, str]) -> None:
    ca, path = authority
    asked: list[bytes] = []
    with listening(vendor(asked), context_of(ca)) as port:
        entry = ENTRY.format(f"https://127.0.0.1:{port}")
        with client_of(frontend, entry, {}) as client:
            assert "ca_file" in refused(ask(client))
        with client_of(frontend, f'[proxy]\nca_file = "{path}"\n{entry}', {}) as client:
            assert ask(client).json()["choices"][0]["message"]["content"] == "hello"
    assert len(asked) == 1


@EVERYWHERE
def test_plain_http_where_tls_was_meant_is_final_and_asked_once(frontend: str) -> None:
    connected: list[bytes] = []

    def plain(made: socket.socket) -> None:
        connected.append(made.recv(5))
        made.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

    with listening(plain) as port, client_of(frontend, ENTRY.format(f"https://127.0.0.1:{port}"), {}) as client:
        assert "127.0.0.1" in refused(ask(client))
    assert [each[:1] for each in connected] == [b"\x16"]


@EVERYWHERE
@pytest.mark.parametrize("kind", ["socks5h", "https"])
def test_a_proxy_for_everything_is_used(frontend: str, kind: str, authority: tuple[trustme.CA, str]) -> None:
    ca, path = authority
    asked: list[bytes] = []
    ways: list[bytes] = []
    inside = context_of(ca)
    tls: ssl.SSLContext | None = context_of(ca) if kind == "https" else None
    proxy = connects(ways) if kind == "https" else socks(ways)
    with listening(vendor(asked), inside) as port, listening(proxy, tls) as way:
        text = f'[proxy]\nca_file = "{path}"\n{ENTRY.format(f"https://api.test:{port}")}'
        environ = {"ALL_PROXY": f"{kind}://u:p@127.0.0.1:{way}"}
        with client_of(frontend, text, environ) as client:
            assert ask(client).status_code == 200
    assert len(asked) == 1
    assert b"api.test" in b"".join(ways)  # it is the proxy that looks for the host
