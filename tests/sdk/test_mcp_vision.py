"""The built-in vision server through both frontends: official clients, real files, and models of every dialect."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.support.patience import PATIENCE
from tests.support.servers import Url, trio_server, uvicorn_server
from tests.support.upstreams import Upstream
from tests.support.vision import JPEG, MP4, PNG, note, request, tool_call
from tests.support.vision_upstream import Eyes, seen

CLIENT_KEY = "sk-client-0123456789abcdef"
LIMITED_KEY = "sk-limited-0123456789abcdef"
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
DIALECTS = {
    "openai": "glm-4.6v",
    "openai_responses": "gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3-flash",
}

CONFIG = """
[proxy]
auth_mode = "strict"
api_key = "{key}"
[[proxy.keys]]
name = "limited"
key = "{limited}"
models = ["something-else"]
[timeouts]
open_after = 0.3
ping = 0.3
"""
PROVIDER = """
[[providers]]
name = "{dialect}-eyes"
dialect = "{dialect}"
base_url = "{url}"
keys = ["sk-upstream-0123456789"]
models = ["{model}"]
[mcp.{dialect}]
builtin = "vision"
model = "{dialect}-eyes/{model}"
file_roots = ["{root}"]
"""
JS = Path(__file__).with_name("js")
NODE = shutil.which("node")


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, some of which lead out of it."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "cat.png").write_bytes(PNG)
    root = tmp_path_factory.mktemp("pictures")
    (root / "cat.png").write_bytes(PNG)
    (root / "notes.txt").write_bytes(b"my secret notes")
    (root / "big.png").write_bytes(PNG + bytes(5 * 1024 * 1024))
    (root / "film.mp4").write_bytes(MP4 + bytes(6 * 1024 * 1024))
    (root / "link.png").symlink_to(outside / "cat.png")
    (root / "folder.png").mkdir()
    return root


@pytest.fixture(scope="module", params=["trio", "uvicorn"])
def gateway(request: pytest.FixtureRequest, eyes: Eyes, root: Path) -> Iterator[Url]:
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream(eyes))
        stack.callback(eyes.release_all)
        config = CONFIG.format(key=CLIENT_KEY, limited=LIMITED_KEY)
        for dialect, model in DIALECTS.items():
            url = upstream.url + ("/v1" if dialect.startswith("openai") else "")
            config += PROVIDER.format(dialect=dialect, model=model, url=url, root=root)
        yield stack.enter_context({"trio": trio_server, "uvicorn": uvicorn_server}[request.param](config))


@pytest.fixture
def endpoint(gateway: Url) -> str:
    return f"{gateway}/mcp/openai/mcp"


@pytest.fixture(params=list(ERAS))
def era(request: pytest.FixtureRequest) -> str:
    mode: str = request.param
    return mode


@asynccontextmanager
async def connected(url: str, era: str, *, key: str = CLIENT_KEY) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def within_time() -> None:
        with anyio.fail_after(PATIENCE):
            await story()

    anyio.run(within_time, backend="asyncio")


def said(answer: CallToolResult) -> tuple[bool, str]:
    """Whether a tool failed, and what it said."""
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return answer.is_error, content.text


def picture(data: bytes = PNG) -> dict[str, object]:
    return {"image_source": f"data:;base64,{b64encode(data).decode()}", "prompt": "What is it?"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_tool_is_found_and_called(gateway: Url, dialect: str, era: str) -> None:
    async def story() -> None:
        async with connected(f"{gateway}/mcp/{dialect}/mcp", era) as client:
            assert client.protocol_version == ERAS[era]
            assert len((await client.list_tools()).tools) == 8
            answer = await client.call_tool("analyze_image", picture())
            assert said(answer) == (False, f"{seen('image/png', PNG)}: Request: What is it?")

    run(story)


def test_several_calls_run_at_once(endpoint: str, era: str) -> None:
    async def story() -> None:
        answers: dict[bytes, tuple[bool, str]] = {}

        async def call(client: Client, data: bytes) -> None:
            answers[data] = said(await client.call_tool("analyze_image", picture(data)))

        async with connected(endpoint, era) as client, anyio.create_task_group() as tasks:
            for data in (PNG, JPEG, PNG + b"1", JPEG + b"2"):
                tasks.start_soon(call, client, data)
        for data, (failed, text) in answers.items():
            assert not failed
            assert text.startswith(seen("image/png" if data.startswith(PNG) else "image/jpeg", data))
        assert len(answers) == 4

    run(story)


def test_files_are_read_below_the_roots_only(endpoint: str, era: str, root: Path) -> None:
    async def story() -> None:
        async with connected(endpoint, era) as client:

            async def look(path: Path, tool: str = "analyze_image", name: str = "image_source") -> tuple[bool, str]:
                return said(await client.call_tool(tool, {name: str(path), "prompt": "?"}))

            assert await look(root / "cat.png") == (False, f"{seen('image/png', PNG)}: Request: ?")
            failed, text = await look(root / "film.mp4", "analyze_video", "video_source")
            assert (failed, text.startswith("video/mp4 ")) == (False, True)
            refusals = {}
            for name in ("link.png", "folder.png", "nothing.png", "../cat.png", "notes.txt", "big.png"):
                failed, refusals[name] = await look(root / name)
                assert failed
                assert "secret" not in refusals[name]
            assert (await look(Path("/etc/passwd")))[0]
            assert "no image in a format" in refusals["notes.txt"]
            assert len({refusals[name] for name in ("link.png", "nothing.png", "../cat.png")}) == 1

    run(story)


def test_addresses_that_are_not_public_are_not_asked(endpoint: str, era: str, gateway: Url) -> None:
    async def story() -> None:
        async with connected(endpoint, era) as client:
            port = gateway.rpartition(":")[2]
            for host in (
                "127.0.0.1",
                "localhost",
                "[::1]",
                "169.254.169.254",
                "10.0.0.1",
                "0.0.0.0",
                "[::ffff:7f00:1]",
            ):
                arguments = {"image_source": f"https://{host}:{port}/a.png", "prompt": "?"}
                failed, text = said(await client.call_tool("analyze_image", arguments))
                assert failed
                assert "public" in text

    run(story)


def test_bad_arguments_are_told_to_the_model(endpoint: str, era: str) -> None:
    async def story() -> None:
        async with connected(endpoint, era) as client:
            failed, text = said(await client.call_tool("analyze_image", {"image_source": "x"}))
            assert (failed, text) == (True, "`prompt` is required")
            with pytest.raises(MCPError, match="there is no tool 'nothing' here"):
                await client.call_tool("nothing", {})

    run(story)


def test_a_key_that_may_not_use_the_model_sees_the_tools_only(endpoint: str, era: str) -> None:
    async def story() -> None:
        async with connected(endpoint, era, key=LIMITED_KEY) as client:
            assert len((await client.list_tools()).tools) == 8
            failed, text = said(await client.call_tool("analyze_image", picture()))
            assert failed
            assert "may not use model" in text

    run(story)


def test_progress_is_told_while_the_model_thinks(endpoint: str, era: str, eyes: Eyes) -> None:
    name = f"progress {endpoint} {era}"

    async def story() -> None:
        told: list[float] = []

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            told.append(progress)
            if len(told) == 3:
                eyes.released[name].set()

        async with connected(endpoint, era) as client:
            arguments = {**picture(), "prompt": f"wait for {name}"}
            answer = await client.call_tool("analyze_image", arguments, progress_callback=tell)
            assert said(answer)[1].endswith(f"wait for {name}")
            assert len(told) >= 3
            assert told == sorted(set(told))

    run(story)


def test_a_call_that_the_client_gives_up_is_over(endpoint: str, era: str, eyes: Eyes) -> None:
    name = f"given up {endpoint} {era}"

    async def story() -> None:
        async with connected(endpoint, era) as client:
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    await client.call_tool("analyze_image", {**picture(), "prompt": f"wait for {name}"})

                tasks.start_soon(call)
                assert await anyio.to_thread.run_sync(eyes.waiting[name].wait, PATIENCE)
                tasks.cancel_scope.cancel()
            assert said(await client.call_tool("analyze_image", picture()))[0] is False

    run(story)


# What the protocol does on the wire, where the official clients do not show it.


class Wire:
    """A client of plain HTTP, in a session."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self.http = http
        self.headers = {
            "authorization": f"Bearer {CLIENT_KEY}",
            "accept": "application/json, text/event-stream",
        }
        begun = self.post(request("initialize", {"protocolVersion": "2025-11-25"}))
        self.headers["mcp-session-id"] = begun.headers["mcp-session-id"]

    def post(self, message: Any) -> httpx.Response:
        return self.http.post(self.url, json=message, headers=self.headers)


