"""Anthropic's Messages."""

from __future__ import annotations

from typing import Final

from agcore.dialects.anthropic.traits import TRAITS
from agcore.dialects.base import Client, Dialect, Errors, PassThrough, Upstream


def _errors() -> Errors:
    from agcore.dialects.anthropic import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.anthropic.stream_events import StreamEvents, read_usage
    from agcore.dialects.anthropic.stream_tap import StreamTap
    from agcore.dialects.anthropic.whole_answer import fold, judge
    from agcore.dialects.shared.request_edits import edit_model, summary_of_body

    return PassThrough(
        judge=judge,
        fold=fold,
        read_summary=summary_of_body,
        edits=edit_model,
        fills_cache=lambda members: members.value("max_tokens") == 0,
        read_usage=read_usage,
        events=StreamEvents,
        tap=StreamTap,
    )


def _client() -> Client:
    from agcore.dialects.anthropic.answer_writer import ResponseWriter, render_answer
    from agcore.dialects.anthropic.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


def _upstream() -> Upstream:
    from agcore.dialects.anthropic.answer_reader import ResponseReader, read_answer
    from agcore.dialects.anthropic.request_writer import render_request

    return Upstream(render_request, ResponseReader, read_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client, upstream=_upstream)
