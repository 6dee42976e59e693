"""Exchanges as data: what a client sends and what an upstream answers. Every frontend must make the same of them."""

from __future__ import annotations

import msgspec

from agcore import Headers
from agcore.config.values import ClientKey, Config, Endpoint, McpServer, ModelRule, Provider, Proxy, Secret
from agcore.protocol.http import Origin
from agcore_sim.story import JSON, SSE
from tests.support.upstreams import Answer

CHAT = b'{"model":"alias", "messages":[{"role":"user","content":"x"}],"future":{"a":[1, null]}}'
CHAT_STREAM = b'{"model":"m-1","messages":[],"stream":true}'
MESSAGES_STREAM = b'{"model":"alias","max_tokens":9,"messages":[],"stream":true}'


class Case(msgspec.Struct, frozen=True):
    """One exchange."""

    name: str
    method: str
    target: str
    body: bytes | None = None
    headers: Headers = JSON
    answer: Answer | None = None
    """None where no upstream is to be asked."""
    peer: str = "127.0.0.1"
    keyed: bool = False
    """Client keys are needed, `CLIENT_KEY` or, for the admin API, `ADMIN_KEY`."""
    status: int | None = None
    """What the client is to get, where that is not left to the core."""
    says: bytes = b""
    """What the body of the answer is to have in it."""


CLIENT_KEY = "gw-client-key-0123456789"
ADMIN_KEY = "gw-admin-key-01234567890"


def config(port: int, *, keyed: bool = False) -> Config:
    """The configuration that all cases share, with its upstream on a loopback port."""
    origin = Origin("http", "127.0.0.1", port)
    endpoints = {
        "openai": Endpoint("openai", origin, b"/v1", "bearer"),
        "openai_responses": Endpoint("openai_responses", origin, b"/v1", "bearer"),
        "openai_completions": Endpoint("openai_completions", origin, b"/v1", "bearer"),
        "anthropic": Endpoint("anthropic", origin, b"", "x-api-key"),
        "gemini": Endpoint("gemini", origin, b"", "x-goog-api-key"),
    }
    provider = Provider(name="p", endpoints=endpoints, keys=(Secret("sk-upstream-key"),), models=("m-*",))
    cors = ("https://app.example",)
    clients = (ClientKey("bob", Secret(CLIENT_KEY)),)
    guarded = Proxy(cors_origins=cors, keys=clients, auth_mode="strict", admin_key=Secret(ADMIN_KEY))
    return Config(
        proxy=guarded if keyed else Proxy(cors_origins=cors),
        providers=(provider,),
        models=(ModelRule("alias", ((("p", "m-real"),),)),),
        mcp=(McpServer("web_reader", endpoint=Endpoint("mcp", origin, b"/mcp", "bearer"), key=Secret("sk-mcp")),),
    )


def _frames(*frames: str) -> tuple[bytes, ...]:
    return tuple(frame.encode() for frame in frames)


def _chunk(delta: str, *, finish: str = "null", usage: str = "") -> str:
    return f'data: {{"model":"m-real","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{usage}}}\n\n'


CHAT_CHUNKS = _frames(
    _chunk('{"role":"assistant","content":""}', usage=',"usage":null'),
    ": upstream comment\n\n",
    _chunk('{"content":"h\\u00e9"}', usage=',"usage":null'),
    'event: unknown\ndata: {"surprise":[1, 2]}\n\n',
    _chunk("{}", finish='"stop"'),
    'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
    "data: [DONE]\n\n",
)
MESSAGE_EVENTS = _frames(
    'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"m-real",'
    '"usage":{"input_tokens":3,"output_tokens":1}}}\n\n',
    'event: ping\ndata: {"type":"ping"}\n\n',
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"hi \U0001f600"}}\n\n',
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n',
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
RESPONSE_EVENTS = _frames(
    'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    '"response":{"id":"resp_1","model":"m-real","status":"in_progress","output":[]}}\n\n',
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":1,"delta":"hi"}\n\n',
    'event: response.completed\ndata: {"type":"response.completed","sequence_number":2,'
    '"response":{"id":"resp_1","model":"m-real","status":"completed","output":[],'
    '"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}\n\n',
)
GEMINI_CHUNKS = _frames(
    'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]}}],"modelVersion":"m-real"}\r\n\r\n',
    'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}}\r\n\r\n',
)
CHAT_ANSWER = (
    b'{"id":"c", "object":"chat.completion","model":"m-real","choices":[ ],"usage":{"prompt_tokens":1},"x":"\\u00e9"}'
)
ERROR_429 = b'{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}'


