"""The scenarios of docs/routing.md, played in simulated time."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from agcore import Gateway
from agcore.config.values import ModelRule
from agcore_sim.clients import request
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, SECRET, Story
from agcore_sim.upstreams import Script
from agcore_sim.world import World
from tests.support.dialogues import config, provider

PAGE = Path(__file__).resolve().parents[2] / "docs" / "routing.md"
SCENARIO = re.compile(r"^```scenario\n(.*?)\n\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASKED = re.compile(r"asked at (\d+) s(, streamed)?$")
ACTS = {act.value: act for act in Act} | {"a stream that begins with an error": Act.ERROR_EVENT}
SCENARIOS = SCENARIO.findall(PAGE.read_text("utf-8"))


@pytest.mark.parametrize(("script", "told"), SCENARIOS)
def test_a_scenario_goes_as_the_page_tells(script: str, told: str) -> None:
    world = play(script)
    lines: list[str] = []
    for line in told.splitlines():
        asked = ASKED.match(line)
        if asked is None:
            continue
        before = len(world.upstreams.served)
        story = world.ask(request(ANTHROPIC, "m", stream=bool(asked[2])), at=EPOCH + int(asked[1]))
        lines.append(line)
        for each in world.upstreams.served[before:]:
            act = each.act.value.partition(", or ")[0]
            lines.append(f"  {each.key}  {act}")
        lines.append(f"  {outcome(story, len(world.upstreams.served) - before)}")
    assert "\n".join(lines) + "\n" == told


def test_the_page_has_its_scenarios() -> None:
    assert len(SCENARIOS) >= 7


def play(script: str) -> World[Script]:
    acts = {}
    for line in script.splitlines():
        key, _, listed = line.partition(": ")
        acts[key] = [ACTS[each] for each in re.split(r", (?!or )", listed)]
    names = dict.fromkeys(key.partition("#")[0] for key in acts)
    providers = tuple(
        provider(
            ANTHROPIC if name == "anthropic" else CHAT, name=name, keys=tuple(k for k in acts if k.startswith(name))
        )
        for name in names
    )
    chain = ModelRule("m", tuple(((name, "up-anthropic" if name == "anthropic" else "up-openai"),) for name in names))
    setup = msgspec.structs.replace(config(providers=providers), models=(chain,))
    dialects = {f"{name}.example": "anthropic" if name == "anthropic" else "openai" for name in names}
    return World(Gateway(setup, secret=SECRET, now=EPOCH), Script(acts, dialects))


def outcome(story: Story, attempts: int) -> str:
    wait = story.headers.get(b"retry-after")
    text = str(story.status) + (f" retry-after {wait.decode()}" if wait is not None else "")
    if story.status == 200 and story.row["outcome"] == "error":
        text += " and an error in the stream"
    return text + f", {attempts or 'no'} attempt{'s' if attempts > 1 else ''}"
