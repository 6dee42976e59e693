from __future__ import annotations

from typing import Any

import pytest

from agcore.conversation.assemble import assemble
from agcore.conversation.losses import Losses
from agcore.conversation.values import (
    Consumed,
    Conversation,
    Delta,
    Finished,
    Invalid,
    Settings,
    Started,
    Stop,
    Text,
    TextDelta,
    ThinkingDelta,
    ThinkingEnded,
    Turn,
)
from agcore.dialects.openai_completions.answer_writer import ResponseWriter, render_answer
from agcore.dialects.openai_completions.request_reader import parse_request, prompts
from agcore.protocol.fault import Fault
from agcore.protocol.report import Usage
from tests.support.grammar_openai_chat import check


def parsed(losses: Losses | None = None, /, **body: Any) -> Conversation:
    return parse_request(body, model="m", stream=False, losses=Losses() if losses is None else losses)


def write(said: list[Delta], conversation: Conversation) -> bytes:
    writer = ResponseWriter(id="1f", model="m", created=1, conversation=conversation)
    return b"".join(map(writer.feed, said)) + writer.end()


def render(said: list[Delta], conversation: Conversation) -> dict[str, Any]:
    return render_answer(assemble(said), id="1f", model="m", created=1, conversation=conversation)


def test_a_prompt_is_a_user_turn_with_sixteen_tokens_to_answer() -> None:
    conversation = parsed(prompt="Say hi", temperature=0.5, stop="\n")
    assert conversation.turns == (Turn("user", (Text("Say hi"),)),)
    assert conversation.settings == Settings(max_output=16, temperature=0.5, stop=("\n",))


def test_a_list_of_prompts_is_several_conversations() -> None:
    body: dict[str, object] = {"prompt": ["a", "b"]}
    assert prompts(body) == ["a", "b"]
    conversation = parsed(**body)
    assert conversation.turns == (Turn("user", (Text("a"),)),)
    assert conversation.prompts == (conversation.turns, (Turn("user", (Text("b"),)),))
    assert parsed(prompt=["a"]).prompts == ()


@pytest.mark.parametrize("prompt", [None, [], 5, [1, 2], [[1], [2]], ["a", 1]])
def test_prompts_that_are_not_text_are_invalid(prompt: object) -> None:
    with pytest.raises(Invalid) as caught:
        parsed(prompt=prompt)
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    "fields", [{"suffix": "x"}, {"best_of": 3}, {"logprobs": 2}, {"logprobs": 0}, {"n": 2, "best_of": 3}]
)
def test_what_no_conversation_can_do_refuses(fields: dict[str, Any]) -> None:
    losses = Losses()
    parsed(losses, prompt="x", **fields)
    assert [loss.weight for loss in losses] == ["refuse"]


@pytest.mark.parametrize(
    "fields", [{"suffix": None}, {"best_of": 1}, {"logprobs": None}, {"suffix": ""}, {"echo": True}]
)
def test_what_says_nothing_is_no_loss(fields: dict[str, Any]) -> None:
    losses = Losses()
    parsed(losses, prompt="x", **fields)
    assert len(losses) == 0


def test_a_whole_answer_is_text_alone() -> None:
    said: list[Delta] = [
        ThinkingDelta("T"),
        ThinkingEnded(),
        TextDelta("hi"),
        Consumed(Usage(fresh=3, output=1)),
        Finished(Stop.LENGTH),
    ]
    answer = render(said, parsed(prompt="x"))
    assert answer["object"] == "text_completion"
    assert answer["id"] == "cmpl-1f"
    assert answer["choices"] == [{"text": "hi", "index": 0, "logprobs": None, "finish_reason": "length"}]
    assert answer["usage"]["total_tokens"] == 4


def test_echo_puts_each_choice_behind_its_own_prompt() -> None:
    conversation = parsed(prompt=["a: ", "b: "], n=2, echo=True)
    said: list[Delta] = []
    for choice in range(4):
        said += [TextDelta(str(choice), choice=choice), Finished(Stop.END, choice=choice)]
    assert [choice["text"] for choice in render(said, conversation)["choices"]] == ["a: 0", "a: 1", "b: 2", "b: 3"]
    texts = [""] * 4
    for chunk in check(write(said, conversation), include_usage=False, kind="text_completion"):
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == ["a: 0", "a: 1", "b: 2", "b: 3"]


def test_an_error_ends_the_stream_without_a_finish_reason() -> None:
    writer = ResponseWriter(id="1f", model="m", created=1, conversation=parsed(prompt="x"))
    out = writer.feed(Started()) + writer.feed(TextDelta("half")) + writer.feed(Finished(Stop.END))
    out += writer.error(Fault(status=502, message="gone"), "req_1")
    assert b'"finish_reason":"' not in out
    assert b'"message":"gone"' in out
    assert b"[DONE]" not in out


def test_a_member_that_completions_do_not_have_is_lost() -> None:
    losses = Losses()
    parsed(losses, prompt="x", unheard_of=1)
    assert [loss.path for loss in losses] == ["unheard_of"]


def test_what_follows_the_end_of_an_answer_is_not_written() -> None:
    told = write([TextDelta("hi"), Finished(Stop.END), TextDelta("late")], parsed(prompt="x"))
    assert b"hi" in told
    assert b"late" not in told
