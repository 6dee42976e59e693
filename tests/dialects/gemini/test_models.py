"""Google's lists of models."""

from __future__ import annotations

import pytest
from google.genai import types as google_types
from hypothesis import given
from hypothesis import strategies as st

from agcore.dialects.gemini import models as gemini
from tests.support.model_lists import EVERY, listed, query, read


def test_google_accepts_every_entry() -> None:
    for entry in EVERY:
        model = google_types.Model.model_validate(
            {
                # The SDK renames this one before it validates.
                ("supportedActions" if key == "supportedGenerationMethods" else key): value
                for key, value in read(gemini.write_model(entry)).items()
                if key != "baseModelId"
            }
        )
        assert model.name == f"models/{entry.id}"
        assert model.output_token_limit == entry.profile.max_output_tokens


def test_an_alias_is_shown_under_its_own_name() -> None:
    alias = read(gemini.write_model(listed("fast", upstream="gemini-3-flash")))
    assert (alias["displayName"], alias["inputTokenLimit"]) == ("fast", 1_048_576)


def test_google_methods_follow_from_what_a_model_can_do() -> None:
    def methods(model: str) -> list[str]:
        found: list[str] = read(gemini.write_model(listed(model)))["supportedGenerationMethods"]
        return found

    assert methods("gemini-2.5-pro") == ["generateContent", "streamGenerateContent", "countTokens"]
    assert methods("gemini-embedding-001") == ["embedContent", "batchEmbedContents"]
    assert methods("whisper-1") == []


def test_google_sampling_defaults_are_given_where_sampling_is_taken() -> None:
    assert read(gemini.write_model(listed("gemini-2.5-pro")))["maxTemperature"] == 2.0
    assert read(gemini.write_model(listed("claude-haiku-4-5")))["maxTemperature"] == 1.0
    assert "temperature" not in read(gemini.write_model(listed("gpt-5")))


@given(size=st.integers(0, 12), page_size=st.integers(1, 5))
def test_google_paging_visits_each_model_once(size: int, page_size: int) -> None:
    models = EVERY[len(EVERY) - size :]
    page = read(gemini.write_list(models, query(pageSize=page_size)))
    seen = [entry["name"] for entry in page["models"]]
    while "nextPageToken" in page:
        page = read(gemini.write_list(models, query(pageSize=page_size, pageToken=page["nextPageToken"])))
        seen += [entry["name"] for entry in page["models"]]
    assert seen == [f"models/{entry.id}" for entry in models]


def test_google_pages_are_fifty_long_and_a_thousand_at_most() -> None:
    assert len(read(gemini.write_list(EVERY, query()))["models"]) == 50
    many = [listed(f"m-{n}") for n in range(1100)]
    assert len(read(gemini.write_list(many, query(pageSize=5000)))["models"]) == 1000


@pytest.mark.parametrize("token", ["!", "AAAAA", "_w", "Z3B0LTk5", "aå"])
def test_a_token_that_the_list_did_not_give_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="pageToken: does not name a model of this list"):
        gemini.write_list(EVERY, query(pageToken=token))


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(ValueError, match="pageSize: expected a whole number"):
        gemini.write_list(EVERY, query(pageSize=-1))
