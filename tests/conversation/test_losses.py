"""What a translation could not carry, told once and in bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agcore.codecs.header_fields import field_value
from agcore.conversation.losses import MAX_HEADER, Losses
from agcore.protocol.report import Loss, Weight


def test_losses_are_kept_in_order_and_each_once() -> None:
    losses = Losses()
    losses.add("b", "why")
    losses.add("a", "why", action="clamped to 1", weight="note")
    losses.add("b", "why", action="sent as text", weight="refuse")
    losses.add("b", "another reason")
    assert list(losses) == [
        Loss("b", "why"),
        Loss("a", "why", "clamped to 1", "note"),
        Loss("b", "another reason"),
    ]
    assert len(losses) == 3


@pytest.mark.parametrize(("weight", "paths"), [("note", "nwr"), ("warn", "wr"), ("refuse", "r")])
def test_losses_can_be_asked_for_by_weight(weight: Weight, paths: str) -> None:
    losses = Losses()
    losses.add("n", "why", weight="note")
    losses.add("w", "why")
    losses.add("r", "why", weight="refuse")
    assert [loss.path for loss in losses.at_least(weight)] == list(paths)


def test_the_header_lists_paths_and_what_was_done() -> None:
    losses = Losses()
    assert losses.header() == ""
    losses.add("top_k", "why")
    losses.add("temperature", "why", action="clamped to 1")
    assert losses.header() == "top_k=dropped; temperature=clamped to 1"


def test_the_header_says_how_many_losses_it_leaves_out() -> None:
    losses = Losses()
    for number in range(100):
        losses.add(f"messages[{number}].cache_control", "why")
    shown = losses.header().split("; ")
    assert shown[-1] == f"+{100 - (len(shown) - 1)} more"
    assert shown[:-1] == [f"messages[{number}].cache_control=dropped" for number in range(len(shown) - 1)]


def test_a_loss_too_long_for_the_header_is_counted_only() -> None:
    losses = Losses()
    losses.add("x" * 2000, "why")
    assert losses.header() == "+1 more"


@given(st.lists(st.text(max_size=200), max_size=30))
def test_the_header_stays_in_bounds_whatever_clients_call_their_things(paths: list[str]) -> None:
    losses = Losses()
    for path in paths:
        losses.add(path, "why")
    assert len(field_value(losses.header())) <= MAX_HEADER


def test_what_a_history_repeats_is_noted_at_its_first_place() -> None:
    losses = Losses()
    for at in range(3):
        losses.note_first(f"messages[{at}].caller", "why")
    losses.note_first("messages[2].content[0].caller", "why")
    assert [(loss.path, loss.weight) for loss in losses] == [
        ("messages[0].caller", "note"),
        ("messages[2].content[0].caller", "note"),
    ]
