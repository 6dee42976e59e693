"""What tests of uploads, media and MCP proxies share: a configuration, forms, and what reached the upstream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agcore.config.values import Config, Endpoint, Limits, McpServer, ModelRule, Provider, Proxy, Secret, Timeouts
from agcore.protocol.effects import DropSpool, Effect, EndUpstream, ReadSpool, SendUpstream, Spool
from agcore.protocol.http import Headers, Origin, Spooled, Streamed
from agcore.protocol.inputs import FileRead, RequestData, RequestEnd, UpstreamConnected
from agcore.protocol.patches import apply
from agcore_sim.story import Story, gateway

PROVIDER_KEY: Final = "sk-media-0123456789abcdef"
MCP_KEY: Final = "mcp-key-0123456789abcdef"
MCP_AT: Final = "/mcp/remote/mcp"
FORM: Final = b"multipart/form-data; boundary=edge"
KIB: Final = 1024
MIB: Final = 1024 * KIB


def _endpoint(dialect: str, *, prefix: bytes, auth: str) -> Endpoint:
    return Endpoint(dialect, Origin("https", f"{dialect}.example", 443), prefix, auth)


def setup(*, timeouts: Timeouts | None = None, limits: Limits | None = None, proxy: Proxy | None = None) -> Config:
    """A provider of media in OpenAI's and Gemini's dialects, one that has only Messages, and MCP servers."""
    media = Provider(
        name="media",
        endpoints={
            "openai": _endpoint("openai", prefix=b"/v1", auth="bearer"),
            "gemini": _endpoint("gemini", prefix=b"", auth="x-goog-api-key"),
        },
        keys=(Secret(PROVIDER_KEY),),
        models=("up-media", "omni-moderation-latest"),
    )
    words = Provider(
        name="words",
        endpoints={"anthropic": _endpoint("anthropic", prefix=b"", auth="x-api-key")},
        keys=(Secret(PROVIDER_KEY),),
        models=("up-words",),
    )
    remote = _endpoint("mcp", prefix=b"/api/remote/mcp", auth="bearer")
    queried = _endpoint("mcp", prefix=b"/mcp?tenant=a", auth="x-api-key")
    beside = _endpoint("mcp", prefix=b"/api/remote/mcp", auth="x-api-key")
    older = _endpoint("mcp", prefix=b"/v1/sse?token=sesame&b=2", auth="bearer")
    root = _endpoint("mcp", prefix=b"/", auth="x-api-key")
    return Config(
        proxy=proxy or Proxy(),
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        providers=(media, words),
        models=(ModelRule("my-media", ((("media", "up-media"),),)),),
        mcp=(
            McpServer("remote", url="https://mcp.example/api/remote/mcp", endpoint=remote, key=Secret(MCP_KEY)),
            McpServer("queried", url="https://mcp.example/mcp?tenant=a", endpoint=queried, key=Secret(MCP_KEY)),
            McpServer("keyless", url="https://mcp.example/mcp", endpoint=remote),
            McpServer("oauth", url="https://mcp.example/api/remote/mcp", endpoint=beside, auth="client"),
            McpServer(
                "both", url="https://mcp.example/api/remote/mcp", endpoint=beside, auth="client", key=Secret(MCP_KEY)
            ),
            McpServer("root", url="https://mcp.example", endpoint=root, auth="client"),
            McpServer("older", url="https://mcp.example/v1/sse?token=sesame&b=2", endpoint=older, key=Secret(MCP_KEY)),
            McpServer("eyes", builtin="vision"),
        ),
    )


def part(name: str, value: bytes, *, file: bool = False) -> bytes:
    """One part of a form."""
    filename = b'; filename="a.bin"\r\nContent-Type: application/octet-stream' if file else b""
    return b'--edge\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), filename, value)


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--edge--\r\n"


def upload(
    *,
    length: int | None = None,
    target: str = "/v1/audio/transcriptions",
    config: Config | None = None,
    attempts: int = 1,
) -> Story:
    """A story up to the head of an upload; `length` is its `content-length`."""
    story = Story(gateway(config or setup(), attempts=attempts))
    declared: Headers = () if length is None else ((b"content-length", b"%d" % length),)
    story.open("POST", target, headers=((b"content-type", FORM), *declared))
    return story


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def feed(story: Story, pieces: Iterable[bytes], *, end: bool = True) -> Story:
    """Send a request's body as the exchange wants it, connecting its leg where that is waited for."""
    for piece in pieces:
        wait_for_connection(story)
        if story.finished:
            return story
        story.tell(RequestData(piece))
    wait_for_connection(story)
    if end and not story.finished:
        read_back(story, story.tell(RequestEnd()))
    return story


def put_aside(story: Story, spool: int = 1) -> bytes:
    """What is in a spool."""
    return b"".join(effect.data for effect in story.effects if isinstance(effect, Spool) and effect.id == spool)


def read_back(story: Story, effects: Iterable[Effect]) -> None:
    """Give the exchange what `effects` want of its spools."""
    for effect in effects:
        if isinstance(effect, ReadSpool):
            story.tell(FileRead(effect.id, put_aside(story, effect.spool)))


def wait_for_connection(story: Story) -> None:
    """Connect the newest leg if the rest of the request waits for that."""
    if not story.finished and not story.exchange.wants_request:
        story.tell(UpstreamConnected(max(story.requests), reused=False))


def sent(story: Story) -> bytes:
    """The body that the newest leg's upstream gets."""
    leg = max(story.requests)
    body = story.requests[leg].body
    if isinstance(body, Spooled):
        return apply(put_aside(story, body.id), 0, body.patches)
    if isinstance(body, Streamed):
        rest = (effect.data for effect in story.effects if isinstance(effect, SendUpstream) and effect.leg == leg)
        return body.first + b"".join(rest)
    return body


def ended(story: Story) -> int:
    """How often a streamed body was ended."""
    return sum(isinstance(effect, EndUpstream) for effect in story.effects)


def dropped(story: Story) -> list[int]:
    """The spools that were dropped."""
    return [effect.id for effect in story.effects if isinstance(effect, DropSpool)]


def length_up(story: Story) -> int | None:
    """The `content-length` of the newest leg's request; None when it is chunked."""
    fields = dict(story.requests[max(story.requests)].headers)
    if b"content-length" in fields:
        assert b"transfer-encoding" not in fields
        return int(fields[b"content-length"])
    assert fields[b"transfer-encoding"] == b"chunked"
    return None
