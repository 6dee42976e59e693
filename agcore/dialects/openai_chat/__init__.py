"""OpenAI's Chat Completions."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Client, Dialect, Errors, PassThrough, Upstream
from agcore.dialects.openai_chat.traits import TRAITS


def _errors() -> Errors:
    from agcore.dialects.openai_chat import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.openai_chat.chunk_repair import mend_answer
    from agcore.dialects.openai_chat.request_edits import edits, passes
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
        mend_answer=mend_answer,
        passes=passes,
    )


def _client() -> Client:
    from agcore.dialects.openai_chat.answer_writer import ResponseWriter, render_answer
    from agcore.dialects.openai_chat.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


def _upstream() -> Upstream:
    from agcore.dialects.openai_chat.answer_reader import ResponseReader, read_answer
    from agcore.dialects.openai_chat.request_writer import render_request

    return Upstream(render_request, ResponseReader, read_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client, upstream=_upstream)
