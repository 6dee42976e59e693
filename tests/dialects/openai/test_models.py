"""OpenAI's lists of models."""

from __future__ import annotations

from openai.types import Model

from agcore.dialects.openai import models as openai
from tests.support.model_lists import EVERY, listed, query, read


def test_openai_accepts_every_entry() -> None:
    body = read(openai.write_list(EVERY, query()))
    assert body["object"] == "list"
    models = [Model.model_validate(entry, strict=True) for entry in body["data"]]
    assert [model.id for model in models] == [entry.id for entry in EVERY]
    assert read(openai.write_model(EVERY[3])) == body["data"][3]


def test_openai_owner_is_the_provider_and_the_date_that_of_the_table() -> None:
    assert read(openai.write_model(listed("gpt-4.1", "openai"))) == {
        "id": "gpt-4.1",
        "object": "model",
        "created": 1744588800,
        "owned_by": "openai",
    }
