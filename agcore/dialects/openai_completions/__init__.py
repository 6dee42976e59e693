"""OpenAI's legacy Completions: its streams are Chat's in all that is looked at, and it is nobody's upstream."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Client, Dialect, Errors, PassThrough
from agcore.dialects.openai_completions.traits import TRAITS


def _errors() -> Errors:
    from agcore.dialects.openai_chat import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.openai_chat.request_edits import edits
    from agcore.dialects.openai_chat.stream_events import StreamEvents, read_usage
    from agcore.dialects.openai_chat.stream_tap import StreamTap
    from agcore.dialects.openai_chat.whole_answer import fold, judge
    from agcore.dialects.shared.request_edits import summary_of_body

    return PassThrough(
        judge=judge,
        fold=fold,
        read_summary=summary_of_body,
        edits=edits,
        read_usage=read_usage,
        events=StreamEvents,
        tap=StreamTap,
    )


def _client() -> Client:
    from agcore.dialects.openai_completions.answer_writer import ResponseWriter, render_answer
    from agcore.dialects.openai_completions.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client)
