"""OpenAI's Responses."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Client, Dialect, Errors, PassThrough, Upstream
from agcore.dialects.openai_responses.traits import TRAITS


def _errors() -> Errors:
    from agcore.dialects.openai_responses import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.openai_responses.request_edits import edits, fills_cache
    from agcore.dialects.openai_responses.stream_events import StreamEvents, read_usage
    from agcore.dialects.openai_responses.stream_tap import StreamTap
    from agcore.dialects.openai_responses.whole_answer import fold, judge
    from agcore.dialects.shared.request_edits import summary_of_body

    return PassThrough(
        judge=judge,
        fold=fold,
        read_summary=summary_of_body,
        edits=edits,
        fills_cache=fills_cache,
        read_usage=read_usage,
        events=StreamEvents,
        tap=StreamTap,
    )


def _client() -> Client:
    from agcore.dialects.openai_responses.answer_writer import ResponseWriter, render_answer
    from agcore.dialects.openai_responses.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


def _upstream() -> Upstream:
    from agcore.dialects.openai_responses.answer_reader import ResponseReader, read_answer
    from agcore.dialects.openai_responses.request_writer import render_request

    return Upstream(render_request, ResponseReader, read_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client, upstream=_upstream)
