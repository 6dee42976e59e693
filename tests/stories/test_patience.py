"""Time: who does not answer is not asked again, who is slow has time, and who has one key may wait (docs/routing.md)."""

from __future__ import annotations

import json

import msgspec
import pytest

from agcore import ClientGone, Gateway, SendData, UpstreamConnected, UpstreamData, UpstreamHead, load_config
from agcore.config import describe_config, parse
from agcore.config.presets import LOCAL_FIRST_BYTE
from agcore.config.values import Config, ModelRule, Provider, Retry, Timeouts
from agcore.dialects import DIALECTS
from agcore.replay import replay_recording
from agcore.telemetry.recording import Recorder
from agcore_sim.clients import request
from agcore_sim.dialogues import ANTHROPIC, CHAT, DIALOGUES, Dialogue
from agcore_sim.faults import Act
from agcore_sim.story import EPOCH, JSON, SECRET, SSE, Story
from agcore_sim.upstreams import Script
from agcore_sim.world import World
from tests.support.dialogues import asked, config, ids, provider


def silent(*keys: str, timeouts: Timeouts, first_byte: float = 0, stream: bool = False) -> Story:
    """A request that has been taken, at a provider with these keys."""
    there = msgspec.structs.replace(provider(CHAT, keys=keys), first_byte=first_byte)
    setup = config(providers=(there,), timeouts=timeouts)
    return asked(CHAT, stream=stream, setup=setup, attempts=4)


def error(story: Story) -> str:
    message = json.loads(story.body)["error"]["message"]
    assert isinstance(message, str)
    return message


# Who does not answer in time.


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialogue", DIALOGUES, ids=ids)
def test_a_key_that_let_the_time_run_out_is_not_asked_again(dialogue: Dialogue, stream: bool) -> None:
    setup = config(timeouts=Timeouts(first_byte=2, open_after=60))
    story = asked(dialogue, stream=stream, setup=setup, attempts=4)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(60)
    assert (story.status, list(story.requests), story.now - EPOCH >= 2) == (504, [1], True)
    assert "timeouts.first_byte" in error(story)
    assert (story.headers[b"retry-after"], b"x-should-retry" in story.headers) == (b"2", False)


def test_each_other_key_is_asked_once() -> None:
    story = silent("sk-one-0123456789", "sk-two-0123456789", "sk-three-01234567", timeouts=Timeouts(first_byte=2))
    for leg in (1, 2, 3):
        story.tell(UpstreamConnected(leg, reused=False))
        story.wait(2)
    assert (story.status, story.row["attempts"]) == (504, 3)
    asked_with = {dict(each.headers)[b"authorization"] for each in story.requests.values()}
    assert len(asked_with) == 3


def test_another_candidate_is_asked_with_the_same_key() -> None:
    there = provider(CHAT)
    rule = ModelRule("m", (((there.name, "big"),), ((there.name, "small"),)))
    setup = msgspec.structs.replace(config(providers=(there,), timeouts=Timeouts(first_byte=2)), models=(rule,))
    story = asked(CHAT, stream=False, model="m", setup=setup, attempts=4)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(2)
    body = story.requests[2].body
    assert isinstance(body, bytes)
    assert json.loads(body)["model"] == "small"


def test_a_key_that_failed_may_be_asked_again_after_another_one_was_silent() -> None:
    story = silent("sk-one-0123456789", "sk-two-0123456789", timeouts=Timeouts(first_byte=2))
    story.upstream_answers(500, b"{}")
    story.tell(UpstreamConnected(2, reused=False))
    story.wait(2)
    first, third = (dict(story.requests[leg].headers)[b"authorization"] for leg in (1, 3))
    assert first == third


def test_a_missing_model_is_not_asked_for_with_the_keys_that_are_left() -> None:
    story = silent("sk-one-0123456789", "sk-two-0123456789", "sk-three-01234567", timeouts=Timeouts(first_byte=2))
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(2)
    story.upstream_answers(404, b"{}")
    assert (story.finished, story.row["attempts"]) == (True, 2)


