"""Exchanges as data: what public bug reports of gateways came to, by the id of the fault; see `cases`."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator

from agcore import Headers
from agcore_sim.dialogues import ANTHROPIC, CHAT, COMPLETIONS, DIALOGUES, GEMINI, RESPONSES, Dialogue
from agcore_sim.story import JSON, SSE
from tests.differential.cases import (
    ADMIN_KEY,
    CHAT_ANSWER,
    CHAT_CHUNKS,
    CLIENT_KEY,
    GEMINI_CHUNKS,
    MESSAGE_EVENTS,
    Answer,
    Case,
    answer,
    stream,
)
from tests.support.coded import CODED

MODEL = "m-1"
TEXT: Headers = ((b"content-type", b"text/plain"),)
HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
PAGE = b"<!DOCTYPE html><title>Sign in</title>"
ERROR = b'{"error":{"message":"no capacity","type":"overloaded_error"}}'
TRACE: Headers = (*JSON, (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
VISION = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
MCP: Headers = (*JSON, (b"accept", b"application/json, text/event-stream"))


def named(dialogue: Dialogue) -> str:
    """How a case names a dialect."""
    return dialogue.dialect.removeprefix("openai_")


def asks(
    name: str,
    dialogue: Dialogue,
    reply: Answer | None,
    *,
    streamed: bool = False,
    headers: Headers = JSON,
    path: str = "",
    keyed: bool = False,
    status: int | None = None,
    says: bytes = b"",
) -> Case:
    """A request of a dialect's client for the model that the provider has in this dialect, and the answer to it."""
    target = path or dialogue.target(MODEL, stream=streamed)
    body = dialogue.request(MODEL, stream=streamed)
    return Case(
        f"{name} ({named(dialogue)})", "POST", target, body, headers, reply, keyed=keyed, status=status, says=says
    )


def coded(coding: str, *pieces: bytes, status: int = 200, headers: Headers = JSON) -> Answer:
    """An answer that is coded as a whole, in one piece."""
    fields = (*headers, (b"content-encoding", coding.encode()))
    return Answer(status=status, headers=fields, pieces=(CODED[coding](b"".join(pieces)),))


def flushed(pieces: Iterable[bytes]) -> Answer:
    """A stream in gzip whose every event can be read when it has come."""
    packer = zlib.compressobj(wbits=31)
    sent = [packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return Answer(headers=(*SSE, (b"content-encoding", b"gzip")), pieces=(*sent, packer.flush()))


def key(name: bytes, value: str, headers: Headers = JSON) -> Headers:
    """Header fields with a key."""
    return (*headers, (name, value.encode()))


def _g1() -> Iterator[Case]:
    body = CHAT.request(MODEL, stream=False)
    target = CHAT.target(MODEL, stream=False)
    for coding in CODED:
        fields = (*JSON, (b"content-encoding", coding.encode()))
        yield Case(f"G1 {coding} goes up plain", "POST", target, CODED[coding](body), fields, answer(CHAT.answer))
    twice = CODED["gzip"](CODED["deflate"](body))
    fields = (*JSON, (b"content-encoding", b"deflate, gzip"))
    yield Case("G1 several codings", "POST", target, twice, fields, answer(CHAT.answer), status=200)
    fields = (*JSON, (b"content-encoding", b"identity"))
    yield Case("G1 identity", "POST", target, body, fields, answer(CHAT.answer), status=200)
    for coding, sent, status in (("lzma", body, 415), ("zstd", body, 400), ("gzip", gzip.compress(body)[:-9], 400)):
        fields = (*JSON, (b"content-encoding", coding.encode()))
        yield Case(f"G1 {coding} is refused with {status}", "POST", target, sent, fields, status=status)


def _g6() -> Iterator[Case]:
    quota = b'{"message":"quota","code":1}'
    for dialogue in DIALOGUES:
        yield asks("G6 a success without an answer", dialogue, answer(quota), status=502, says=b"quota")
        yield asks("G6 a success of nothing", dialogue, answer(b"{}"), status=502)
        yield asks("G6 a stream of nothing", dialogue, stream(b": hm\n\n"), streamed=True, status=502)
    vectors = b'{"model":"m-1","input":"x"}'
    yield Case("G6 embeddings of nothing", "POST", "/v1/embeddings", vectors, answer=answer(b"{}"), status=502)


def _g9() -> Iterator[Case]:
    half = b'{"model":"m-1","messages":[{"role":"user","content":"hi \\ud83d"}]}'
    said = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"hi \\ud83d"},"finish_reason":"stop"}]}'
    yield Case("G9 half an emoji", "POST", "/v1/chat/completions", half, answer=answer(said), status=200)


