"""Google's Gemini API."""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Client, Dialect, Errors, PassThrough, Upstream
from agcore.dialects.gemini.traits import TRAITS


def _errors() -> Errors:
    from agcore.dialects.gemini import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.gemini.request_edits import edits, read_summary
    from agcore.dialects.gemini.stream_events import StreamEvents, read_usage
    from agcore.dialects.gemini.stream_tap import StreamTap
    from agcore.dialects.gemini.whole_answer import fold, judge

    return PassThrough(
        judge=judge,
        fold=fold,
        read_summary=read_summary,
        edits=edits,
        read_usage=read_usage,
        events=StreamEvents,
        tap=StreamTap,
    )


def _client() -> Client:
    from agcore.dialects.gemini.answer_writer import ResponseWriter, render_answer
    from agcore.dialects.gemini.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


def _upstream() -> Upstream:
    from agcore.dialects.gemini.answer_reader import ResponseReader, read_answer
    from agcore.dialects.gemini.request_writer import render_request

    return Upstream(render_request, ResponseReader, read_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client, upstream=_upstream)
