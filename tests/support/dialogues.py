"""One provider, one request and one answer for each dialect: what tests of the machine tell stories with.

Each provider is named after its dialect and serves one model, `up-DIALECT`, which `[models]` also knows by the name
`my-DIALECT`. Answers name the model as the upstream does; `NAMED` stands where it is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from agcore.codecs.globs import is_glob
from agcore.config.values import ClientKey, Config, Endpoint, Limits, ModelRule, Provider, Proxy, Secret, Timeouts
from agcore.protocol.http import Origin
from agcore.protocol.inputs import RequestData, RequestEnd, UpstreamConnected, UpstreamHead
from agcore_sim.dialogues import DIALOGUES, GEMINI_ARRAY, Dialogue
from agcore_sim.story import SSE, Story, gateway

PROVIDER_KEY: Final = "sk-upstream-0123456789abcdef"
CLIENT_KEY: Final = "gw-client-key-0123456789"


def ids(dialogue: Dialogue) -> str:
    """The name of a dialogue, for pytest."""
    return "gemini_array" if dialogue is GEMINI_ARRAY else dialogue.dialect


def provider(dialogue: Dialogue, *, name: str = "", keys: tuple[str, ...] = (PROVIDER_KEY,)) -> Provider:
    """A provider that speaks one dialect."""
    name = name or dialogue.dialect
    origin = Origin("https", f"{name.replace('_', '-')}.example", 443)
    endpoint = Endpoint(dialect=dialogue.dialect, origin=origin, prefix=dialogue.prefix, auth=dialogue.auth)
    return Provider(
        name=name,
        endpoints={dialogue.dialect: endpoint},
        keys=tuple(Secret(key) for key in keys),
        models=(f"up-{name}", f"extra-{name}-*"),
    )


def config(
    *,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    proxy: Proxy | None = None,
    providers: tuple[Provider, ...] | None = None,
) -> Config:
    """All five providers, or those given."""
    providers = tuple(provider(dialogue) for dialogue in DIALOGUES) if providers is None else providers
    return Config(
        proxy=proxy or Proxy(),
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        providers=providers,
        models=tuple(ModelRule(f"my-{each.name}", (((each.name, f"up-{each.name}"),),)) for each in providers),
    )


def with_literal_models(setup: Config) -> Config:
    """The same with providers that name all of their models, so that nobody is asked for a list of them."""
    providers = (
        msgspec.structs.replace(each, models=tuple(name for name in each.models if not is_glob(name)))
        for each in setup.providers
    )
    return msgspec.structs.replace(setup, providers=tuple(providers))


def with_client_key(**more: Any) -> Proxy:
    """A proxy that knows one client key."""
    return Proxy(keys=(ClientKey(name="alice", key=Secret(CLIENT_KEY), **more),))


def asked(
    dialogue: Dialogue,
    *,
    stream: bool,
    model: str = "",
    setup: Config | None = None,
    attempts: int = 1,
    story: Story | None = None,
) -> Story:
    """A story up to the upstream's request."""
    story = story or Story(gateway(setup or config(), attempts=attempts))
    model = model or dialogue.model
    story.open("POST", dialogue.target(model, stream=stream), body=dialogue.request(model, stream=stream))
    assert list(story.requests) == [1], story.text()
    return story


def streaming(dialogue: Dialogue, *, model: str = "", setup: Config | None = None, attempts: int = 1) -> Story:
    """A story up to the head of an event stream."""
    story = asked(dialogue, stream=True, model=model, setup=setup, attempts=attempts)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    return story


def receiving(dialogue: Dialogue, *, stream: bool = True, setup: Config | None = None) -> Story:
    """A story up to the request's head."""
    story = Story(gateway(setup or config()))
    story.open(
        "POST", dialogue.target(dialogue.model, stream=stream), headers=((b"content-type", b"application/json"),)
    )
    return story


def send(story: Story, body: bytes) -> None:
    """The request's body, in one piece."""
    story.tell(RequestData(body))
    story.tell(RequestEnd())