def _g10() -> Iterator[Case]:
    for dialogue, frames in ((CHAT, CHAT_CHUNKS), (ANTHROPIC, MESSAGE_EVENTS), (GEMINI, GEMINI_CHUNKS)):
        yield asks("G10 a stream is folded", dialogue, stream(*frames), status=200)
        yield asks("G10 a stream that breaks off is no answer", dialogue, stream(*frames[:1], cut=True), status=502)
    yield asks("G10 a stream is folded", RESPONSES, stream(RESPONSES.stream), status=200)
    yield asks("G10 a stream is folded", COMPLETIONS, stream(COMPLETIONS.stream), status=200)


def _g11() -> Iterator[Case]:
    for coding in CODED:
        yield asks(f"G11 {coding} unasked", CHAT, coded(coding, CHAT.answer), status=200)
    for dialogue in (ANTHROPIC, GEMINI, RESPONSES):
        yield asks("G11 gzip unasked", dialogue, coded("gzip", dialogue.answer), status=200)
    for dialogue, frames in ((CHAT, CHAT_CHUNKS), (ANTHROPIC, MESSAGE_EVENTS), (GEMINI, GEMINI_CHUNKS)):
        yield asks("G11 a coded stream", dialogue, flushed(frames), streamed=True, status=200)
        yield asks("G11 a coded stream is folded", dialogue, flushed(frames), status=200)
    coded_error = coded("gzip", ERROR, status=400)
    yield asks("G11 a coded error keeps its words", CHAT, coded_error, status=400, says=b"no capacity")
    unknown = answer(b"\x00\x01", headers=(*JSON, (b"content-encoding", b"mystery")))
    yield asks("G11 an unknown coding is named", CHAT, unknown, status=502, says=b"mystery")
    broken = answer(b"\x00\x01", headers=(*JSON, (b"content-encoding", b"gzip")))
    yield asks("G11 what is not coded as it says", CHAT, broken, status=502)


def _g12() -> Iterator[Case]:
    words: tuple[tuple[bytes, Headers, bytes], ...] = (
        (b"404 page not found\n", TEXT, b"404 page not found"),
        (b"no healthy upstream", TEXT, b"no healthy upstream"),
        (b'{"errors":[{"message":"not that"}]}', JSON, b"not that"),
        (b'{"msg":"not this"}', JSON, b"not this"),
        (b'{"error":null,"message":"nor this"}', JSON, b"nor this"),
        (b'"bare words"', JSON, b"bare words"),
    )
    for said, fields, shown in words:
        for dialogue in (CHAT, ANTHROPIC, GEMINI):
            name = f"G12 {shown.decode()}"
            yield asks(name, dialogue, answer(said, status=404, headers=fields), status=404, says=shown)
    hidden = answer(b"bad key sk-upstream-key", status=400, headers=TEXT)
    yield asks("G12 a text that repeats the key", CHAT, hidden, status=400, says=b"bad key")