def answer(body: bytes, *, status: int = 200, headers: Headers = JSON) -> Answer:
    return Answer(status=status, headers=headers, pieces=(body,))


def stream(*frames: bytes, cut: bool = False) -> Answer:
    return Answer(headers=SSE, pieces=frames, cut=cut)


_V = "/v1beta/models/alias"
CASES = (
    Case("readiness answers", "HEAD", "/readyz"),
    Case("models are listed", "GET", "/v1/models", headers=(), answer=answer(b'{"data":[{"id":"m-7"},{"id":"x"}]}')),
    Case(
        "models are listed for Anthropic",
        "GET",
        "/v1/models",
        headers=((b"anthropic-version", b"2023-06-01"),),
        answer=answer(b'{"error":{"message":"no"}}', status=500),
    ),
    Case("a Gemini model is found", "GET", _V, headers=()),
    Case("an unknown path is a 404", "GET", "/v1/nope", headers=()),
    Case("a wrong method is a 405", "DELETE", "/v1/messages", headers=()),
    Case("a websocket path is a 426", "GET", "/v1/responses", headers=()),
    Case("a later route says what is missing", "POST", "/v1/embeddings", b"{}"),
    Case("bad JSON is a 400", "POST", "/v1/messages", b'{"model":'),
    Case("a doubled member is a 400", "POST", "/v1/chat/completions", b'{"model":"m-1","model":"m-2"}'),
    Case("an unknown model is a 404", "POST", "/v1/messages", b'{"model":"nobody"}'),
    Case("text without a key is a 415", "POST", "/v1/messages", b"{}", ((b"content-type", b"text/plain"),)),
    Case("a remote peer needs a key", "GET", "/v1/models", headers=(), peer="192.0.2.7"),
    Case(
        "a preflight is answered",
        "OPTIONS",
        "/v1/messages",
        headers=((b"origin", b"https://app.example"), (b"access-control-request-method", b"POST")),
    ),
    Case("telemetry is forgotten", "POST", "/api/event_logging/batch", b"anything at all", headers=()),
    Case("detect explains", "POST", "/v1/models/detect", b'{"model":"alias"}'),
    Case("chat passes whole", "POST", "/v1/chat/completions", CHAT, answer=answer(CHAT_ANSWER)),
    Case("chat passes as a stream", "POST", "/v1/chat/completions", CHAT_STREAM, answer=stream(*CHAT_CHUNKS)),
    Case(
        "a chat stream may be cut",
        "POST",
        "/v1/chat/completions",
        CHAT_STREAM,
        answer=stream(*CHAT_CHUNKS[:3], cut=True),
    ),
    Case("a chat stream may be empty", "POST", "/v1/chat/completions", CHAT_STREAM, answer=stream(b": nothing\n\n")),
    Case(
        "a chat stream may fail at once",
        "POST",
        "/v1/chat/completions",
        CHAT_STREAM,
        answer=stream(b'data: {"error":{"message":"no capacity","code":"overloaded"}}\n\n'),
    ),
    Case(
        "messages pass as a stream", "POST", "/v1/messages?beta=true", MESSAGES_STREAM, answer=stream(*MESSAGE_EVENTS)
    ),
    Case(
        "a message stream may be cut",
        "POST",
        "/v1/messages",
        MESSAGES_STREAM,
        answer=stream(*MESSAGE_EVENTS[:4], cut=True),
    ),
    Case("responses pass as a stream", "POST", "/v1/responses", CHAT_STREAM, answer=stream(*RESPONSE_EVENTS)),
    Case(
        "a response stream may be cut",
        "POST",
        "/v1/responses",
        CHAT_STREAM,
        answer=stream(*RESPONSE_EVENTS[:2], cut=True),
    ),
    Case("Gemini passes as SSE", "POST", f"{_V}:streamGenerateContent?alt=sse", b"{}", answer=stream(*GEMINI_CHUNKS)),
    Case("Gemini passes as an array", "POST", f"{_V}:streamGenerateContent", b"{}", answer=stream(*GEMINI_CHUNKS)),
    Case(
        "Gemini passes whole",
        "POST",
        f"{_V}:generateContent",
        b"{}",
        answer=answer(b'{"candidates":[{"finishReason":"STOP"}]}'),
    ),
    Case(
        "tokens are counted",
        "POST",
        "/v1/messages/count_tokens",
        MESSAGES_STREAM,
        answer=answer(b'{"input_tokens":3}'),
    ),
    Case(
        "a 429 keeps its wait",
        "POST",
        "/v1/chat/completions",
        CHAT,
        answer=answer(ERROR_429, status=429, headers=(*JSON, (b"retry-after", b"34"))),
    ),
    Case(
        "a refused key is a 424",
        "POST",
        "/v1/messages",
        CHAT,
        answer=answer(b'{"error":{"message":"bad sk-upstream-key"}}', status=401),
    ),
    Case(
        "HTML is an error",
        "POST",
        "/v1/messages",
        CHAT,
        answer=answer(b"<html>", headers=((b"content-type", b"text/html"),)),
    ),
    Case(
        "warmup checks a key",
        "POST",
        "/internal/warmup",
        b"{}",
        answer=answer(b'{"error":{"message":"no"}}', status=403),
    ),
)


