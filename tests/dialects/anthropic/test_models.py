"""Anthropic's lists of models."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import ModelInfo
from hypothesis import given
from hypothesis import strategies as st

from agcore.dialects.anthropic import models as anthropic
from tests.support.model_lists import EVERY, listed, query, read


def test_anthropic_accepts_every_entry() -> None:
    for entry in EVERY:
        info = ModelInfo.model_validate(read(anthropic.write_model(entry)))
        assert info.id == entry.id
        assert info.created_at.timestamp() == entry.profile.created
        assert info.max_input_tokens == (entry.profile.context_window or None)


def test_anthropic_tells_apart_how_models_think() -> None:
    def types(model: str) -> dict[str, bool]:
        thinking = read(anthropic.write_model(listed(model)))["capabilities"]["thinking"]
        return {name: support["supported"] for name, support in thinking["types"].items()}

    rows = {
        "claude-haiku-4-5": (False, True, True),
        "claude-sonnet-4-6": (True, True, True),
        "claude-fable-5": (True, False, False),
        "claude-3-haiku-20240307": (False, False, True),
        "gpt-5": (True, True, False),
    }
    for model, (adaptive, enabled, disabled) in rows.items():
        expected = {"adaptive": adaptive, "enabled": enabled, "disabled": disabled, "between_tools": False}
        assert types(model) == expected, model


def test_an_alias_is_shown_under_its_own_name() -> None:
    assert read(anthropic.write_model(listed("fast", upstream="gemini-3-flash")))["display_name"] == "fast"


def test_anthropic_pages_are_twenty_long() -> None:
    body = read(anthropic.write_list(EVERY, query()))
    assert len(body["data"]) == 20
    assert body["has_more"] is True
    assert body["first_id"] == EVERY[0].id
    assert body["last_id"] == EVERY[19].id


def test_an_empty_anthropic_list_has_no_ids() -> None:
    assert read(anthropic.write_list((), query())) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@given(size=st.integers(0, 12), limit=st.integers(1, 5))
def test_anthropic_paging_visits_each_model_once_both_ways(size: int, limit: int) -> None:
    models = EVERY[:size]
    forwards: list[str] = []
    page = read(anthropic.write_list(models, query(limit=limit)))
    forwards += [entry["id"] for entry in page["data"]]
    while page["has_more"]:
        page = read(anthropic.write_list(models, query(limit=limit, after_id=page["last_id"])))
        forwards += [entry["id"] for entry in page["data"]]
    assert forwards == [entry.id for entry in models]
    if not models:
        return
    backwards = [models[-1].id]
    page = read(anthropic.write_list(models, query(limit=limit, before_id=models[-1].id)))
    backwards[:0] = [entry["id"] for entry in page["data"]]
    while page["has_more"]:
        page = read(anthropic.write_list(models, query(limit=limit, before_id=page["first_id"])))
        backwards[:0] = [entry["id"] for entry in page["data"]]
    assert backwards == forwards


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"limit": 0}, "limit: must be between 1 and 1000"),
        ({"limit": 1001}, "limit: must be between 1 and 1000"),
        ({"after_id": "no-such"}, "after_id: does not name a model of this list"),
        ({"before_id": "no-such"}, "before_id: does not name a model of this list"),
        ({"before_id": "gpt-5", "after_id": "gpt-5"}, "only one of them"),
    ],
)
def test_a_bad_anthropic_page_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        anthropic.write_list(EVERY, query(**asked))