@pytest.fixture
def wire(endpoint: str) -> Iterator[Wire]:
    with httpx.Client(timeout=PATIENCE) as http:
        yield Wire(endpoint, http)


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_another_request_ends_a_running_call_though_nothing_else_happens(wire: Wire, eyes: Eyes, how: str) -> None:
    name = f"{how} {wire.url}"
    answers: list[httpx.Response] = []
    call = tool_call(image_source=picture()["image_source"], prompt=f"wait for {name}")
    thread = threading.Thread(target=lambda: answers.append(wire.post(call)), daemon=True)
    thread.start()
    assert eyes.waiting[name].wait(PATIENCE)
    if how == "cancel":
        assert wire.post(note("notifications/cancelled", {"requestId": 7})).status_code == 202
    else:
        assert wire.http.delete(wire.url, headers=wire.headers).status_code == 204
    thread.join(PATIENCE)
    (answer,) = answers
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert "result" not in answer.text
    assert not eyes.released[name].is_set()


def test_a_stream_stays_open_until_its_session_ends(wire: Wire) -> None:
    with wire.http.stream("GET", wire.url, headers=wire.headers) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        pings = 0
        while pings < 2:
            pings += next(lines) == ": ping"
        assert wire.http.delete(wire.url, headers=wire.headers).status_code == 204
        assert not [line for line in lines if line.startswith("data")]
    assert wire.post(request("ping")).status_code == 404


def test_a_message_over_the_limit_is_a_413(wire: Wire) -> None:
    answer = wire.post(tool_call(image_source="data:;base64," + "A" * (33 * 1024 * 1024), prompt="?"))
    assert answer.status_code == 413
    assert json.loads(answer.content)["error"]["code"] == -32600


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not (JS / "node_modules").is_dir(), reason="the client in JavaScript is not there: make mcp-js")
def test_the_javascript_client_calls_a_tool(endpoint: str) -> None:
    source = str(picture()["image_source"])
    done = subprocess.run(
        [NODE or "", str(JS / "vision.mjs"), endpoint, CLIENT_KEY, source],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert len(told["tools"]) == 8
    assert told["answer"] == f"{seen('image/png', PNG)}: Request: What is it?"
    assert told["refusal"] == "`prompt` is required"
