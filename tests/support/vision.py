"""What tests of the built-in vision server share: configurations, pictures, messages, and stories up to an answer."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from agcore import Config, Effect, Gateway, Headers, NotifyExchange, Peer, Secret, SendData
from agcore.codecs.sse import Decoder
from agcore.config.values import ClientKey, Endpoint, Limits, McpServer, Provider, Proxy, Timeouts
from agcore.protocol.http import Origin
from agcore_sim.story import LOCAL, SSE, Story

AT: Final = "/mcp/zai-mcp-server/mcp"
VERSION: Final = b"mcp-protocol-version"
ACCEPT: Final = (b"accept", b"application/json, text/event-stream")
HANDSHAKE: Final = ("2025-03-26", "2025-06-18", "2025-11-25")
STATELESS: Final = "2026-07-28"

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(24)
JPEG: Final = b"\xff\xd8\xff\xe0" + bytes(24)
MP4: Final = b"\0\0\0\x18ftypisom" + bytes(24)

PREFIXES: Final = {
    "openai_completions": b"/v1",
    "openai": b"/v1",
    "openai_responses": b"/v1",
    "anthropic": b"",
    "gemini": b"",
}


def data_uri(data: bytes = PNG, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"


def provider(name: str, dialect: str = "openai") -> Provider:
    endpoint = Endpoint(dialect, Origin("https", f"{name}.example", 443), PREFIXES[dialect], "bearer")
    return Provider(name, {dialect: endpoint}, keys=(Secret(f"sk-{name}-0123456789abcdef"),), models=("glm-*",))


def setup(
    dialect: str = "openai",
    *,
    model: str = "eyes/glm-4.6v",
    file_roots: tuple[str, ...] = (),
    keys: tuple[ClientKey, ...] = (),
    providers: tuple[Provider, ...] = (),
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
) -> Config:
    """A vision server whose model is served in `dialect`, and another one of the same kind."""
    server = McpServer("zai-mcp-server", builtin="vision", model=model, file_roots=file_roots)
    return Config(
        proxy=Proxy(keys=keys),
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        providers=providers or (provider("eyes", dialect),),
        mcp=(server, McpServer("other", builtin="vision", model=model)),
    )


def request(method: str, params: Mapping[str, Any] | None = None, *, id: object = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


def note(method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def tool_call(
    tool: str = "analyze_image",
    *,
    id: object = 7,
    token: object = None,
    meta: Mapping[str, Any] | None = None,
    **given: object,
) -> dict[str, Any]:
    """A call of a tool; without arguments, one of `analyze_image` with a picture."""
    arguments = given or {"image_source": data_uri(), "prompt": "What is it?"}
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if token is not None or meta is not None:
        params["_meta"] = {**(meta or {}), **({} if token is None else {"progressToken": token})}
    return request("tools/call", params, id=id)


def stateless(message: Mapping[str, Any], **meta: object) -> tuple[dict[str, Any], Headers]:
    """A request as the revision 2026-07-28 wants it, with its headers."""
    params = dict(message.get("params", {}))
    params["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientCapabilities": {},
        **params.get("_meta", {}),
        **meta,
    }
    headers = [(VERSION, STATELESS.encode()), (b"mcp-method", str(message["method"]).encode())]
    if "name" in params:
        headers.append((b"mcp-name", str(params["name"]).encode()))
    return {**message, "params": params}, tuple(headers)


class Client:
    """A client of the vision server over one gateway. Each request is a `Story` of its own."""

    def __init__(
        self, gateway: Gateway, *, version: str = "2025-11-25", key: str = "", peer: Peer = LOCAL, at: str = AT
    ) -> None:
        self.gateway = gateway
        self.version = version
        self.session: bytes | None = None
        self.later = 0.0
        """Seconds since the beginning of time, for what is sent next."""
        self.at = at
        self._peer = peer
        self._key: Headers = ((b"authorization", b"Bearer " + key.encode()),) if key else ()

    def send(
        self,
        method: str = "POST",
        body: bytes | None = None,
        *,
        headers: Headers = (),
        accept: bytes | None = ACCEPT[1],
        session: bytes | None = None,
    ) -> Story:
        """One HTTP request, in the session if there is one."""
        story = Story(self.gateway, peer=self._peer)
        story.now += self.later
        fields = [*self._key, *headers]
        if accept is not None:
            fields.append((b"accept", accept))
        if (session or self.session) is not None:
            fields.append((b"mcp-session-id", session or self.session or b""))
            if not any(name == VERSION for name, _ in headers):
                fields.append((VERSION, self.version.encode()))
        story.open(method, self.at, headers=tuple(fields), body=b"" if body is None and method != "POST" else body)
        return story

    def post(self, message: object, **options: Any) -> Story:
        """A POST of a message, or of a batch."""
        body = json.dumps(message).encode()
        options["headers"] = (*options.get("headers", ()), (b"content-type", b"application/json"))
        return self.send("POST", body, **options)

    def begin(self) -> Story:
        """The handshake."""
        params = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        story = self.post(request("initialize", params, id=0))
        assert story.status == 200, story.text()
        self.session = story.headers[b"mcp-session-id"]
        assert self.post(note("notifications/initialized")).status == 202
        return story


def result(story: Story) -> Any:
    """The result that a JSON answer holds."""
    answer = json.loads(story.body)
    assert answer.keys() == {"jsonrpc", "id", "result"}, answer
    assert story.headers[b"content-type"] == b"application/json"
    return answer["result"]


def failure(story: Story) -> tuple[int, int, str]:
    """HTTP status, JSON-RPC code and message of an error."""
    answer = json.loads(story.body)
    assert answer.keys() == {"jsonrpc", "id", "error"}, answer
    return story.status, answer["error"]["code"], answer["error"]["message"]


def events(effects: list[Effect] | Story) -> list[Any]:
    """The messages of an event stream."""
    if isinstance(effects, Story):
        effects = effects.effects
    data = b"".join(effect.data for effect in effects if isinstance(effect, SendData))
    frames = Decoder().feed(data)
    assert all(frame.event == "message" for frame in frames if frame.data is not None)
    return [json.loads(frame.data) for frame in frames if frame.data is not None]


def deliver(sender: Story, *receivers: Story) -> int:
    """Do what a frontend does with `NotifyExchange`: the number of messages that arrived."""
    told = 0
    for effect in sender.effects:
        if isinstance(effect, NotifyExchange):
            for receiver in receivers:
                if receiver.exchange.request.id == effect.exchange:
                    receiver.tell(effect.message)
                    told += 1
    return told


def chat(*texts: str, stop: str = "stop") -> list[bytes]:
    """A stream of Chat Completions, one piece for each text, and the end."""
    pieces = [{"content": text} for text in texts]
    events: list[dict[str, Any]] = [{"id": "c", "choices": [{"index": 0, "delta": piece}]} for piece in pieces]
    events.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    events.append({"id": "c", "choices": [], "usage": usage})
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]


def answered(story: Story, *texts: str, stop: str = "stop") -> Story:
    """The model says this."""
    story.upstream_answers(200, chat(*texts, stop=stop), headers=SSE)
    return story


def text_of(answer: Mapping[str, Any], *, is_error: bool = False) -> str:
    """The text of a tool's result."""
    assert answer["isError"] is is_error, answer
    assert all(each.keys() == {"type", "text"} for each in answer["content"])
    return "\n".join(each["text"] for each in answer["content"])