def _n1() -> Iterator[Case]:
    for dialogue in DIALOGUES:
        yield asks("N1 no key", dialogue, None, keyed=True, status=401, says=b"API key")
        wrong = key(b"authorization", "Bearer gw-wrong-key-0123456789")
        yield asks("N1 a wrong key", dialogue, None, headers=wrong, keyed=True, status=401, says=b"API key")
        for status in (401, 402, 403):
            refused = answer(ERROR, status=status)
            yield asks(f"N1 a vendor's {status} is a 424", dialogue, refused, status=424, says=b"p#1")
        yield asks("N1 a page", dialogue, answer(PAGE, headers=HTML), status=502)
        yield asks("N1 a page under JSON's name", dialogue, answer(PAGE), streamed=True, status=502)
    yield asks("N1 a redirect", CHAT, answer(b"", status=307, headers=((b"location", b"https://x.example/"),)))
    refused = answer(ERROR, status=401)
    yield Case("N1 an MCP server's 401", "POST", "/mcp/web_reader/mcp", VISION, MCP, refused, status=424)


def _n10() -> Iterator[Case]:
    for dialogue in DIALOGUES:
        for status in (500, 503, 529):
            yield asks(f"N10 {status} may pass", dialogue, answer(ERROR, status=status))
    for value in (b"true", b"false"):
        fields = (*JSON, (b"x-should-retry", value))
        reply = answer(ERROR, status=529, headers=fields)
        yield asks(f"N10 the vendor's own advice, {value.decode()}", ANTHROPIC, reply, status=529)
    wait = answer(ERROR, status=429, headers=(*JSON, (b"retry-after", b"86400")))
    yield asks("N10 a wait of a day is told whole", ANTHROPIC, wait, status=429)
    yield asks("N10 a page under 502", CHAT, answer(PAGE, status=502, headers=HTML), status=502)


def _n2() -> Iterator[Case]:
    reply = answer(CHAT_ANSWER, headers=(*JSON, (b"x-request-id", b"req_vendor")))
    yield asks("N2 a trace goes up, and both ids come down", CHAT, reply, headers=TRACE)
    reply = answer(ANTHROPIC.answer, headers=(*JSON, (b"request-id", b"req_vendor")))
    yield asks("N2 a trace goes up, and both ids come down", ANTHROPIC, reply, headers=TRACE, status=200)


def _n6() -> Iterator[Case]:
    for dialogue, paths in (
        (CHAT, ("/chat/completions", "/openai/v1/chat/completions", "/openai/chat/completions")),
        (CHAT, ("/v1beta/openai/chat/completions", "/v1/v1/chat/completions")),
        (RESPONSES, ("/responses", "/openai/v1/responses")),
        (ANTHROPIC, ("/messages", "/anthropic/v1/messages")),
        (GEMINI, (f"/gemini/v1beta/models/{MODEL}:generateContent",)),
    ):
        for path in paths:
            yield asks(f"N6 {path}", dialogue, answer(dialogue.answer), path=path, status=200)
    shown = key(b"api-key", CLIENT_KEY)
    yield asks("N6 api-key is a key", CHAT, answer(CHAT.answer), headers=shown, keyed=True, status=200)
    yield asks("N6 a wrong api-key", CHAT, None, headers=key(b"api-key", "nobody"), keyed=True, status=401)


def _g19() -> Iterator[Case]:
    google: Headers = ((b"x-goog-api-key", CLIENT_KEY.encode()),)
    claude: Headers = ((b"anthropic-version", b"2023-06-01"),)
    for target in ("/v1/files", "/v1/interactions", "/v1/batches/x", "/upload/v1/files"):
        yield Case(f"G19 Google's {target}", "GET", target, headers=google, says=b'"UNIMPLEMENTED"')
    for target in ("/v1/skills", "/v1/files", "/v1/sessions/x"):
        yield Case(f"G19 Anthropic's {target}", "GET", target, headers=claude, says=b'"type":"error"')
    for target in ("/v1/files", "/v1/vector_stores/x", "/v1/conversations"):
        yield Case(f"G19 OpenAI's {target}", "GET", target, headers=(), status=501)
    wrong: Headers = ((b"x-goog-api-key", b"nobody"),)
    yield Case("G19 Google's wrong key", "GET", "/v1/files", headers=wrong, keyed=True, says=b'"UNAUTHENTICATED"')
    wrong = (*claude, (b"x-api-key", b"nobody"))
    yield Case("G19 Anthropic's wrong key", "GET", "/v1/skills", headers=wrong, keyed=True, status=401)


