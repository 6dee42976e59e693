"""The documentation says what the code does: generated parts are current, and what looks runnable runs."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from agcore import load_config
from agcore.config.values import ClientKey, Config, Endpoint, ModelRule, Provider, Proxy, Retry, Secret
from agcore.dialects import DIALECTS
from agcore.ingress.report import as_markdown, describe_routes
from agcore.ingress.routes import ROUTES
from agcore.protocol.http import Origin
from agcore.protocol.legality import EXCHANGE, EXCHANGE_TIMED, LEG, LEG_TIMED, LegState, State
from docs import conversions, generate
from docs.conversion_corpus import BASE, BESIDE, FEATURES
from tests.support.reach_machine import ReachGateway, fetches, reads

UPSTREAMS = [name for name, dialect in DIALECTS.items() if dialect.translatable]

DOCS = Path(generate.__file__).parent


# What is generated.


def test_the_generated_parts_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_page_is_shown_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("architecture.md", "conversions.md", "routes.md", "vendors.md", "write-a-frontend.md"):
        shutil.copy(DOCS / name, tmp_path / name)
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    page = tmp_path / "routes.md"
    current = page.read_text("utf-8")
    page.write_text(current.replace("/v1/messages", "/v1/massages"), "utf-8")
    assert generate.main(["--check"]) == 1
    assert "-| A1 | POST | `/v1/massages`" in capsys.readouterr().out
    assert generate.main([]) == 0
    assert page.read_text("utf-8") == current
    assert generate.main(["--check"]) == 0


def test_a_page_without_its_markers_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "architecture.md").write_text("# Architecture\n", "utf-8")
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    with pytest.raises(ValueError, match="generated: exchange"):
        generate.pages()


def test_the_command_takes_one_option() -> None:
    assert generate.main(["--chek"]) == 2


def test_the_text_has_a_line_for_every_route_in_order() -> None:
    head, *lines = describe_routes().splitlines()
    assert head.split() == ["row", "methods", "path", "dialect", "what"]
    assert [(line.split()[0], line.split()[2]) for line in lines] == [(route.row, route.path) for route in ROUTES]
    for line, route in zip(lines, ROUTES, strict=True):
        assert ("not yet" in line) == bool(route.later)
        assert line.index(route.path) == head.index("path")


def test_the_page_lists_every_route_once_and_what_is_missing_apart() -> None:
    works, _, later = as_markdown().partition("## Not yet")
    for route in ROUTES:
        assert works.count(f"`{route.path}`") + later.count(f"`{route.path}`") == sum(
            r.path == route.path for r in ROUTES
        )
        assert f"`{route.path}`" in (later if route.later else works)
    assert all(line.count("|") == 6 for line in as_markdown().splitlines() if line.startswith("|"))


VERDICTS = {"passes", "carried", "changed", "lost (warn)", "lost (note)", "refused"}


def test_every_feature_has_a_cell_for_every_pair_and_none_vanishes_unnoticed() -> None:
    found = {(feature, client, upstream): cell for feature, client, upstream, cell in conversions.cells()}
    asked = [(feature, client) for feature, clients in FEATURES.items() for client in clients]
    assert set(found) == {(feature, client, upstream) for feature, client in asked for upstream in UPSTREAMS}
    assert {key: cell.verdict for key, cell in found.items() if cell.verdict not in VERDICTS} == {}
    assert all(bool(cell.reasons) == (cell.verdict not in ("passes", "carried")) for cell in found.values())
    assert {client for _, client in asked} == set(DIALECTS) == set(BASE)
    assert BESIDE.items() <= {(detail, whole) for detail in FEATURES for whole in FEATURES}


def test_the_page_of_conversions_has_a_row_for_every_feature_of_every_client() -> None:
    page = conversions.as_markdown()
    for client, section in zip(DIALECTS, page.split("\n## From ")[1:], strict=True):
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
        assert [row[0].removeprefix("| ") for row in rows] == [name for name in FEATURES if client in FEATURES[name]]
        assert all(len(row) == len(UPSTREAMS) + 1 for row in rows)
        numbers = {int(number) for row in rows for number in re.findall(r"\[(\d+)\]", " ".join(row))}
        listed = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)]
        assert listed == list(range(1, len(numbers) + 1)) == sorted(numbers)


def drawn(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^ {4}(\w+) --> (\w+) :", text, re.MULTILINE))


def test_the_diagrams_show_every_transition() -> None:
    _, exchange, leg = (DOCS / "architecture.md").read_text("utf-8").split("stateDiagram-v2")
    moves = {(state, to) for state in State for tos in EXCHANGE[state].values() for to in tos}
    moves |= {(state, to) for state in State for to in EXCHANGE_TIMED[state]}
    assert drawn(exchange) == {(state.name.lower(), to.name.lower()) for state, to in moves if state is not to}
    legs = {(state, to) for state in LegState for tos in LEG[state].values() for to in tos}
    legs |= {(state, to) for state in LegState for to in LEG_TIMED[state]}
    legs -= {(LegState.READING, LegState.READING), (LegState.PAUSED, LegState.PAUSED)}  # a leg that stays as it is
    assert drawn(leg) == {(state.name.lower(), to.name.lower()) for state, to in legs}


# What is written by hand.


PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    for name in re.findall(r"`((?:agcore|frontends|tests|docs|benchmarks)/[\w/.-]+)`", page.read_text("utf-8")):
        assert (DOCS.parent / name).exists(), name


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [record.name[:4] for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        text = record.read_text("utf-8")
        assert re.match(rf"# 0*{int(record.name[:4])}[.:] \w", text), record
        for heading in ("Context", "Decision", "Consequences"):
            assert re.search(rf"^(?:## |\*\*){heading}", text, re.MULTILINE), (record, heading)


# The frontend of write-a-frontend.md.


@pytest.fixture(scope="module")
def frontend() -> dict[str, Any]:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "write-a-frontend.md").read_text("utf-8"), re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "written_frontend"}
    exec(compile(block, "docs/write-a-frontend.md", "exec"), namespace)
    return namespace


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers a Chat request, streamed if it asks for that, and breaks off when the model is called `broken`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen = (self.path, dict(self.headers), asked)  # type: ignore[attr-defined]
        if not asked.get("stream"):
            self._answer(
                b'{"id":"c","object":"chat.completion","model":"m","choices":[{"message":{"content":"hi"}}]}',
                "application/json",
            )
        else:
            chunk = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":%b}]}\n\n'
            broken = asked["model"] == "broken"
            events = [chunk % b"null"] if broken else [chunk % b"null", chunk % b'"stop"', b"data: [DONE]\n\n"]
            self._answer(b"".join(events), "text/event-stream", missing=9 if broken else 0)

    def _answer(self, body: bytes, kind: str, *, missing: int = 0) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server
        with socket.create_connection(("127.0.0.1", server.server_port)):
            pass
        thread.join(10)
        assert not thread.is_alive()


def ask(frontend: dict[str, Any], config: Config, request: bytes) -> tuple[bytes, bytes]:
    """The head and the body that the written frontend answers with."""
    gateway = frontend["make_gateway"](config)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        client.settimeout(10)
        client.sendall(request)
        frontend["serve_one"](gateway, listener)
        answer = b""
        while data := client.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def to(port: int) -> Config:
    origin = Origin("http", "127.0.0.1", port)
    provider = Provider("up", {"openai": Endpoint("openai", origin, b"/v1", "bearer")}, keys=(Secret("sk-up"),))
    models = (ModelRule("alias", ((("up", "m"),),)),)
    return Config(providers=(provider,), models=models, retry=Retry(attempts=1))


def post(body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(data) + data


def test_the_written_frontend_answers_by_itself(frontend: dict[str, Any]) -> None:
    head, body = ask(frontend, Config(), b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(body)["status"] == "ok"


def test_the_written_frontend_refuses_what_is_no_request(frontend: dict[str, Any]) -> None:
    head, body = ask(frontend, Config(), b"\x00\x01\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["message"]


def test_the_written_frontend_relays_a_request(frontend: dict[str, Any], upstream: Any) -> None:
    head, body = ask(frontend, to(upstream.server_port), post({"model": "alias", "messages": []}))
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b'{"id":"c","object":"chat.completion","model":"alias","choices":[{"message":{"content":"hi"}}]}'
    path, headers, asked = upstream.seen
    assert (path, headers["authorization"], asked["model"]) == ("/v1/chat/completions", "Bearer sk-up", "m")


def test_the_written_frontend_streams(frontend: dict[str, Any], upstream: Any) -> None:
    head, body = ask(frontend, to(upstream.server_port), post({"model": "m", "messages": [], "stream": True}))
    assert b"text/event-stream" in head
    assert body.count(b'"content":"hi"') == 2
    assert b"data: [DONE]\n\n" in body
    assert body.endswith(b"0\r\n\r\n")


def test_the_written_frontend_reports_a_stream_that_breaks(frontend: dict[str, Any], upstream: Any) -> None:
    _, body = ask(frontend, to(upstream.server_port), post({"model": "broken", "messages": [], "stream": True}))
    assert b'"content":"hi"' in body
    assert b'{"error":' in body
    assert b"[DONE]" not in body


def test_the_written_frontend_reports_an_upstream_that_is_not_there(frontend: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    head, body = ask(frontend, to(port), post({"model": "m", "messages": []}))
    assert head.startswith(b"HTTP/1.1 502")
    assert json.loads(body)["error"]["code"] == "upstream_unreachable"


@pytest.fixture
def silent_tls_upstream(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Port and CA of a server that sends TLS 1.3 session tickets, and nothing else."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    over = threading.Event()

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with context.wrap_socket(client, server_side=True):
            over.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield listener.getsockname()[1], str(tmp_path / "ca.pem")
        over.set()
        thread.join(10)


def test_the_written_frontend_keeps_deadlines_while_tls_has_tickets_only(
    frontend: dict[str, Any], silent_tls_upstream: tuple[int, str]
) -> None:
    port, ca_file = silent_tls_upstream
    document = {
        "providers": [
            {"name": "up", "dialect": "openai", "base_url": f"https://127.0.0.1:{port}/v1", "ca_file": ca_file}
        ],
        "timeouts": {"first_byte": 0.2},
        "retry": {"attempts": 1},
    }
    head, body = ask(frontend, load_config(document), post({"model": "m", "messages": []}))
    assert head.startswith(b"HTTP/1.1 504")
    assert json.loads(body)["error"]["code"] == "upstream_timeout"


def test_the_written_frontend_says_that_it_takes_no_large_forms(frontend: dict[str, Any]) -> None:
    parts = b"--x\r\ncontent-disposition: form-data; name=%b\r\n\r\n%b\r\n"
    form = parts % (b"model", b"m") + parts % (b"file; filename=a.wav", bytes(3_000_000)) + b"--x--\r\n"
    head = b"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\n"
    config = msgspec.structs.replace(to(1), proxy=Proxy(keys=(ClientKey("me", Secret("sk-me")),)))
    request = head + b"authorization: Bearer sk-me\r\ncontent-length: %d\r\n\r\n" % len(form) + form
    status, body = ask(frontend, config, request)
    assert status.startswith(b"HTTP/1.1 501")
    assert (
        json.loads(body)["error"]["message"]
        == "this server lacks what the request needs: forms of more than a megabyte"
    )


def test_the_written_frontend_tells_its_upstream_when_the_client_hangs_up(
    frontend: dict[str, Any], silent_tls_upstream: tuple[int, str]
) -> None:
    port, ca_file = silent_tls_upstream
    provider = {"name": "up", "dialect": "openai", "base_url": f"https://127.0.0.1:{port}/v1", "ca_file": ca_file}
    gateway = frontend["make_gateway"](load_config({"providers": [provider]}))
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        client.sendall(post({"model": "m", "messages": []}))
        client.shutdown(socket.SHUT_WR)
        frontend["serve_one"](gateway, listener)  # returns, although the upstream never answers


def reached(frontend: dict[str, Any], gateway: ReachGateway) -> tuple[bytes, bytes]:
    """What the written frontend answers for a machine that reaches for a file or an address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        client.settimeout(10)
        client.sendall(post({}))
        frontend["serve_one"](gateway, listener)
        answer = b""
        while data := client.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body


def test_the_written_frontend_reads_no_file(frontend: dict[str, Any]) -> None:
    status, body = reached(frontend, reads(__file__, roots=("/",), max_bytes=1_000_000))
    assert (status.split()[1], body) == (b"403", b"is not read here")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_written_frontend_refuses_an_address_that_is_not_public(frontend: dict[str, Any], host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.setblocking(False)
        status, body = reached(frontend, fetches(host, upstream.getsockname()[1]))
        with pytest.raises(BlockingIOError):
            upstream.accept()
    assert (status.split()[1], body) == (b"403", f"{host}: it is not a public address".encode())
