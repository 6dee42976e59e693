"""Exchanges that are recorded without anybody asking for it, and 200 of them that run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import msgspec
import pytest

from agcore import Config, Effect, Exchange, Gateway, Peer, RequestHead
from agcore.telemetry.recording import Recorder
from agcore_sim.clients import request
from agcore_sim.faults import Act
from agcore_sim.story import Story
from tests.support.failover import CLIENTS, KEYS, world

Recorded = tuple[Recorder, Config, Exchange]


@contextmanager
def recorders() -> Iterator[list[Recorded]]:
    """A list that grows by each exchange that any gateway opens."""
    found: list[Recorded] = []
    plain = Gateway.open

    def opened(
        self: Gateway, head: RequestHead, peer: Peer, *, now: float, recorder: object = None
    ) -> tuple[Exchange, list[Effect]]:
        recorder = Recorder(self.config)
        exchange, effects = plain(self, head, peer, now=now, recorder=recorder)
        found.append((recorder, self.config, exchange))
        return exchange, effects

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "open", opened)
        yield found


def crowd(seed: int, count: int) -> list[tuple[Recorder, Config, list[Effect]]]:
    """Random exchanges side by side at one gateway, each with its recording and its effects."""
    random = Random(seed)
    script = {key: random.choices(list(Act), k=5) for group in KEYS.values() for key in group}
    with recorders() as found:
        this = world(script, delay=lambda: random.random() * 3, strategy="least_busy", attempts=4)
        stories: list[Story] = []
        for _ in range(count):
            dialogue, stream = random.choice(CLIENTS), random.random() < 0.5
            stories.append(this.begin(request(dialogue, "m", stream=stream)))
            if random.random() < 0.3 and any(not story.finished for story in stories):
                this.step()
        while live := [story for story in stories if not story.finished]:
            if random.random() < 0.01:
                random.choice(live).abandon()
            elif not this.step():
                break
    by_exchange = {id(exchange): (recorder, config) for recorder, config, exchange in found}
    return [(*by_exchange[id(story.exchange)], story.effects) for story in stories]


def effects_text(effects: list[Effect]) -> bytes:
    """Effects as bytes that can be compared."""
    return msgspec.json.encode(effects)


def replay_crowd(folder: str) -> None:
    """Replay every recording of a folder, each in a gateway of its own, and leave the effects beside it."""
    from pathlib import Path

    from agcore.replay import replay_recording

    config = world({key: [Act.ANSWER] for group in KEYS.values() for key in group}, strategy="least_busy", attempts=4)
    for path in sorted(Path(folder).glob("*.jsonl")):
        effects = replay_recording(path.read_bytes(), config.gateway.config)
        path.with_suffix(".effects").write_bytes(effects_text(effects))


if __name__ == "__main__":
    import sys

    replay_crowd(sys.argv[1])
