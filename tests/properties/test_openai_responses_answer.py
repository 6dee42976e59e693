"""Any answer, read from and written as Responses."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agcore.conversation.assemble import assemble
from agcore.conversation.values import (
    Delta,
)
from agcore.dialects.openai_responses.answer_reader import read_answer
from agcore.dialects.openai_responses.answer_writer import ResponseWriter, render_answer
from agcore.protocol.fault import Fault
from tests.dialects.openai_responses.test_answer import (
    EVENTS,
    PLAIN,
    SAID,
    read,
    stream,
    written,
)
from tests.support import grammar_openai_responses as grammar
from tests.support.deltas import deltas

MEMBERS = """
type item output output_index delta text content summary name call_id id arguments response status error usage
annotations encrypted_content part content_index refusal input
"""

WORDS = st.sampled_from(MEMBERS.split())


def strip(answer: dict[str, Any]) -> Any:
    """Without what a fold does not know: where in the text a source was named, which call an index was."""
    plain = msgspec.json.decode(msgspec.json.encode(answer))
    for item in plain["output"]:
        item.pop("status", None)
        for part in item.get("content", ()):
            part.pop("annotations", None)
    return plain


@given(st.lists(st.integers(0, len(stream(EVENTS))), max_size=6))
def test_any_cutting_of_a_stream_gives_the_same_deltas(cuts: list[int]) -> None:
    whole, places = stream(EVENTS), [0, *sorted(cuts)]
    pieces = [whole[start:end] for start, end in zip(places, [*places[1:], len(whole)], strict=True)]
    assert read(*pieces) == (SAID, None)


@given(st.data())
def test_anything_in_an_event_is_read_without_an_exception(data: st.DataObject) -> None:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-2, 3)
        | st.sampled_from(["x", "", "function_call", "message", "reasoning"])
    )
    value = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
        max_leaves=12,
    )
    kinds = st.sampled_from(sorted({str(event["type"]) for event in EVENTS}))
    made = st.dictionaries(WORDS, value, max_size=6)
    events = data.draw(st.lists(st.tuples(made, kinds).map(lambda pair: {**pair[0], "type": pair[1]}), max_size=6))
    read(stream(events))
    read_answer(data.draw(made), signer="me")


@given(deltas(choices=2))
def test_whatever_is_said_the_stream_obeys_the_grammar(said: list[Delta]) -> None:
    grammar.check(written(said))


@given(deltas(choices=2), st.randoms())
def test_whatever_the_order_the_stream_obeys_the_grammar(said: list[Delta], random: Any) -> None:
    random.shuffle(said)
    grammar.check(written(said))


@given(deltas(), st.data())
def test_an_error_ends_the_stream_wherever_it_comes(said: list[Delta], data: st.DataObject) -> None:
    writer = ResponseWriter(id="x", model="m", created=7, conversation=PLAIN)
    told = b"".join(writer.feed(delta) for delta in said[: data.draw(st.integers(0, len(said)))])
    final = grammar.check(told + writer.error(Fault(status=502, message="broken"), "req_1"))
    error = final["error"] if told else final
    assert (error["code"], error["message"]) == ("server_error", "broken")


@given(deltas())
def test_a_whole_answer_is_the_response_that_its_stream_ends_with(said: list[Delta]) -> None:
    streamed = grammar.check(written(said))
    whole = render_answer(assemble(said), id="x", model="m", created=7, conversation=PLAIN)
    assert strip(whole) == strip(streamed)


@given(deltas())
def test_the_same_deltas_give_the_same_bytes(said: list[Delta]) -> None:
    assert written(said) == written(said)


@given(deltas())
def test_what_is_written_can_be_read_again(said: list[Delta]) -> None:
    told, fault = read(written(said))
    assert fault is None
    texts = [part.text for part in assemble(told).choices[0].parts if hasattr(part, "text")]
    again = [part.text for part in assemble(said).choices[0].parts if hasattr(part, "text")]
    assert "".join(texts) == "".join(again)
