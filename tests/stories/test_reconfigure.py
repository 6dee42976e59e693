"""A gateway whose configuration is replaced while it runs, and the state that outlives it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agcore import (
    Emit,
    Gateway,
    LogRow,
    RequestData,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamHead,
    log_row,
)
from agcore.config.diff import changes
from agcore.config.parser import parse
from agcore.config.values import Config, Limits, McpServer, ModelRule, Pool, Provider, Proxy, Retry, Secret, Timeouts
from agcore.protocol.events import Warned
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, SECRET, Story
from tests.support import dialogues
from tests.support.dialogues import CLIENT_KEY, asked, provider, with_client_key

OTHER = msgspec.structs.replace(provider(CHAT), name="other", models=("elsewhere",))


def config(**more: Any) -> Config:
    """Five providers, each with one key that is tried once."""
    return msgspec.structs.replace(dialogues.config(**more), retry=Retry(attempts=1))


def gateway(config: Config) -> Gateway:
    return Gateway(config, secret=SECRET, now=EPOCH)


def reload(machine: Gateway, new: Config, **more: Any) -> LogRow:
    (effect,) = machine.reconfigure(new, now=EPOCH, **more)
    assert isinstance(effect, Emit)
    row = log_row(effect.event)
    assert row is not None
    return row


def look_up(machine: Gateway, model: str, key: str = "") -> int:
    """The status that a client gets who asks about a model."""
    story = Story(machine)
    story.open("GET", f"/v1/models/{model}", headers=((b"x-api-key", key.encode()),) if key else ())
    return story.status


def test_new_requests_see_the_new_models_and_running_ones_end_as_they_began() -> None:
    machine = gateway(config(timeouts=Timeouts(first_byte=100)))
    running = asked(CHAT, stream=False, story=Story(machine))
    running.tell(UpstreamConnected(1, reused=False))
    assert (look_up(machine, "up-openai"), look_up(machine, "elsewhere")) == (200, 404)
    assert reload(machine, config(providers=(OTHER,), timeouts=Timeouts(first_byte=1))).kind == "reload"
    assert (look_up(machine, "up-openai"), look_up(machine, "elsewhere")) == (404, 200)
    gone = Story(machine)
    gone.open("POST", CHAT.path, body=CHAT.request(CHAT.model, stream=False))
    assert (gone.status, gone.requests) == (404, {})
    assert running.wait(50) == []
    running.tell(UpstreamHead(1, 200, JSON))
    running.tell(UpstreamData(1, CHAT.answer))
    running.tell(UpstreamEnd(1))
    assert (running.status, running.body) == (200, CHAT.answer)


def test_client_keys_come_and_go_at_once() -> None:
    old = config(proxy=msgspec.structs.replace(with_client_key(), auth_mode="strict"))
    machine = gateway(old)
    assert (look_up(machine, "up-openai", CLIENT_KEY), look_up(machine, "up-openai", "sk-2")) == (200, 401)
    new = msgspec.structs.replace(
        old,
        proxy=msgspec.structs.replace(
            old.proxy, keys=(msgspec.structs.replace(old.proxy.keys[0], key=Secret("sk-2")),)
        ),
    )
    assert reload(machine, new).fields == {"changed": "proxy.keys.alice changed"}
    assert (look_up(machine, "up-openai", CLIENT_KEY), look_up(machine, "up-openai", "sk-2")) == (401, 200)


def test_limits_hold_for_new_requests_and_the_bound_on_memory_for_all() -> None:
    machine = gateway(config())
    reload(machine, config(limits=Limits(max_json_mb=0.001)))
    story = Story(machine)
    story.open("POST", CHAT.path, headers=(*JSON, (b"content-length", b"2000")))
    assert story.status == 413
    reload(machine, config(limits=Limits(max_buffered_mb=0.0001)))
    full = Story(machine)
    full.open("POST", CHAT.path, headers=JSON)
    full.tell(RequestData(b" " * 1000))
    assert full.status == 503
    reload(machine, config())
    asked(CHAT, stream=False, story=Story(machine))


def test_an_mcp_server_can_be_added() -> None:
    machine = gateway(config())
    story = Story(machine)
    story.open("POST", "/mcp/tools/mcp", headers=JSON)
    assert story.status == 404
    servers = parse('[mcp.tools]\nurl = "http://127.0.0.1:9/mcp"\n', secrets={}, environ={}).config.mcp
    fields = reload(machine, msgspec.structs.replace(config(), mcp=servers)).fields
    assert fields == {"changed": "mcp.tools added"}
    added = Story(machine)
    added.open("POST", "/mcp/tools/mcp", headers=JSON)
    assert not added.effects


def test_what_was_learned_lives_on() -> None:
    machine = gateway(config())
    asked(CHAT, stream=False, story=Story(machine))
    held = machine.buffered
    assert held
    reload(machine, config(providers=(OTHER,)))
    assert machine.buffered == held
    first, second = Story(machine), Story(gateway(config()))
    for story in (first, second):
        story.open("GET", "/healthz")
    assert first.headers[b"x-request-id"] != second.headers[b"x-request-id"]


def test_a_limit_that_is_used_up_stays_used_up() -> None:
    old = config(proxy=with_client_key(rpm=1))
    machine = gateway(old)
    headers = ((b"x-api-key", CLIENT_KEY.encode()), *JSON)
    for new, expected in (
        (old, 0),
        (msgspec.structs.replace(old, limits=Limits(max_headers=9)), 429),
        (config(), 401),
        (old, 0),
    ):
        reload(machine, msgspec.structs.replace(new, proxy=msgspec.structs.replace(new.proxy, auth_mode="strict")))
        story = Story(machine)
        story.open("POST", CHAT.path, headers=headers, body=CHAT.request(CHAT.model, stream=False))
        assert (story.status if story.exchange.finished else 0) == expected
        story.exchange.abandon(now=EPOCH)


def test_a_configuration_that_cannot_be_used_changes_nothing_and_says_why() -> None:
    machine = gateway(config())
    broken = Config(models=(ModelRule("fast", ((("nobody", "m"),),)),))
    refusal = reload(machine, broken)
    assert refusal.kind == "warning"
    assert str(refusal.fields["message"]).startswith("the configuration stays what it was: ")
    assert "nobody" in str(refusal.fields["message"])
    assert machine.config == config()
    assert look_up(machine, "up-openai") == 200


def test_what_only_a_restart_brings_into_effect_is_said_until_it_is_put_back() -> None:
    machine = gateway(Config())
    moved = Config(proxy=Proxy(port=1, tls_cert="c", tls_key="k", host="::1"))
    fields = reload(machine, moved).fields
    assert fields["needs_restart"] == "proxy.host, proxy.port, proxy.tls_cert, proxy.tls_key"
    still = reload(machine, msgspec.structs.replace(moved, timeouts=Timeouts(ping=1)))
    assert still.fields["changed"] == "timeouts.ping"
    assert still.fields["needs_restart"] == fields["needs_restart"]
    assert "needs_restart" not in reload(machine, Config()).fields
    assert reload(machine, moved, fixed=("proxy.port",)).fields["needs_restart"] == "proxy.port"
    assert "needs_restart" not in reload(machine, moved, fixed=()).fields


def test_the_same_configuration_again_is_no_change() -> None:
    assert reload(gateway(config()), config()).fields == {"changed": "nothing"}


def test_timeouts_of_the_way_out_are_those_in_force() -> None:
    machine = gateway(Config())
    reload(machine, Config(timeouts=Timeouts(drain=5)))
    machine.drain(now=EPOCH)
    assert machine.deadline == EPOCH + 5


def named(*names: str, key: str = "sk-secret") -> tuple[Provider, ...]:
    return tuple(Provider(name, {}, keys=(Secret(key),)) for name in names)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (Config(), Config(providers=named("a", "b")), ("providers.a added", "providers.b added")),
        (Config(providers=named("a", "b")), Config(providers=named("b")), ("providers.a removed",)),
        (Config(providers=named("a", "b")), Config(providers=named("b", "a")), ("providers reordered",)),
        (Config(providers=named("a")), Config(providers=named("a", key="sk-other")), ("providers.a changed",)),
        (Config(), Config(limits=Limits(max_headers=9, max_json_mb=1)), ("limits.max_json_mb", "limits.max_headers")),
        (Config(), Config(models=(ModelRule("m", ((("p", "m"),),)),)), ("models",)),
        (Config(), Config(capabilities={"m": {"tools": False}}), ("capabilities",)),
        (Config(), Config(proxy=with_client_key(), pool=Pool("s")), ("proxy.keys.alice added", "pool.state_file")),
        (Config(mcp=(McpServer("t"),)), Config(mcp=(McpServer("t", url="u"),)), ("mcp.t changed",)),
    ],
)
def test_changes_go_by_names_and_show_no_value(old: Config, new: Config, expected: tuple[str, ...]) -> None:
    assert changes(old, new) == expected


# The state.


def limited(machine: Gateway) -> Story:
    """The only key there is hits its limit."""
    story = asked(CHAT, stream=False, story=Story(machine))
    story.upstream_answers(429, CHAT.error_answer, headers=((b"retry-after", b"600"), *JSON))
    assert story.status == 429
    return story


def test_a_limit_outlives_the_process_and_is_given_out_once() -> None:
    machine = gateway(config())
    assert machine.unsaved_state(now=EPOCH) is None
    limited(machine)
    state = machine.unsaved_state(now=EPOCH)
    assert state is not None
    assert machine.unsaved_state(now=EPOCH) is None
    after = gateway(config())
    assert after.restore(state, now=EPOCH) == []
    assert after.unsaved_state(now=EPOCH) is None
    story = Story(after)
    story.open("POST", CHAT.path, body=CHAT.request(CHAT.model, stream=False))
    assert (story.status, story.requests) == (429, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"version":99,"cooldowns":[]}',
        b'{"version":1,"x":' + b"[" * 100_000,
    ],
)
def test_a_state_that_is_none_is_a_warning(data: bytes) -> None:
    machine = gateway(config())
    (effect,) = machine.restore(data, now=EPOCH)
    assert isinstance(effect, Emit)
    assert isinstance(effect.event, Warned)
    assert "cannot be used" in effect.event.message
    asked(CHAT, stream=False, story=Story(machine))


def test_a_reload_keeps_limits() -> None:
    machine = gateway(config())
    limited(machine)
    reload(machine, config(timeouts=Timeouts(ping=1)))
    story = Story(machine)
    story.open("POST", CHAT.path, body=CHAT.request(CHAT.model, stream=False))
    assert (story.status, story.requests) == (429, {})