def _g20() -> Iterator[Case]:
    batch = answer(b'{"name":"batches/1"}')
    for method in ("batchGenerateContent", "asyncBatchEmbedContent"):
        target = f"/v1/models/{MODEL}:{method}"
        yield Case(f"G20 {method} passes", "POST", target, b"{}", answer=batch, status=200, says=b"batches/1")


def _first_contact() -> Iterator[Case]:
    yield Case("N7 a page for browsers", "GET", "/", headers=((b"accept", b"text/html"),), status=200, says=b"<")
    yield Case("N7 lines for others", "GET", "/", headers=((b"accept", b"*/*"),), status=200, says=b"agcore")
    yield Case("N7 only its head", "HEAD", "/", headers=(), status=200)
    yield Case("N7 nothing without a key where all needs one", "GET", "/", headers=(), keyed=True, status=401)


def _admin() -> Iterator[Case]:
    reset, everything = "/admin/api/reset", b'{"all":true}'
    yield Case("S5 nothing to reset", "POST", reset, everything, status=200, says=b'{"reset":[]}')
    yield Case("S5 a key that is none", "POST", reset, b'{"key":"q#1"}')
    yield Case("S5 no method of it", "GET", reset, headers=(), status=405)
    yield Case("S5 a form of a page", "POST", reset, everything, TEXT, status=415)
    forwarded: Headers = ((b"x-forwarded-for", b"127.0.0.1"),)
    origin: Headers = ((b"origin", b"https://evil.example"),)
    site: Headers = ((b"sec-fetch-site", b"cross-site"),)
    for name, fields in (("forwarded", forwarded), ("from an origin", origin), ("across sites", site)):
        yield Case(f"S5 status {name}", "GET", "/admin/api/status", headers=fields, status=403)
        yield Case(f"S5 reset {name}", "POST", reset, everything, (*JSON, *fields), status=403)
    yield Case("S5 status from elsewhere", "GET", "/admin/api/status", headers=(), peer="192.0.2.7", status=403)
    yield Case("S5 reset without the admin key", "POST", reset, everything, keyed=True, status=401)
    shown = key(b"authorization", f"Bearer {CLIENT_KEY}")
    yield Case("S5 reset with a client's key", "POST", reset, everything, shown, keyed=True, status=403)
    shown = key(b"authorization", f"Bearer {ADMIN_KEY}")
    yield Case("S5 reset with the admin key", "POST", reset, everything, shown, keyed=True, status=200)


MANNERS = (
    *(*_g1(), *_g6(), *_g9(), *_g10(), *_g11(), *_g12(), *_g19(), *_g20()),
    *(*_n1(), *_n10(), *_n2(), *_n6(), *_first_contact(), *_admin()),
)

_SOUND = b"RIFF" * 9
MANNERS_PASSING = (
    Case(
        "G11 sound that is coded",
        "POST",
        "/v1/audio/speech",
        b'{"model":"m-1","input":"x","voice":"v"}',
        answer=coded("gzip", _SOUND, headers=((b"content-type", b"audio/wav"),)),
        says=_SOUND,
    ),
    Case(
        "G11 sound in an unknown coding",
        "POST",
        "/v1/audio/speech",
        b'{"model":"m-1","input":"x","voice":"v"}',
        answer=answer(_SOUND, headers=((b"content-type", b"audio/wav"), (b"content-encoding", b"mystery"))),
        says=_SOUND,
    ),
    Case(
        "G11 an MCP answer that is coded",
        "POST",
        "/mcp/web_reader/mcp",
        VISION,
        MCP,
        answer=coded("gzip", b'{"jsonrpc":"2.0","id":1,"result":{}}'),
        says=b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ),
)
"""Exchanges whose bytes pass by; see `cases.PASSING`."""