def _form(*parts: bytes) -> bytes:
    head = b"--b\r\ncontent-disposition: form-data; name="
    return b"".join(head + part + b"\r\n" for part in parts) + b"--b--\r\n"


_MODEL = b'"model"\r\n\r\nalias'
_FILE = b'"file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n' + b"RIFF" * 50_000
_FORM: Headers = ((b"content-type", b"multipart/form-data; boundary=b"),)
_CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}'
_RESULT = b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
_MCP = "/mcp/web_reader/mcp"
_MCP_POST: Headers = (*JSON, (b"accept", b"application/json, text/event-stream"), (b"mcp-session-id", b"s"))

PASSING = (
    Case(
        "an upload passes by",
        "POST",
        "/v1/audio/transcriptions",
        _form(_MODEL, _FILE),
        _FORM,
        answer=answer(b'{"text":"hi"}'),
    ),
    Case(
        "an upload is put aside",
        "POST",
        "/v1/audio/transcriptions",
        _form(_FILE, _MODEL),
        _FORM,
        answer=answer(b'{"text":"hi"}'),
    ),
    Case("speech passes as bytes", "POST", "/v1/audio/speech", CHAT, answer=answer(b"\x00\xff" * 9, headers=())),
    Case("an MCP call passes", "POST", _MCP, _CALL, _MCP_POST, answer=answer(b'{"jsonrpc":"2.0","id":1,"result":{}}')),
    Case("an MCP call is accepted", "POST", _MCP, _CALL, _MCP_POST, answer=answer(b"", status=202, headers=())),
    Case("an MCP call streams", "POST", _MCP, _CALL, _MCP_POST, answer=stream(_RESULT, _RESULT)),
    Case("an MCP stream is cut", "POST", _MCP, _CALL, _MCP_POST, answer=stream(_RESULT, _RESULT, cut=True)),
    Case(
        "an MCP server pushes",
        "GET",
        _MCP,
        headers=((b"accept", b"text/event-stream"),),
        answer=stream(_RESULT, cut=True),
    ),
    Case("an MCP session ends", "DELETE", _MCP, headers=((b"mcp-session-id", b"s"),), answer=answer(b"")),
)
"""Exchanges whose bytes pass by: what the frontends make of them is compared with each other, not with a core alone."""
