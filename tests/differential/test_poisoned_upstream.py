"""An upstream that says more than it was asked: whatever it adds, no client of any frontend ever sees it.

Each answer repeats a word of its request; what nobody asked for says `FOREIGN`. The upstream sends it in the packet of
an answer, in a TLS record of its own but the same packet, or a moment later, when the connection is idle.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trustme

from tests.support.patience import PATIENCE
from tests.support.servers import Url, trio_server, uvicorn_server

EXCHANGES = 200
AT_ONCE = 4
WORD = re.compile(rb"word-\d+")

Speak = Callable[["Line", bytes], None]


class Line:
    """One connection of the upstream, as bytes or over TLS; what is written is sent by `flush`, in one packet."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext | None) -> None:
        self._socket = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None if context is None else context.wrap_bio(self._in, self._out, server_side=True)
        self._waiting = b""
        if self._tls is not None:
            self._until(self._tls.do_handshake)
            self.flush()

    def write(self, data: bytes) -> None:
        if self._tls is None:
            self._waiting += data
        else:
            self._tls.write(data)

    def flush(self) -> None:
        self._socket.sendall(self._waiting + self._out.read())
        self._waiting = b""

    def read(self) -> bytes:
        if self._tls is None:
            return self._socket.recv(65536)
        return self._until(partial(self._tls.read, 65536))

    def end(self) -> None:
        """Ends our side."""
        self._socket.shutdown(socket.SHUT_WR)

    def _until(self, call: Callable[[], object]) -> bytes:
        while True:
            try:
                done = call()
            except ssl.SSLWantReadError:
                self.flush()
                data = self._socket.recv(65536)
                if not data:
                    return b""
                self._in.write(data)
            else:
                return done if isinstance(done, bytes) else b""


def answer(text: bytes) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text.decode()}}
            ],
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


def in_the_same_packet(line: Line, said: bytes) -> None:
    line.write(said + answer(b"FOREIGN"))
    line.flush()


def in_a_record_of_its_own(line: Line, said: bytes) -> None:
    line.write(said)
    line.write(answer(b"FOREIGN"))
    line.flush()


def when_it_is_idle(line: Line, said: bytes) -> None:
    line.write(said)
    line.flush()
    time.sleep(0.005)
    line.write(answer(b"FOREIGN"))
    line.flush()


def and_ends(line: Line, said: bytes) -> None:
    line.write(said)
    line.flush()
    line.end()


class Poisoned:
    """An upstream on a loopback port that adds something to each answer."""

    def __init__(self, speak: Speak, context: ssl.SSLContext | None) -> None:
        self.answered = 0
        self.spoken = threading.Semaphore(0)
        """Released when all that follows a request was said."""
        self._speak = speak
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.closing = False

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def accept(self) -> None:
        while not self.closing:
            with suppress(TimeoutError):
                made, _ = self._listener.accept()
                made.settimeout(PATIENCE)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(made,), daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self, made: socket.socket) -> None:
        with made, suppress(OSError):
            line = Line(made, self._context)
            while True:
                request = b""
                while not request.endswith(b"}"):
                    data = line.read()
                    if not data:
                        return
                    request += data
                word = WORD.search(request)
                assert word is not None
                self.answered += 1
                self._speak(line, answer(word[0]))
                self.spoken.release()


@contextmanager
def poisoned(speak: Speak, context: ssl.SSLContext | None) -> Iterator[Poisoned]:
    upstream = Poisoned(speak, context)
    thread = threading.Thread(target=upstream.accept)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.closing = True
        thread.join()
        upstream.close()


FRONTENDS: dict[str, Callable[[str], AbstractContextManager[Url]]] = {
    "trio": trio_server,
    "uvicorn": uvicorn_server,
}
CONFIG = """
[proxy]
auth_mode = "strict"
[[proxy.keys]]
name = "one"
key = "key-one"
[[proxy.keys]]
name = "two"
key = "key-two"
[[providers]]
name = "up"
dialect = "openai"
base_url = "{scheme}://127.0.0.1:{port}/v1"
keys = ["sk-up"]
ca_file = "{ca_file}"
models = ["m"]
"""


@pytest.mark.parametrize("frontend", FRONTENDS)
@pytest.mark.parametrize("speak", [in_the_same_packet, in_a_record_of_its_own, when_it_is_idle, and_ends])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_client_sees_what_nobody_asked_for(scheme: str, speak: Speak, frontend: str, tmp_path: Path) -> None:
    context, ca_file = None, ""
    if scheme == "https":
        authority = trustme.CA()
        ca_file = str(tmp_path / "ca.pem")
        authority.cert_pem.write_to_path(ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
    with poisoned(speak, context) as upstream:
        config = CONFIG.format(scheme=scheme, port=upstream.port, ca_file=ca_file)
        # What comes while a connection is idle can be told from an answer; what comes once it is asked again cannot.
        at_once = 1 if speak in (when_it_is_idle, and_ends) else AT_ONCE
        with FRONTENDS[frontend](config) as url, ThreadPoolExecutor(at_once) as pool:
            seen = Counter(pool.map(partial(asks, url, upstream.spoken), range(EXCHANGES)))
    assert seen == {"its own": EXCHANGES}
    # Nor was anything asked twice because of it.
    assert upstream.answered == EXCHANGES


def asks(url: str, spoken: threading.Semaphore, number: int) -> str:
    """What one client gets: its own answer, another's, or a failure."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"word-{number}"}]}).encode()
    headers = {"authorization": f"Bearer key-{('one', 'two')[number % 2]}", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        said = json.load(response)["choices"][0]["message"]["content"]
    spoken.acquire()
    return "its own" if said == f"word-{number}" else str(said)
