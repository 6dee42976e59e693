"""What warming up tells beyond whether a key works, and what it leaves behind."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agcore import Gateway, UpstreamConnected, UpstreamData, UpstreamEnd, UpstreamHead
from agcore.config.values import Config, ModelRule
from agcore.dialects.shared.model_ids import MAX_IDS
from agcore_sim.dialogues import CHAT
from agcore_sim.story import EPOCH, JSON, Story, gateway
from tests.support.dialogues import config, provider

FIRST, SECOND = KEYS = ("sk-first-0123456789abcdef", "sk-second-0123456789abcdef")
EMPTY = b'{"data":[]}'


def warmed(machine: Gateway, at: float = 0.0) -> Story:
    story = Story(machine)
    story.now = EPOCH + at
    story.open("POST", "/internal/warmup", headers=JSON, body=b"{}")
    return story


def told(story: Story) -> list[dict[str, Any]]:
    targets: list[dict[str, Any]] = json.loads(story.body)["targets"]
    return targets


def setup(*models: str, keys: tuple[str, ...] = KEYS[:1], rules: tuple[ModelRule, ...] = ()) -> Config:
    one = msgspec.structs.replace(provider(CHAT, name="one", keys=keys), models=models or ("*",))
    return msgspec.structs.replace(config(providers=(one,)), models=rules)


def model_list(*names: str) -> bytes:
    return json.dumps({"data": [{"id": name} for name in names]}).encode()


def test_what_was_read_is_known_to_those_who_list_models() -> None:
    machine = gateway(setup())
    story = warmed(machine)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(15)  # more than anybody who lists models would wait
    for came in (UpstreamHead(1, 200, JSON), UpstreamData(1, model_list("llama", "qwen")), UpstreamEnd(1)):
        story.tell(came)
    assert told(story)[0]["models"] == 2
    listed = Story(machine)
    listed.now = story.now
    listed.open("GET", "/v1/models")
    assert [entry["id"] for entry in json.loads(listed.body)["data"]] == ["llama", "qwen"]


def test_models_that_a_line_names_and_the_provider_does_not_list_are_told() -> None:
    rules = (
        ModelRule("a", ((("one", "gone"), ("one", "there")), (("one", "*"),))),
        ModelRule("b", ((("one", "gone"),), (("one", "tagged"),)), "anthropic"),
    )
    story = warmed(gateway(setup(rules=rules)))
    story.upstream_answers(200, model_list("there", "tagged:latest"))
    assert told(story)[0]["missing"] == ["gone"]
    complete = warmed(gateway(setup(rules=rules)))
    complete.upstream_answers(200, model_list("there", "tagged", "gone"))
    assert "missing" not in told(complete)[0]


def test_of_a_list_that_was_cut_nothing_is_said_to_be_missing() -> None:
    story = warmed(gateway(setup(rules=(ModelRule("a", ((("one", "gone"),),)),))))
    story.upstream_answers(200, model_list(*(f"m{index}" for index in range(MAX_IDS + 1))))
    assert (told(story)[0]["models"], "missing" in told(story)[0]) == (MAX_IDS, False)


def test_what_is_no_list_is_told_apart() -> None:
    story = warmed(gateway(setup()))
    story.upstream_answers(200, b"<html>")
    (target,) = told(story)
    assert target["ok"] is True
    assert target["note"] == "it answered, but not with a model list: is the base URL right?"


def test_a_key_that_is_left_alone_is_told_until_it_works() -> None:
    machine = gateway(setup(keys=KEYS))
    story = warmed(machine)
    story.upstream_answers(401, json.dumps({"error": {"message": f"bad {FIRST}"}}).encode(), leg=1)
    story.upstream_answers(200, EMPTY, leg=2)
    assert ["cooling" in target for target in told(story)] == [False, False]  # as it was before
    again = warmed(machine, 10)
    again.upstream_answers(500, b"", leg=1)
    again.upstream_answers(200, EMPTY, leg=2)
    first, second = told(again)
    assert 0 < first["cooling"][0]["until_seconds"] <= 75 - 10
    assert first["cooling"][0]["reason"] == "the provider refused the gateway's credential one#1 (401): bad one#1"
    assert (first["ok"], "cooling" in second) == (False, False)
    works = warmed(machine, 20)
    for leg in (1, 2):
        works.upstream_answers(200, EMPTY, leg=leg)
    assert ["cooling" in target for target in told(works)] == [False, False]
    after = warmed(machine, 21)
    for leg in (1, 2):
        after.upstream_answers(500, b"", leg=leg)
    assert ["cooling" in target for target in told(after)] == [False, False]


def test_a_provider_that_cannot_be_reached_is_left_alone_with_all_its_keys() -> None:
    machine = gateway(setup(keys=KEYS))
    story = warmed(machine)
    story.wait(10)
    again = warmed(machine, 10)
    for leg in (1, 2):
        again.upstream_answers(500, b"", leg=leg)
    for target in told(again):
        assert 0 < target["cooling"][0]["until_seconds"] < 1
        assert target["cooling"][0]["reason"].startswith("no connection to one.example:443 within 10 s")


@pytest.mark.parametrize("status", [403, 429, 500])
def test_a_key_that_may_merely_not_list_models_is_not_left_alone(status: int) -> None:
    machine = gateway(setup())
    warmed(machine).upstream_answers(status, b"")
    again = warmed(machine)
    again.upstream_answers(status, b"")
    assert "cooling" not in told(again)[0]


def test_a_key_that_works_is_not_left_alone_any_more_for_a_model_or_as_a_whole() -> None:
    machine = gateway(setup())
    limited = Story(machine)
    limited.open("POST", "/v1/chat/completions", body=b'{"model": "one/m", "messages": []}')
    limited.upstream_answers(429, b"{}", headers=((b"retry-after", b"100"),))
    for answer in (b"<html>", EMPTY):
        story = warmed(machine, 10)
        story.upstream_answers(200, answer)
        (target,) = told(story)
        assert target["ok"] is True
        if answer == EMPTY:
            assert "cooling" not in target
        else:  # which proves nothing
            assert (target["cooling"][0]["model"], target["cooling"][0]["until_seconds"]) == ("m", 90.0)
    asked = Story(machine)
    asked.now = EPOCH + 11
    asked.open("POST", "/v1/chat/completions", body=b'{"model": "one/m", "messages": []}')
    asked.upstream_answers(200, CHAT.answer)
    assert asked.status == 200


def test_what_came_to_light_while_the_key_was_tried_is_not_forgotten() -> None:
    machine = gateway(setup())
    story = warmed(machine, 10)
    limited = Story(machine)
    limited.now = EPOCH + 11
    limited.open("POST", "/v1/chat/completions", body=b'{"model": "one/m", "messages": []}')
    limited.upstream_answers(429, b"{}", headers=((b"retry-after", b"100"),))
    story.now = EPOCH + 12
    story.upstream_answers(200, EMPTY)
    again = warmed(machine, 13)
    again.upstream_answers(200, b"<html>")
    assert told(again)[0]["cooling"][0]["model"] == "m"
