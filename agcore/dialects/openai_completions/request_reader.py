"""Requests of legacy Completions, for clients only: one user's prompt (docs/wire/openai-completions.md).

A list of prompts is as many conversations (`Conversation.prompts`), each of which is asked for by a call of its own.
Choice `c` of the whole answer is then the answer number `c % n` to prompt `c // n`.
"""

from __future__ import annotations

from typing import Final

from agcore.conversation.losses import Losses
from agcore.conversation.values import Conversation, Invalid, Text, Turn
from agcore.dialects.openai.fields import Fields, flag, integer, members, text, wrong
from agcore.dialects.openai_chat.request_reader import asks_for_usage, read_settings
from agcore.dialects.shared.unread import note_unread

DEFAULT_MAX_OUTPUT: Final = 16
"""Tokens: what the API gives where `max_tokens` is absent."""

_READ: Final = frozenset({
    "model", "prompt", "suffix", "max_tokens", "temperature", "top_p", "top_k", "n", "stream", "stream_options",
    "logprobs", "echo", "stop", "presence_penalty", "frequency_penalty", "best_of", "logit_bias", "seed", "user",
})  # fmt: skip


def prompts(body: Fields) -> list[str]:
    """The prompts of a request, at least one. Raises `conversation.values.Invalid` for tokens instead of text."""
    prompt = body.get("prompt")
    if prompt is None:
        raise Invalid("`prompt` is required", param="prompt")
    if isinstance(prompt, str):
        return [prompt]
    if not isinstance(prompt, list) or not prompt:
        raise wrong("prompt", "a string or an array of strings")
    texts = [each for each in prompt if isinstance(each, str)]
    if len(texts) != len(prompt):
        raise Invalid("`prompt` must be text: tokens of one model mean nothing to another", param="prompt")
    return texts


def parse_request(body: dict[str, object], *, model: str, stream: bool, losses: Losses) -> Conversation:
    """See `base.ParseRequest`. Several prompts are in `Conversation.prompts`."""
    said = prompts(body)
    if not all(said):
        losses.add("prompt", "a conversation cannot go on from nothing", weight="refuse")
    if text(body, "suffix"):
        losses.add("suffix", "a conversation cannot fill a gap", weight="refuse")
    choices, best_of = integer(body, "n") or 1, integer(body, "best_of")
    if best_of is not None and best_of > choices:
        losses.add("best_of", "which answer is best is decided by token probabilities", weight="refuse")
    if isinstance(body.get("logprobs"), int | float) and not isinstance(body.get("logprobs"), bool):
        losses.add("logprobs", "token probabilities are not translated", weight="refuse")
    flag(body, "echo")
    note_unread(members(body, "stream_options") or {}, frozenset({"include_usage"}), "stream_options.", losses)
    for name, value in body.items():
        if name not in _READ and value is not None:
            losses.add(name, "not a member of Completions that is known")
    limit = integer(body, "max_tokens")
    return Conversation(
        model=model,
        turns=_turns(said[0]),
        prompts=tuple(map(_turns, said)) if len(said) > 1 else (),
        settings=read_settings(body, max_output=limit if limit is not None and limit > 0 else DEFAULT_MAX_OUTPUT),
        stream=stream,
        include_usage=asks_for_usage(body),
        echo=body,
    )


def _turns(said: str) -> tuple[Turn, ...]:
    return (Turn("user", (Text(said),) if said else ()),)
