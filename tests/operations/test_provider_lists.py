"""The providers' own model lists: read when a client lists models, kept for a while, and never in anybody's way."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import AbortUpstream, Gateway, RequestEnd, Sent, Stage, UpstreamConnected, UpstreamFailed
from agcore.config.values import Config, Endpoint, ModelRule, Provider, Timeouts
from agcore.operations.models import PATIENCE
from agcore.operations.provider_lists import MAX_PARALLEL
from agcore.protocol.http import Headers, Origin
from agcore.state.provider_models import AFTER_DELAY, AFTER_FAILURE, FRESH, STALE
from agcore.upstream.model_list import MAX_BODY
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, Dialogue
from agcore_sim.story import EPOCH, JSON, Story, gateway
from tests.support.dialogues import CLIENT_KEY, config, provider, with_client_key
from tests.support.model_lists import anthropic_list, gemini_list, openai_list

KEYS = ("sk-first-0123456789abcdef", "sk-second-0123456789abcdef")


def open_to(dialogue: Dialogue, *models: str, name: str = "", keys: tuple[str, ...] = KEYS[:1]) -> Provider:
    return msgspec.structs.replace(provider(dialogue, name=name, keys=keys), models=models or ("*",))


def setup(*providers: Provider, rules: tuple[ModelRule, ...] = (), **more: Any) -> Config:
    return msgspec.structs.replace(config(providers=providers, **more), models=rules)


def listing(machine: Gateway, at: float = 0.0, *, target: str = "/v1/models", headers: Headers = ()) -> Story:
    """A list that is asked for `at` seconds after the gateway began."""
    story = Story(machine)
    story.now = EPOCH + at
    story.open("GET", target, headers=headers, body=b"")
    return story


def value(story: Story) -> Any:
    return json.loads(story.body)


def ids(story: Story) -> list[str]:
    return [entry["id"] for entry in value(story)["data"]]


# What is listed.


def test_a_list_has_what_the_providers_list_and_their_globs_match() -> None:
    machine = gateway(
        setup(open_to(CHAT, "gpt-mine-*", "o9"), open_to(ANTHROPIC, "claude-mine-*"), open_to(GEMINI, "mine-*"))
    )
    story = listing(machine)
    assert [(each.method, each.target) for each in story.requests.values()] == [
        ("GET", b"/v1/models"),
        ("GET", b"/v1/models?limit=1000"),
        ("GET", b"/v1beta/models?pageSize=1000"),
    ]
    assert dict(story.requests[2].headers)[b"anthropic-version"] == b"2023-06-01"
    story.upstream_answers(200, anthropic_list("claude-mine-1", "other"), leg=2)
    story.upstream_answers(200, gemini_list("mine-1", "mine-2"), leg=3)
    assert not story.finished
    story.upstream_answers(200, openai_list("gpt-mine-1", "o9", "whisper-9"), leg=1)
    assert ids(story) == ["o9", "gpt-mine-1", "claude-mine-1", "mine-1", "mine-2"]
    assert [entry["owned_by"] for entry in value(story)["data"]] == [
        "openai",
        "openai",
        "anthropic",
        "gemini",
        "gemini",
    ]


@pytest.mark.parametrize(
    ("target", "headers", "member", "name"),
    [
        ("/v1/models", (), "data", "id"),
        ("/v1/models", ((b"anthropic-version", b"2023-06-01"),), "data", "id"),
        ("/v1/models/claude", (), "data", "id"),
        ("/v1beta/models", (), "models", "name"),
        ("/v1/models?client_version=0.144.0", (), "models", "slug"),
    ],
)
def test_every_shape_of_the_list_has_it(target: str, headers: Headers, member: str, name: str) -> None:
    story = listing(gateway(setup(open_to(CHAT))), target=target, headers=headers)
    story.upstream_answers(200, openai_list("llama"))
    assert [entry[name].removeprefix("models/") for entry in value(story)[member]] == ["llama"]


def test_a_name_that_leads_elsewhere_is_listed_with_its_provider_in_front() -> None:
    machine = gateway(setup(open_to(CHAT, name="one"), open_to(CHAT, name="two")))
    story = listing(machine)
    story.upstream_answers(200, openai_list("shared", "mine"), leg=1)
    story.upstream_answers(200, openai_list("shared", "one/shared"), leg=2)
    assert ids(story) == ["shared", "mine", "two/shared", "two/one/shared"]


def test_what_models_rules_send_elsewhere_even_so_is_left_out() -> None:
    rules = (
        ModelRule("taken", ((("one", "else"),),)),
        ModelRule("one/*", ((("one", "else"),),)),
        ModelRule("tried-*", ((("two", "x"),), (("one", "*"),))),
    )
    story = listing(gateway(setup(open_to(CHAT, name="one"), open_to(CHAT, "x", name="two"), rules=rules)))
    story.upstream_answers(200, openai_list("taken", "free", "tried-2nd"))
    assert ids(story) == ["taken", "x", "free", "tried-2nd"]


def test_a_client_key_sees_only_what_it_may_use() -> None:
    machine = gateway(setup(open_to(CHAT), proxy=with_client_key(models=("llama-*",))))
    story = listing(machine, headers=((b"x-api-key", CLIENT_KEY.encode()),))
    story.upstream_answers(200, openai_list("llama-1", "qwen"))
    assert ids(story) == ["llama-1"]


def test_clients_of_a_dialect_see_what_their_own_rules_lead_to() -> None:
    rules = (ModelRule("llama-*", ((("one", "else"),),), "anthropic"),)
    machine = gateway(setup(open_to(CHAT, "llama-*", name="one"), rules=rules))
    story = listing(machine, target="/v1/models/claude")
    story.upstream_answers(200, openai_list("llama-1"))
    assert ids(story) == ["one/llama-1"]
    assert ids(listing(machine)) == ["llama-1"]


def test_a_list_that_changed_replaces_the_old_one() -> None:
    machine = gateway(setup(open_to(CHAT)))
    listing(machine).upstream_answers(200, openai_list("old", "both"))
    story = listing(machine, FRESH)
    story.upstream_answers(200, openai_list("both", "new"))
    assert ids(story) == ids(listing(machine, FRESH + 1)) == ["both", "new"]


# Who is asked, and when.


def test_without_a_glob_or_a_key_nobody_is_asked() -> None:
    story = listing(gateway(setup(open_to(CHAT, "just-this"), open_to(ANTHROPIC, keys=()))))
    assert (story.requests, ids(story)) == ({}, ["just-this"])


def test_a_provider_that_needs_no_key_is_asked() -> None:
    endpoint = Endpoint("openai", Origin("http", "127.0.0.1", 11434), b"/v1", "none")
    story = listing(gateway(setup(Provider("ollama", {"openai": endpoint}))))
    story.upstream_answers(200, openai_list("llama3:latest"))
    assert ids(story) == ["llama3:latest"]


def test_who_needs_to_ask_nobody_does_not_wait_for_the_request() -> None:
    story = Story(gateway(setup(open_to(CHAT, "just-this"))))
    story.open("GET", "/v1/models")
    assert story.finished


def test_a_list_is_asked_for_once_in_a_while() -> None:
    machine = gateway(setup(open_to(CHAT)))
    story = listing(machine)
    story.upstream_answers(200, openai_list("llama"))
    for at in (0.0, FRESH - 0.001):
        again = listing(machine, at)
        assert (again.requests, again.body) == ({}, story.body)
    assert len(listing(machine, FRESH).requests) == 1


def test_a_provider_that_failed_is_not_asked_again_at_once() -> None:
    machine = gateway(setup(open_to(CHAT)))
    story = listing(machine)
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, False, "refused"))
    assert (story.status, ids(story)) == (200, [])
    assert listing(machine, AFTER_FAILURE - 0.001).requests == {}
    assert len(listing(machine, AFTER_FAILURE).requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data":{}}', b"", b"[[", b"7"])
def test_what_is_no_list_is_a_failure(body: bytes) -> None:
    machine = gateway(setup(open_to(CHAT)))
    story = listing(machine)
    story.upstream_answers(200, body)
    assert (story.status, ids(story)) == (200, [])
    assert listing(machine, AFTER_FAILURE - 0.001).requests == {}
    assert len(listing(machine, AFTER_FAILURE).requests) == 1


def test_what_was_known_counts_on_while_it_cannot_be_read_anew() -> None:
    machine = gateway(setup(open_to(CHAT)))
    listing(machine).upstream_answers(200, openai_list("llama"))
    story = listing(machine, FRESH)
    story.upstream_answers(500, b"")
    assert ids(story) == ["llama"]
    assert ids(listing(machine, FRESH + 1)) == ["llama"]
    late = listing(machine, STALE)
    late.upstream_answers(500, b"")
    assert ids(late) == []


def test_another_key_is_tried_where_the_first_is_refused() -> None:
    machine = gateway(setup(open_to(CHAT, keys=KEYS)), attempts=2)
    story = listing(machine)
    story.upstream_answers(401, b"")
    assert [dict(each.headers)[b"authorization"].decode()[7:] for each in story.requests.values()] == [*KEYS]
    story.upstream_answers(200, openai_list("llama"))
    assert ids(story) == ["llama"]


def test_a_limit_on_lists_is_heeded() -> None:
    machine = gateway(setup(open_to(CHAT)))
    listing(machine).upstream_answers(429, b"", headers=(*JSON, (b"retry-after", b"3600")))
    story = listing(machine, AFTER_FAILURE)
    assert (story.requests, ids(story)) == ({}, [])


def test_many_providers_are_asked_a_few_at_a_time() -> None:
    many = [open_to(CHAT, name=f"p{index}") for index in range(MAX_PARALLEL + 2)]
    story = listing(gateway(setup(*many)))
    for leg in range(1, len(many) + 1):
        assert len(story.requests) == min(MAX_PARALLEL + leg - 1, len(many))
        story.upstream_answers(200, openai_list(f"m{leg}"), leg=leg)
    assert len(ids(story)) == len(many)


def test_after_a_reload_lists_of_another_address_do_not_count() -> None:
    machine = gateway(setup(open_to(CHAT)))
    listing(machine).upstream_answers(200, openai_list("llama"))
    (endpoint,) = open_to(CHAT).endpoints.values()
    moved = msgspec.structs.replace(endpoint, origin=Origin("https", "elsewhere.example", 443))
    machine.reconfigure(setup(msgspec.structs.replace(open_to(CHAT), endpoints={"openai": moved})), now=EPOCH)
    story = listing(machine, 1)
    story.upstream_answers(503, b"")
    assert (len(story.requests), ids(story)) == (1, [])


# What is slow.


def test_a_client_waits_for_two_seconds_in_all() -> None:
    machine = gateway(setup(open_to(CHAT, name="quick"), open_to(CHAT, name="slow")))
    story = listing(machine)
    story.tell(UpstreamConnected(2, reused=False))
    story.wait(1.5)
    story.upstream_answers(200, openai_list("llama"), leg=1)
    assert story.wait(0.499) == []
    effects = story.wait(0.001)
    assert (story.status, ids(story), AbortUpstream(2) in effects) == (200, ["llama"], True)
    assert story.finished
    assert listing(machine, PATIENCE + AFTER_DELAY - 0.001).requests == {}
    again = listing(machine, PATIENCE + AFTER_DELAY)
    again.upstream_answers(200, openai_list("slowly"))
    assert ids(again) == ["llama", "slow/slowly"]


def test_who_is_late_is_listed_with_what_was_known() -> None:
    machine = gateway(setup(open_to(CHAT)))
    listing(machine).upstream_answers(200, openai_list("llama"))
    story = listing(machine, FRESH)
    story.wait(PATIENCE)
    assert ids(story) == ["llama"]


def test_the_time_for_a_request_holds_for_lists() -> None:
    story = listing(gateway(setup(open_to(CHAT), timeouts=Timeouts(request=1))))
    story.wait(0.5)
    assert (story.status, ids(story)) == (200, [])


def test_a_client_that_leaves_takes_all_calls_along() -> None:
    story = listing(gateway(setup(open_to(CHAT, name="a"), open_to(CHAT, name="b"))))
    effects = story.exchange.abandon(now=story.now)
    assert [effect for effect in effects if isinstance(effect, AbortUpstream)] == [AbortUpstream(1), AbortUpstream(2)]


# What lists do not do.


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [("GET", "/v1/models/llama", b""), ("POST", "/v1/models/detect", b'{"model":"llama"}')],
)
def test_one_model_and_detection_ask_nobody(method: str, target: str, body: bytes) -> None:
    story = Story(gateway(setup(open_to(CHAT))))
    story.open(method, target, headers=JSON, body=body)
    assert (story.status, story.requests) == (200, {})


def ask(machine: Gateway, model: str) -> str:
    """The host where a conversation goes."""
    story = Story(machine)
    story.now += 1
    story.open("POST", CHAT.path, body=CHAT.request(model, stream=False))
    return story.requests[1].origin.host


def two_steps() -> Gateway:
    rules = (ModelRule("m", ((("one", "m"),), (("two", "m"),))),)
    return gateway(setup(open_to(CHAT, name="one"), open_to(CHAT, "x", name="two"), rules=rules))


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_a_key_that_may_not_list_models_serves_them_as_before(status: int) -> None:
    machine = two_steps()
    listing(machine).upstream_answers(status, b"")
    assert ask(machine, "m") == "one.example"


def test_a_key_that_turns_out_to_be_revoked_is_left_alone_by_all() -> None:
    machine = two_steps()
    listing(machine).upstream_answers(401, b"")
    assert ask(machine, "m") == "two.example"


def test_where_a_name_goes_does_not_depend_on_lists() -> None:
    machine = gateway(setup(open_to(CHAT, name="one"), open_to(CHAT, name="two")))
    story = listing(machine)
    story.upstream_answers(200, openai_list("a"), leg=1)
    story.upstream_answers(200, openai_list("b"), leg=2)
    assert ids(story) == ["a", "two/b"]
    assert ask(machine, "b") == "one.example"


def test_a_list_holds_no_memory_when_it_is_done() -> None:
    machine = gateway(setup(open_to(CHAT, name="a"), open_to(CHAT, name="b")))
    story = listing(machine)
    story.upstream_answers(200, openai_list("llama"), leg=1, end=False)
    assert machine.buffered > 0
    story.upstream_answers(200, openai_list("llama"), leg=2)
    story.upstream_breaks(leg=1)
    assert (ids(story), machine.buffered) == (["b/llama"], 0)


def test_a_list_of_absurd_length_costs_its_connection_only() -> None:
    story = listing(gateway(setup(open_to(CHAT))))
    story.upstream_answers(200, (b" " * MAX_BODY, b" "), end=False)
    assert (story.status, ids(story), story.exchange.wants(1)) == (200, [], False)


def test_nothing_of_a_list_is_held_up_by_a_request_that_is_not_complete() -> None:
    story = Story(gateway(setup(open_to(CHAT))))
    story.open("GET", "/v1/models")
    assert story.requests == {}
    story.tell(RequestEnd())
    assert len(story.requests) == 1
