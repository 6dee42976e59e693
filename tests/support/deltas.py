"""Hypothesis strategies for what an upstream may say: legal sequences of deltas, by the rules of `conversation`."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from agcore.conversation.values import (
    Cited,
    Consumed,
    Delta,
    Finished,
    ImageMade,
    RefusalDelta,
    Signature,
    Source,
    Started,
    Stop,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    ToolArguments,
    ToolEnded,
    ToolStarted,
)
from agcore.protocol.report import Usage

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,7}", fullmatch=True)
TOKENS = st.integers(0, 10_000)
USAGES = st.builds(Usage, fresh=TOKENS, cache_read=TOKENS, cache_write=TOKENS, output=TOKENS, reasoning=st.just(0))


def signatures(*kinds: str) -> st.SearchStrategy[Signature]:
    return st.builds(
        Signature,
        signer=st.sampled_from(["anthropic", "gemini", "openai"]),
        kind=st.sampled_from(kinds),
        data=TEXTS,
        id=st.sampled_from(["", "rs_1"]),
    )


def _texts(choice: int) -> st.SearchStrategy[list[Delta]]:
    said = st.lists(TEXTS.map(lambda text: TextDelta(text, choice=choice)), min_size=1, max_size=4)
    source = st.builds(Cited, url=st.just("https://example.com/a"), title=TEXTS, choice=st.just(choice))
    return st.tuples(said, st.lists(source, max_size=2)).map(lambda pair: [*pair[0], *pair[1]])


def _refusals(choice: int) -> st.SearchStrategy[list[Delta]]:
    return st.lists(TEXTS.map(lambda text: RefusalDelta(text, choice=choice)), min_size=1, max_size=3)


def _thoughts(choice: int) -> st.SearchStrategy[list[Delta]]:
    said = st.lists(TEXTS.map(lambda text: ThinkingDelta(text, choice=choice)), max_size=3)
    signature = st.none() | signatures("thinking", "reasoning", "redacted", "text")
    pairs = st.tuples(said, signature).filter(lambda pair: bool(pair[0]) or pair[1] is not None)
    return pairs.map(lambda pair: [*pair[0], ThinkingEnded(pair[1], choice=choice)])


def _images(choice: int) -> st.SearchStrategy[list[Delta]]:
    data = st.binary(min_size=1, max_size=8).map(lambda raw: base64.b64encode(raw).decode())
    return data.map(lambda text: [ImageMade(Source("image/png", data=text), choice=choice)])


@st.composite
def _calls(draw: st.DrawFn, choice: int, first: int) -> list[Delta]:
    """Calls whose arguments interleave."""
    tracks: list[list[Delta]] = []
    for index in range(first, first + draw(st.integers(1, 3))):
        started = ToolStarted(
            index,
            draw(st.sampled_from(["", f"call_{choice}_{index}"])),
            draw(NAMES),
            custom=draw(st.booleans()),
            signature=draw(st.none() | signatures("call")),
            choice=choice,
        )
        pieces = draw(st.lists(st.sampled_from(['{"a":', "1}", "{}", "x", '"é']), max_size=4))
        arguments = [ToolArguments(index, piece, choice=choice) for piece in pieces]
        tracks.append([started, *arguments, ToolEnded(index, choice=choice)])
    said: list[Delta] = [tracks[0].pop(0)]
    opened = 1
    while any(tracks):
        # a call starts only once those before it have started
        ready = [track for position, track in enumerate(tracks) if track and position <= opened]
        track = draw(st.sampled_from(ready))
        delta = track.pop(0)
        opened += isinstance(delta, ToolStarted)
        said.append(delta)
    return said


@st.composite
def deltas(draw: st.DrawFn, choices: int = 1) -> list[Delta]:
    """A legal answer with at most this many choices, which may interleave."""
    tracks: list[list[Delta]] = []
    for choice in range(draw(st.integers(1, choices))):
        track: list[Delta] = []
        for _ in range(draw(st.integers(0, 4))):
            calls = sum(isinstance(delta, ToolStarted) for delta in track)
            kinds = [_texts(choice), _refusals(choice), _thoughts(choice), _images(choice), _calls(choice, calls)]
            track += draw(st.one_of(kinds))
        track.append(Finished(draw(st.sampled_from(Stop)), choice=choice))
        tracks.append(track)
    said: list[Delta] = [Started(draw(st.sampled_from(["", "up_1"])))] if draw(st.booleans()) else []
    while any(tracks):
        said.append(draw(st.sampled_from([track for track in tracks if track])).pop(0))
    for _ in range(draw(st.integers(0, 2))):
        said.insert(draw(st.integers(0, len(said))), Consumed(draw(USAGES)))
    return said


def too_deep() -> dict[str, Any]:
    """An object that is nested too deeply to be written."""
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"a": value}
    return value
