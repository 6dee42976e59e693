"""A dialect that no vendor speaks: what it takes to add one is this folder and a row in the registry.

{"model": "m", "say": "Hi.", "stream": true}    a request
{"model": "m", "said": "Hello.", "spent": [1, 2]}    an answer
{"say": "Hel"}  {"over": true, "spent": [1, 2]}    the events of a stream
{"wrong": "no", "status": 503}    an error, anywhere
"""

from __future__ import annotations

from typing import Final

from agcore.dialects.base import Client, Dialect, Errors, PassThrough, Upstream
from tests.dialects.toy.traits import TRAITS


def _errors() -> Errors:
    from tests.dialects.toy import errors

    return errors


def _pass_through() -> PassThrough:
    from agcore.dialects.shared.request_edits import edit_model, summary_of_body
    from tests.dialects.toy.stream_events import StreamEvents, read_usage
    from tests.dialects.toy.stream_tap import StreamTap

    return PassThrough(
        read_summary=summary_of_body,
        edits=edit_model,
        read_usage=read_usage,
        events=StreamEvents,
        tap=StreamTap,
    )


def _client() -> Client:
    from tests.dialects.toy.answer_writer import ResponseWriter, render_answer
    from tests.dialects.toy.request_reader import parse_request

    return Client(parse_request, ResponseWriter, render_answer)


def _upstream() -> Upstream:
    from tests.dialects.toy.answer_reader import ResponseReader, read_answer
    from tests.dialects.toy.request_writer import render_request

    return Upstream(render_request, ResponseReader, read_answer)


DIALECT: Final = Dialect(TRAITS, errors=_errors, pass_through=_pass_through, client=_client, upstream=_upstream)
