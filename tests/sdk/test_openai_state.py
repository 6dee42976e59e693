"""Stored responses with the OpenAI SDK, through each frontend, over an upstream that knows nothing of them."""

from __future__ import annotations

import openai
import pytest

from tests.sdk.conftest import CLIENT_KEY


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_response_is_gone_on_from_read_listed_and_deleted(gateway_url: str, streamed: bool) -> None:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        if streamed:
            with client.responses.stream(model="chat-x", input="hello there") as stream:
                stream.until_done()
                first: openai.types.responses.Response = stream.get_final_response()
        else:
            first = client.responses.create(model="chat-x", input="hello there")
        second = client.responses.create(model="chat-x", input="and now?", previous_response_id=first.id)
        assert second.previous_response_id == first.id
        assert "You said: and now?" in second.output_text
        items = list(client.responses.input_items.list(second.id, limit=2, order="asc"))
        assert [item.type for item in items] == ["message"] * 3
        assert client.responses.retrieve(second.id).output_text == second.output_text
        client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="chat-x", input="and now?", previous_response_id=first.id)
        assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
