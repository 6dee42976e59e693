"""What is told of a request while somebody watches, and of its attempts when it is over."""

from __future__ import annotations

from agcore import (
    AttemptEnded,
    AttemptStarted,
    Emit,
    Event,
    FirstContent,
    RequestEnded,
    RequestStarted,
    Resolved,
    Sent,
    Stage,
    UpstreamConnected,
    UpstreamData,
    UpstreamEnd,
    UpstreamFailed,
    UpstreamHead,
)
from agcore.protocol.fault import FailureKind
from agcore.replay import replay_recording
from agcore.telemetry.recording import Recorder
from agcore_sim.dialogues import ANTHROPIC, CHAT
from agcore_sim.story import EPOCH, SSE, Story, gateway
from tests.support.dialogues import asked, config, provider

TWO_KEYS = config(providers=(provider(ANTHROPIC, keys=("sk-one-0123456789", "sk-two-0123456789")),))


def events(story: Story) -> list[Event]:
    return [effect.event for effect in story.effects if isinstance(effect, Emit)]


def failed_over(story: Story) -> Story:
    """A stream whose first attempt gets no connection."""
    asked(ANTHROPIC, stream=True, story=story)
    story.wait(1)
    story.tell(UpstreamFailed(1, Stage.CONNECT, Sent.NONE, reused=False, cause="refused"))
    story.wait(1)
    leg = max(story.requests)
    story.tell(UpstreamConnected(leg, reused=False))
    story.tell(UpstreamHead(leg, 200, SSE))
    story.wait(1)
    story.tell(UpstreamData(leg, ANTHROPIC.stream))
    story.tell(UpstreamEnd(leg))
    return story


def watched(*, attempts: int = 3) -> Story:
    machine = gateway(TWO_KEYS, attempts=attempts)
    machine.watched = True
    return Story(machine)


def test_nobody_who_watches_sees_one_event_with_everything_in_it() -> None:
    story = failed_over(Story(gateway(TWO_KEYS, attempts=3)))
    (ended,) = events(story)
    assert isinstance(ended, RequestEnded)
    first, second = ended.attempts
    assert (first.began, first.ended, first.key) == (EPOCH, EPOCH + 1, "anthropic#1")
    assert (first.failure, first.happened) == (FailureKind.UNREACHABLE, "anthropic#1: unreachable")
    assert (second.failure, second.status, second.ended) == (None, 0, ended.at)


def test_who_watches_sees_each_event_when_it_comes_about() -> None:
    story = failed_over(watched())
    seen = events(story)
    kinds = [type(event) for event in seen]
    assert kinds == [
        RequestStarted,
        Resolved,
        AttemptStarted,
        AttemptEnded,
        AttemptStarted,
        FirstContent,
        AttemptEnded,
        RequestEnded,
    ]
    started, resolved, one, one_ended, two, content, two_ended, ended = seen
    assert isinstance(started, RequestStarted)
    assert isinstance(ended, RequestEnded)
    assert ended.started == started
    assert resolved == Resolved(started.id, EPOCH, (f"anthropic/{ANTHROPIC.model}",))
    assert isinstance(one, AttemptStarted)
    assert isinstance(two, AttemptStarted)
    assert (one.number, one.at, two.number) == (1, EPOCH, 2)
    assert one_ended == AttemptEnded(started.id, EPOCH + 1, 1, ended.attempts[0])
    assert two_ended == AttemptEnded(started.id, ended.at, 2, ended.attempts[1])
    assert content == FirstContent(started.id, EPOCH + 3)
    assert isinstance(story.effects[-2], Emit)
    assert story.effects[-2].event == ended


def test_attempts_side_by_side_have_numbers_of_their_own() -> None:
    machine = gateway(TWO_KEYS)
    machine.watched = True
    body = b'{"model": "%b", "n": 3, "messages": [{"role": "user", "content": "hi"}]}' % ANTHROPIC.model.encode()
    story = Story(machine)
    story.open("POST", CHAT.path, body=body)
    story.abandon()
    numbers = [event.number for event in events(story) if isinstance(event, AttemptStarted)]
    assert numbers == [1, 2, 3]
    ended = [event for event in events(story) if isinstance(event, AttemptEnded)]
    assert [(each.number, each.attempt.failure) for each in ended] == [(1, None), (2, None), (3, None)]


def test_a_refusal_is_watched_from_its_head_to_its_end() -> None:
    story = watched()
    story.open("GET", "/nowhere")
    assert [type(event) for event in events(story)] == [RequestStarted, FirstContent, RequestEnded]


def test_what_was_watched_replays_as_it_was_seen() -> None:
    story = watched()
    recorder, plain = Recorder(story.gateway.config), story.gateway.open
    story.gateway.open = lambda head, peer, *, now: plain(head, peer, now=now, recorder=recorder)  # type: ignore[method-assign, assignment, misc]
    failed_over(story)
    assert len(events(story)) == 8
    assert replay_recording(recorder.text, story.gateway.config) == story.effects
