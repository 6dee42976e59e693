"""Three providers with four keys, by script: what failover is shown with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agcore import Gateway, OpenUpstream
from agcore.config.values import ModelRule, Retry
from agcore_sim.clients import request
from agcore_sim.dialogues import ANTHROPIC, CHAT, GEMINI, RESPONSES, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, SECRET, Story
from agcore_sim.upstreams import Script
from agcore_sim.world import World
from tests.support.dialogues import config, provider

CLIENTS = [CHAT, RESPONSES, ANTHROPIC, GEMINI]

KEYS = {"a": ("a1", "a2"), "b": ("b1",), "c": ("c1",)}

DIALECTS = {"a.example": "openai", "b.example": "openai_responses", "c.example": "anthropic"}


def world(
    script: Mapping[str, Sequence[Act]],
    *,
    attempts: int = 4,
    steps: Sequence[Sequence[str]] = (("a",), ("b",), ("c",)),
    keys: Mapping[str, Sequence[str]] = KEYS,
    delay: Callable[[], float] = lambda: 0.0,
    strategy: str = "sticky",
) -> World[Script]:
    dialogues = {"a": CHAT, "b": RESPONSES, "c": ANTHROPIC}
    providers = tuple(
        msgspec.structs.replace(provider(dialogues[name], name=name, keys=tuple(keys[name])), strategy=strategy)
        for name in keys
    )
    rule = ModelRule("m", tuple(tuple((name, "up-" + dialogues[name].dialect) for name in step) for step in steps))
    setup = msgspec.structs.replace(config(providers=providers), retry=Retry(attempts=attempts), models=(rule,))
    acts = {key: script.get(key, [Act.ANSWER]) for group in keys.values() for key in group}
    return World(Gateway(setup, secret=SECRET, now=EPOCH), Script(acts, DIALECTS, delay=delay))


def tried(world: World[Script]) -> list[str]:
    return [each.key for each in world.upstreams.served]


def ask(world: World[Script], dialogue: Dialogue, *, stream: bool = False, at: float = 0.0) -> Story:
    """One request for `m`, `at` seconds after the beginning."""
    return world.ask(request(dialogue, "m", stream=stream), at=EPOCH + at)


def opened(story: Story) -> int:
    """How many requests to upstreams a story made."""
    return sum(isinstance(effect, OpenUpstream) for effect in story.effects)
