"""The admin API: who may use it, what it tells, and that a key is used again once it was reset."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Gateway, Headers, Peer
from agcore.config.values import ClientKey, Config, Proxy, Secret
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, Story, gateway
from tests.support.dialogues import config, provider

ADMIN = "sk-admin-0123456789abcdef"
CLIENT = "sk-client-0123456789abcde"
BOSS = "sk-boss-0123456789abcdef0"
KEYS = ("sk-first-0123456789abcdef", "sk-second-0123456789abcdef")
LIMITED = ((b"retry-after", b"3600"),)
ELSEWHERE = Peer("192.0.2.7")
HERE = Peer("127.0.0.1")


def served(*, admin_key: str = "", boss: bool = False, auth_mode: str = "auto", keys: tuple[str, ...] = KEYS) -> Config:
    clients = [ClientKey("bob", Secret(CLIENT), rpm=10, tpm=1000, concurrency=2)]
    if boss:
        clients.append(ClientKey("boss", Secret(BOSS), admin=True))
    proxy = Proxy(auth_mode=auth_mode, keys=tuple(clients), admin_key=Secret(admin_key) if admin_key else None)
    return msgspec.structs.replace(config(providers=(provider(CHAT, name="one", keys=keys),)), proxy=proxy)


def asked(
    machine: Gateway,
    path: str = "/admin/api/status",
    *,
    method: str = "GET",
    body: object = None,
    peer: Peer = HERE,
    headers: Headers = ((b"host", b"127.0.0.1:8045"),),
    at: float = 0.0,
) -> Story:
    story = Story(machine, peer=peer)
    story.now = EPOCH + at
    data = b"" if body is None else json.dumps(body).encode()
    host = next(value for name, value in headers if name == b"host")
    others = tuple(field for field in headers if field[0] != b"host")
    story.open(method, path, headers=(*others, *(JSON if data else ())), body=data, host=host)
    return story


def reset(machine: Gateway, body: object, *, at: float = 0.0) -> Any:
    return json.loads(asked(machine, "/admin/api/reset", method="POST", body=body, at=at).body)


def chat(machine: Gateway, *, at: float = 0.0) -> Story:
    story = Story(machine)
    story.now = EPOCH + at
    story.open("POST", "/v1/chat/completions", body=b'{"model": "one/m", "messages": []}')
    return story


def limit(machine: Gateway) -> None:
    """Uses all keys up."""
    story = chat(machine)
    while not story.finished:
        story.upstream_answers(429, b'{"error": {"message": "slow down"}}', headers=LIMITED)


def key(value: str) -> Headers:
    return ((b"host", b"gateway.corp"), (b"authorization", b"Bearer " + value.encode()))


class TestWhoMayComeIn:
    @pytest.mark.parametrize("auth_mode", ["off", "auto", "strict", "all_except_health"])
    def test_this_machine_may_without_a_key_where_none_is_for_admins(self, auth_mode: str) -> None:
        machine = gateway(served(auth_mode=auth_mode))
        assert asked(machine).status == 200
        assert asked(machine, peer=Peer("::1")).status == 200

    @pytest.mark.parametrize("auth_mode", ["off", "auto", "strict"])
    def test_nobody_else_may(self, auth_mode: str) -> None:
        machine = gateway(served(auth_mode=auth_mode))
        forwarded = ((b"host", b"127.0.0.1"), (b"x-forwarded-for", b"127.0.0.1"))
        for story in (
            asked(machine, peer=ELSEWHERE),
            asked(machine, peer=Peer(None)),
            asked(machine, headers=forwarded),
            asked(machine, peer=ELSEWHERE, headers=key("sk-any-other-0123456789")),
        ):
            assert story.status == 403
            assert b"the admin API is for the gateway's own machine, until proxy.admin_key is set" in story.body
        story = asked(machine, peer=ELSEWHERE, headers=key(CLIENT))
        assert story.status == 403
        assert b"the API key 'bob' does not open the admin API" in story.body

    @pytest.mark.parametrize(
        "headers",
        [
            ((b"host", b"evil.example"),),
            ((b"host", b"127.0.0.1"), (b"origin", b"https://evil.example")),
            ((b"host", b"127.0.0.1"), (b"sec-fetch-site", b"cross-site")),
        ],
        ids=["rebinding", "foreign origin", "cross-site"],
    )
    def test_no_web_page_may(self, headers: Headers) -> None:
        machine = gateway(served())
        assert asked(machine, headers=headers).status == 403
        assert asked(machine, "/admin/api/reset", method="POST", body={"all": True}, headers=headers).status == 403

    def test_a_form_of_a_web_page_may_not(self) -> None:
        story = Story(gateway(served()))
        story.open("POST", "/admin/api/reset", headers=((b"content-type", b"text/plain"),), body=b'{"all": true}')
        assert story.status == 415

    def test_a_client_key_on_this_machine_takes_nothing_away(self) -> None:
        assert (
            asked(gateway(served()), headers=((b"host", b"localhost"), (b"x-api-key", CLIENT.encode()))).status == 200
        )

    @pytest.mark.parametrize("peer", [HERE, ELSEWHERE], ids=["from here", "from elsewhere"])
    def test_with_an_admin_key_everybody_needs_it(self, peer: Peer) -> None:
        machine = gateway(served(admin_key=ADMIN, boss=True))
        assert asked(machine, peer=peer, headers=key(ADMIN)).status == 200
        assert asked(machine, peer=peer, headers=key(BOSS)).status == 200
        nobody = asked(machine, peer=peer)
        assert (nobody.status, nobody.headers[b"www-authenticate"]) == (401, b"Bearer")
        assert b"the admin API needs the API key of proxy.admin_key" in nobody.body
        assert asked(machine, peer=peer, headers=key("sk-any-other-0123456789")).status == 401
        assert asked(machine, peer=peer, headers=key(CLIENT)).status == 403
        twice = (*key(ADMIN), (b"authorization", b"Bearer x"))
        assert asked(machine, peer=peer, headers=twice).status == 400

    def test_a_key_for_admins_opens_it_from_anywhere_and_is_a_client_key_as_well(self) -> None:
        machine = gateway(served(boss=True))
        assert asked(machine, peer=ELSEWHERE, headers=key(BOSS)).status == 200
        assert asked(machine, peer=ELSEWHERE).status == 401
        assert asked(machine, "/v1/models/one/m", peer=ELSEWHERE, headers=key(BOSS)).status == 200
        assert asked(machine, peer=HERE).status == 200

    def test_the_admin_key_is_no_client_key(self) -> None:
        machine = gateway(served(admin_key=ADMIN, auth_mode="strict"))
        assert asked(machine, "/v1/models/one/m", headers=key(ADMIN)).status == 401

    def test_an_unknown_path_below_admin_is_guarded_as_well(self) -> None:
        machine = gateway(served())
        assert asked(machine, "/admin/api/nothing", peer=ELSEWHERE).status == 403
        assert asked(machine, "/admin/api/nothing").status == 404
        assert asked(machine, "/administration", peer=ELSEWHERE, headers=key(CLIENT)).status == 404


class TestStatus:
    def test_it_tells_of_keys_of_clients_and_of_what_is_under_way(self) -> None:
        machine = gateway(served())
        waiting = chat(machine)
        told = json.loads(asked(machine, at=5).body)
        assert (told["requests"], told["draining"], told["uptime"]) == (1, False, 5)
        assert [(each["key"], each["state"], each["requests"]) for each in told["keys"]] == [
            ("one#1", "ready", 1),
            ("one#2", "ready", 0),
        ]
        assert told["clients"] == [
            {
                "name": "bob",
                "rpm": 10,
                "tpm": 1000,
                "concurrency": 2,
                "requests_left": 10,
                "tokens_left": 1000,
                "requests": 0,
            }
        ]
        assert told["state"] == {"url": "memory:", "file": ""}
        waiting.upstream_answers(200, CHAT.answer)
        assert json.loads(asked(machine).body)["requests"] == 0

    def test_a_key_that_is_left_alone_says_until_when_and_why(self) -> None:
        machine = gateway(served(), attempts=2)
        limit(machine)
        (first, _) = json.loads(asked(machine, at=60).body)["keys"]
        assert first["state"] == "limited for models"
        (cooldown,) = first["cooldowns"]
        assert cooldown["model"] == "m"
        assert (cooldown["kind"], cooldown["until_seconds"]) == ("rate limit", 3540)
        assert "slow down" in cooldown["reason"]
        assert cooldown["since"] < cooldown["until"]
        assert cooldown["until"].endswith("Z")
        for secret in KEYS:
            assert secret.encode() not in asked(machine).body

    def test_a_refused_key_a_dead_provider_and_a_lack_of_keys_are_told_apart(self) -> None:
        machine = gateway(served(keys=KEYS[:1]))
        chat(machine).upstream_answers(401, b"{}")
        assert json.loads(asked(machine).body)["keys"][0]["state"] == "refused"
        machine = gateway(served(keys=KEYS[:1]))
        chat(machine).wait(10)
        assert json.loads(asked(machine, at=10).body)["keys"][0]["state"] == "cooling"
        lacking = provider(CHAT, name="one", keys=())
        lacking = msgspec.structs.replace(
            lacking,
            endpoints={name: msgspec.structs.replace(each, auth="bearer") for name, each in lacking.endpoints.items()},
        )
        machine = gateway(msgspec.structs.replace(served(), providers=(lacking,)))
        assert json.loads(asked(machine).body)["keys"][0]["state"] == "no key"

    def test_what_a_client_key_has_used_and_when_it_expires_is_told(self) -> None:
        old = ClientKey("old", Secret(BOSS), expires=EPOCH + 60)
        base = served()
        machine = gateway(
            msgspec.structs.replace(base, proxy=msgspec.structs.replace(base.proxy, keys=(*base.proxy.keys, old)))
        )
        story = Story(machine)
        headers = (*JSON, (b"x-api-key", CLIENT.encode()))
        story.open("POST", "/v1/chat/completions", headers=headers, body=b'{"model": "one/m", "messages": []}')
        bob, other = json.loads(asked(machine).body)["clients"]
        assert (bob["requests_left"], bob["requests"]) == (9, 1)
        assert other == {"name": "old", "expires": "2026-09-21T14:14:20Z", "expired": False}
        assert json.loads(asked(machine, at=60).body)["clients"][1]["expired"] is True


class TestReset:
    def test_after_a_limit_of_an_hour_a_reset_key_is_used_at_once(self) -> None:
        machine = gateway(served(), attempts=2)
        limit(machine)
        refused = chat(machine, at=60)
        assert refused.status == 429
        assert b"every key that could answer is limited until 15:13 UTC (in 59 min)" in refused.body
        assert reset(machine, {"key": "one#2"}, at=61) == {"reset": ["one#2"]}
        story = chat(machine, at=62)
        story.upstream_answers(200, CHAT.answer)
        assert story.status == 200
        assert reset(machine, {"all": True}, at=63) == {"reset": ["one#1"]}
        assert reset(machine, {"all": True}, at=64) == {"reset": []}

    def test_a_provider_stands_for_all_of_its_keys(self) -> None:
        machine = gateway(served(), attempts=2)
        limit(machine)
        assert reset(machine, {"key": "one"}) == {"reset": ["one#1", "one#2"]}

    def test_what_is_said_of_a_provider_is_forgotten_with_any_of_its_keys(self) -> None:
        machine = gateway(served(keys=KEYS[:1]))
        chat(machine).wait(10)
        assert reset(machine, {"key": "one#1"}, at=10) == {"reset": ["one#1"]}
        assert json.loads(asked(machine, at=10).body)["keys"][0]["cooldowns"] == []

    def test_what_is_forgotten_is_no_longer_kept_for_a_restart(self) -> None:
        machine = gateway(served(keys=KEYS[:1]))
        limit(machine)
        assert b"slow down" in (machine.unsaved_state(now=EPOCH) or b"")
        reset(machine, {"all": True}, at=1)
        assert b"slow down" not in (machine.unsaved_state(now=EPOCH + 1) or b"slow down")

    @pytest.mark.parametrize("body", [{}, {"key": 1}, {"all": False}, {"key": "one", "all": True}, {"all": "yes"}])
    def test_what_is_meant_must_be_said(self, body: object) -> None:
        told = reset(gateway(served()), body)
        assert "say which" in told["error"]["message"]

    def test_a_key_that_nobody_has_is_a_404_that_lists_those_there_are(self) -> None:
        story = asked(gateway(served()), "/admin/api/reset", method="POST", body={"key": "two#1"})
        assert story.status == 404
        assert b"no key is called 'two#1'; there are: one#1, one#2" in story.body
        empty = gateway(msgspec.structs.replace(served(), providers=(), models=()))
        assert b"there are: none" in asked(empty, "/admin/api/reset", method="POST", body={"key": "x"}).body


def test_what_admins_see_and_change_is_one_state() -> None:
    machine = gateway(served(), attempts=2)
    limit(machine)
    assert json.loads(asked(machine).body)["keys"][1]["state"] == "limited for models"
    assert reset(machine, {"all": True}) == {"reset": ["one#1", "one#2"]}
    assert json.loads(asked(machine).body)["keys"][1]["state"] == "ready"
