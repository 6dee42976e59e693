"""Strict vendors hold to their rules: each one fires, and a request that breaks none is answered by the script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from agcore.demo.wire import Wire
from tests.support.vendors.emulator import Emulator
from tests.support.vendors.rule import Rule, Sent, broken
from tests.support.vendors.table import BY_NAME, TAKEN, VENDORS

DOORS = [(vendor.name, door, rules) for vendor in VENDORS for door, rules in vendor.doors.items()]
RULES = [(name, door, rule) for name, door, rules in DOORS for rule in rules]
PATHS = {
    Wire.CHAT: "/v1/chat/completions",
    Wire.RESPONSES: "/v1/responses",
    Wire.MESSAGES: "/anthropic/v1/messages",
    Wire.GEMINI: "/v1beta/models/gemini-3-pro-preview:generateContent",
}


@pytest.fixture(scope="module", params=BY_NAME)
def vendor(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(BY_NAME[request.param]) as emulator:
        yield emulator


def posted(emulator: Emulator, door: Wire, body: dict[str, Any]) -> tuple[int, str]:
    """Status and body of an answer."""
    url = f"http://127.0.0.1:{emulator.upstream.port}{PATHS[door]}"
    request = Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(("name", "door", "rule"), RULES, ids=[f"{name}-{rule.id}" for name, _, rule in RULES])
def test_every_rule_fires_on_a_request_that_breaks_it(name: str, door: Wire, rule: Rule) -> None:
    rules = BY_NAME[name].doors[door]
    sent = Sent({**TAKEN[door], **rule.bad})
    assert rule.breaks(sent)
    assert broken(rules[: rules.index(rule)], sent) is None, "an earlier rule refuses it for another reason"
    assert rule.source
    assert rule.words


@pytest.mark.parametrize(("name", "door", "rules"), DOORS, ids=[f"{name}-{door.name}" for name, door, _ in DOORS])
def test_a_request_that_breaks_no_rule_is_let_through(name: str, door: Wire, rules: tuple[Rule, ...]) -> None:
    assert broken(rules, Sent(TAKEN[door])) is None
    assert len({rule.id for rule in rules}) == len(rules)


def test_a_vendor_refuses_in_its_own_words_and_answers_the_rest(vendor: Emulator) -> None:
    for door, rules in vendor.vendor.doors.items():
        for rule in rules:
            status, text = posted(vendor, door, {**TAKEN[door], **rule.bad})
            assert status == rule.status
            assert json.loads(text)["error"]["message"] == rule.words
        assert posted(vendor, door, TAKEN[door])[0] == 200


@pytest.mark.parametrize("door", list(TAKEN))
def test_a_vendor_calls_what_reads_the_note_and_then_tells_what_it_says(door: Wire) -> None:
    emulators = [vendor for vendor in VENDORS if door in vendor.doors and vendor.calls]
    tool = {"name": "Bash", "description": "run", "parameters": {"type": "object", "properties": {}}}
    tools = {
        Wire.CHAT: [{"type": "function", "function": tool}],
        Wire.RESPONSES: [{"type": "function", **tool}],
        Wire.MESSAGES: [{"name": "Bash", "input_schema": {"type": "object"}}],
        Wire.GEMINI: [{"functionDeclarations": [{"name": "Bash"}]}],
    }[door]
    more = {"reasoning_effort": "none"} if door is Wire.CHAT else {}
    with Emulator(emulators[0]) as emulator:
        status, text = posted(emulator, door, {**TAKEN[door], **more, "tools": tools})
        assert (status, "cat note.txt" in text) == (200, True), text
        told = json.loads(json.dumps({**TAKEN[door], **more, "tools": tools}).replace('"a"', '"NONCE-0123abcd"'))
        assert "It says NONCE-0123abcd." in posted(emulator, door, told)[1]
        assert emulator.steps == ["call Bash", "text"]