def test_silence_within_an_answer_that_nobody_saw_is_no_reason_to_ask_anew() -> None:
    story = silent("sk-one-0123456789", timeouts=Timeouts(idle=5, open_after=60), stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.wait(60)
    assert (story.status, story.row["attempts"]) == (504, 1)


# Who may take its time.


def test_a_provider_has_its_own_time_and_longer_than_all_attempts() -> None:
    story = silent("sk-one-0123456789", timeouts=Timeouts(first_byte=2, request=3, connect=1), first_byte=50)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(49.9)
    assert not story.finished
    story.tell(UpstreamHead(1, 200, JSON))
    story.tell(UpstreamData(1, CHAT.answer))
    assert not story.finished


def test_a_providers_own_time_runs_out_with_its_own_number() -> None:
    story = silent("sk-one-0123456789", timeouts=Timeouts(first_byte=2, request=3), first_byte=50)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(60)
    assert (story.status, error(story).startswith("openai did not answer within 50 s")) == (504, True)


def test_a_head_that_comes_before_the_prompt_was_read_does_not_shorten_the_time() -> None:
    timeouts = Timeouts(first_byte=2, request=3, idle=4, open_after=100)
    story = silent("sk-one-0123456789", timeouts=timeouts, first_byte=50, stream=True)
    story.tell(UpstreamConnected(1, reused=False))
    story.tell(UpstreamHead(1, 200, SSE))
    story.wait(45)
    story.tell(UpstreamData(1, CHAT.announcements + CHAT.content))
    assert story.status == 200
    story.tell(UpstreamData(1, CHAT.content))
    story.wait(5)  # from here on it is a stream like any other
    assert story.finished
    never = silent("sk-one-0123456789", timeouts=timeouts, first_byte=50, stream=True)
    never.tell(UpstreamConnected(1, reused=False))
    never.tell(UpstreamHead(1, 200, SSE))
    never.wait(60)
    assert error(never) == "openai sent nothing for 50 s"


def test_a_keyless_provider_that_was_slow_does_not_shorten_another_ones_time() -> None:
    slow = msgspec.structs.replace(provider(CHAT, name="slow"), first_byte=50, models=("m-*",))
    other = msgspec.structs.replace(provider(CHAT, name="other"), models=("m-*",))
    setup = config(providers=(slow, other), timeouts=Timeouts(first_byte=2, request=3))
    story = asked(CHAT, stream=False, model="m-1", setup=setup, attempts=4)
    story.tell(UpstreamConnected(1, reused=False))
    story.wait(50)
    assert story.requests[2].origin.host == "other.example"


def local(text: str) -> Provider:
    (found,) = load_config(text, environ={}).providers
    return found


@pytest.mark.parametrize("preset", ["ollama", "lmstudio", "llamacpp", "vllm"])
def test_the_presets_of_local_servers_have_an_hour(preset: str) -> None:
    entry = f'[[providers]]\npreset = "{preset}"\n'
    assert local(entry).first_byte == LOCAL_FIRST_BYTE == 3600
    assert local(f"{entry}first_byte = 30").first_byte == 30
    # What is written for all counts, too.
    assert local(f"[timeouts]\nfirst_byte = 5\n{entry}").first_byte == 0
    assert local(f"[timeouts]\nrequest = 100\n{entry}").first_byte == 100
    assert local(f"[timeouts]\nidle = 100\n{entry}").first_byte == 3600


def test_others_have_what_sdks_wait_and_a_rest_of_it_for_another_way() -> None:
    entry = '[[providers]]\npreset = "openai"\nkeys = ["sk-one-0123456789"]\n'
    assert local(entry).first_byte == 0
    assert Timeouts().first_byte < Timeouts().request == 600


# Who has one key.


def patient(acts: list[Act], *, patience: float, attempts: int = 4, timeouts: Timeouts | None = None) -> World[Script]:
    """One provider with one key, which follows a script."""
    there = provider(ANTHROPIC, name="a", keys=("a1",))
    setup = config(providers=(there,), timeouts=timeouts or Timeouts())
    setup = msgspec.structs.replace(setup, retry=Retry(attempts=attempts, patience=patience))
    return World(Gateway(setup, secret=SECRET, now=EPOCH), Script({"a1": acts}, {"a.example": "anthropic"}))


def times(world: World[Script]) -> list[float]:
    return [round(each.at - EPOCH, 3) for each in world.upstreams.served]


def test_without_patience_a_limit_is_told_at_once() -> None:
    this = patient([Act.RATE, Act.ANSWER], patience=0)
    story = this.ask(request(ANTHROPIC, "up-a", stream=True))
    assert (story.status, times(this)) == (429, [0])


@pytest.mark.parametrize("stream", [False, True])
def test_patience_waits_for_the_end_of_a_limit(stream: bool) -> None:
    this = patient([Act.RATE, Act.ANSWER], patience=60)
    story = this.ask(request(ANTHROPIC, "up-a", stream=stream))
    assert (story.status, times(this)) == (200, [0, 30])
    pings = sum(
        isinstance(each, SendData) and each.data == DIALECTS["anthropic"].traits.keepalive for each in story.effects
    )
    assert (pings > 0) is stream


def test_patience_rides_out_a_wall_of_overload_beyond_the_usual_attempts() -> None:
    this = patient([Act.BUSY] * 9 + [Act.ANSWER], patience=300)
    story = this.ask(request(ANTHROPIC, "up-a", stream=True))
    assert (story.status, len(times(this))) == (200, 10)
    gaps = [later - earlier for earlier, later in zip(times(this), times(this)[1:], strict=False)]
    assert max(gaps) <= 30 * 1.25
    assert min(gaps[4:]) >= 1  # beyond the usual attempts nobody is in a hurry


def test_patience_ends() -> None:
    this = patient([Act.BUSY], patience=20)
    story = this.ask(request(ANTHROPIC, "up-a", stream=False))
    assert (story.status, story.now - EPOCH <= 20, len(times(this)) > 4) == (529, True, True)
    assert 2 <= int(story.headers[b"retry-after"]) <= 60
    told = patient([Act.RATE], patience=20)
    refused = told.ask(request(ANTHROPIC, "up-a", stream=False))
    assert (refused.status, refused.now, refused.headers[b"retry-after"]) == (429, EPOCH, b"30")  # in vain, so at once


def test_patience_is_bounded_by_the_time_for_all_attempts() -> None:
    this = patient([Act.RATE], patience=600, timeouts=Timeouts(request=25))
    story = this.ask(request(ANTHROPIC, "up-a", stream=False))
    assert (story.status, story.now) == (429, EPOCH)


def test_a_request_that_comes_while_the_key_is_limited_waits_with_keepalives() -> None:
    this = patient([Act.RATE, Act.ANSWER], patience=40)
    first = this.begin(request(ANTHROPIC, "up-a", stream=False))
    this.run(until=EPOCH + 1)
    late = this.begin(request(ANTHROPIC, "up-a", stream=True))
    this.run(until=EPOCH + 29)
    assert (late.status, late.finished, times(this)) == (200, False, [0])
    assert any(isinstance(each, SendData) for each in late.effects)
    this.finish(first)
    this.finish(late)
    assert (first.status, late.row["outcome"]) == (200, "ok")


def test_a_stream_that_was_kept_alive_in_vain_ends_in_its_dialects_error() -> None:
    this = patient([Act.RATE, Act.REVOKED], patience=40)
    first = this.begin(request(ANTHROPIC, "up-a", stream=False))
    this.run(until=EPOCH + 1)
    late = this.begin(request(ANTHROPIC, "up-a", stream=True))
    this.finish(first)
    this.finish(late)
    assert (first.status, late.status, b"event: error" in late.body) == (424, 200, True)


def test_a_client_that_leaves_while_it_waits_ends_it() -> None:
    this = patient([Act.RATE, Act.ANSWER], patience=40)
    story = this.begin(request(ANTHROPIC, "up-a", stream=True))
    this.run(until=EPOCH + 5)
    this.tell(story, ClientGone())
    assert story.finished
    this.run()
    assert times(this) == [0]


def test_of_several_that_wait_one_asks_first() -> None:
    this = patient([Act.RATE, Act.RATE, Act.ANSWER], patience=120)
    stories = [this.begin(request(ANTHROPIC, "up-a", stream=False))]
    this.run(until=EPOCH + 1)
    stories += [this.begin(request(ANTHROPIC, "up-a", stream=bool(number % 2))) for number in range(20)]
    this.run(until=EPOCH + 59)
    # One met the limit, and of the twenty that waited for its end one asked: nobody else, until it is known.
    assert times(this)[:2] == [0, 30]
    assert len(times(this)) == 2
    for story in stories:
        this.finish(story)
    assert {story.row["outcome"] for story in stories} == {"ok"}
    assert len(times(this)) == 2 + len(stories)


def test_those_who_wait_do_not_wait_for_ever_for_one_that_finds_out() -> None:
    this = patient([Act.RATE, Act.HANGS, Act.ANSWER], patience=120)
    first = this.begin(request(ANTHROPIC, "up-a", stream=False))
    this.run(until=EPOCH + 1)
    second = this.begin(request(ANTHROPIC, "up-a", stream=False))
    this.finish(second if not first.finished else first)
    this.run(until=EPOCH + 60)
    assert times(this)[1] == 30
    assert 40 <= times(this)[2] <= 43


def test_a_wait_is_recorded_and_replayed() -> None:
    setup = msgspec.structs.replace(config(), retry=Retry(patience=60))
    recorder = Recorder(setup)
    gateway = Gateway(setup, secret=SECRET, now=EPOCH)
    plain = gateway.open
    gateway.open = lambda head, peer, *, now: plain(head, peer, now=now, recorder=recorder)  # type: ignore[method-assign, assignment, misc]
    story = asked(CHAT, stream=True, story=Story(gateway))
    story.upstream_answers(429, b"{}", headers=(*JSON, (b"retry-after", b"30")))
    story.wait(31)
    story.upstream_answers(200, [CHAT.stream], headers=SSE, leg=max(story.requests))
    assert story.row["attempts"] == 2
    assert replay_recording(recorder.text, setup) == story.effects


def test_patience_is_a_setting() -> None:
    assert load_config("[retry]\npatience = 90", environ={}).retry == Retry(patience=90)
    assert Config().retry.patience == 0


def test_the_explanation_of_a_configuration_tells_of_both() -> None:
    text = '[retry]\npatience = 90\n[[providers]]\npreset = "ollama"\n'
    report = describe_config(parse(text, secrets={}, environ={}))
    assert "begin within 3600 s" in report
    assert "90 s for a limited or overloaded key" in report
