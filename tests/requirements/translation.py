"""Answers, streams, and what translation keeps."""

from __future__ import annotations

from typing import Final

from tests.requirements.base import rows

ANSWERS: Final = rows(
    "docs/decisions/0007-what-pass-through-edits.md",
    (
        "pass.request",
        "A request to a provider of the client's dialect keeps its bytes but for the listed edits.",
        (
            "conversion/test_passthrough.py::test_a_request_body_goes_up_byte_for_byte",
            "conversion/test_passthrough.py::test_an_alias_is_replaced_in_the_request_and_nothing_else_is",
            "properties/test_json_splice.py::test_an_edit_changes_the_members_it_names_and_no_other_byte",
        ),
    ),
    (
        "pass.answer",
        "A whole answer and a stream keep their bytes but for the listed edits.",
        (
            "conversion/test_passthrough.py::test_a_whole_answer_comes_down_byte_for_byte",
            "conversion/test_passthrough.py::test_a_stream_comes_down_byte_for_byte",
        ),
    ),
    (
        "pass.two-meanings",
        "A body in which a name stands twice could mean two things and is refused.",
        "properties/test_json_splice.py::test_a_name_that_stands_twice_is_refused_however_it_is_spelt",
    ),
    (
        "pass.headers",
        "Only listed header fields pass, in either direction, and no credential of the client goes up.",
        (
            "conversion/test_passthrough.py::test_only_listed_headers_go_up_and_no_credential_of_the_client",
            "conversion/test_passthrough.py::test_listed_headers_come_down_with_the_answers_origin",
        ),
    ),
    (
        "pass.announcements",
        "The announcements of a stream wait for its first content, so that an early error is still an honest status.",
        (
            "conversion/test_passthrough.py::test_lifecycle_events_wait_for_content",
            "stories/test_upstream_errors.py::test_an_error_in_a_stream_chooses_its_status_while_it_still_can",
        ),
    ),
    (
        "pass.cut",
        "A stream reads the same however it is cut.",
        (
            "properties/test_exchange.py::test_a_stream_reads_the_same_however_it_is_cut",
            "properties/test_translated_streams.py::test_however_a_stream_is_cut_the_client_gets_the_same",
        ),
    ),
    (
        "pass.broken",
        "A stream that breaks off after content ends in an error and never as a success.",
        "stories/test_upstream_errors.py::test_a_stream_that_is_cut_after_content_ends_in_an_error",
    ),
)

TRANSLATION: Final = rows(
    "docs/decisions/0010-one-neutral-conversation.md",
    (
        "translate.requests",
        "Any legal history of a client gives a legal request for any upstream.",
        "properties/test_translated_requests.py::test_a_legal_history_gives_a_legal_request",
    ),
    (
        "translate.append",
        "A further turn only appends to what is sent upstream, so that the vendor's prompt cache holds.",
        "properties/test_translated_requests.py::test_further_turns_only_append",
    ),
    (
        "translate.streams",
        "Any answer of any upstream becomes a well-formed stream of any client.",
        "properties/test_translated_streams.py::test_every_stream_is_well_formed",
    ),
    (
        "translate.fold",
        "A whole answer is the fold of its stream.",
        "properties/test_assemble.py::test_the_fold_of_a_stream_is_what_was_said",
    ),
    (
        "translate.calls-answered",
        "Every call of a history is answered exactly once, right behind it and in order.",
        "conversation/test_repair.py::test_every_call_is_answered_exactly_once_right_behind_it_and_in_order",
    ),
    (
        "translate.names",
        "Every tool name becomes legal and distinct upstream, and comes home as it was.",
        "conversation/test_tool_names.py::test_every_name_becomes_legal_distinct_and_finds_home",
    ),
    (
        "translate.losses",
        "What cannot be carried is told in a header and in the access row, and can be refused.",
        (
            "stories/test_translation.py::test_losses_are_told_in_a_header_and_in_the_access_row",
            "stories/test_translation.py::test_losses_can_be_refused_by_configuration",
        ),
    ),
    (
        "translate.signatures",
        "A signature comes back to its signer and is shown to nobody else.",
        (
            "conversation/test_signature_carrier.py::test_a_carrier_brings_its_signature_back",
            "state/test_signatures.py::test_nobody_gets_what_another_client_was_told",
        ),
    ),
)

SSE: Final = rows(
    "agcore/codecs/sse.py",
    (
        "sse.chunking",
        "Any cutting of a stream gives the same frames.",
        "codecs/test_sse.py::test_any_cutting_of_a_stream_gives_the_same_frames",
    ),
    (
        "sse.standard",
        "The frames are those of the standard's line-by-line algorithm.",
        "codecs/test_sse.py::test_frames_are_those_of_the_standards_line_by_line_algorithm",
    ),
    (
        "sse.raw",
        "The raw frames together are the stream.",
        "codecs/test_sse.py::test_the_raw_frames_are_the_stream_without_its_byte_order_mark",
    ),
    (
        "sse.limits",
        "A line or an event over its limit ends the decoder as soon as it is too long.",
        (
            "codecs/test_sse.py::test_an_unfinished_line_is_refused_as_soon_as_it_is_too_long",
            "codecs/test_sse.py::test_an_event_over_the_limit_is_refused_before_it_is_complete",
        ),
    ),
    (
        "sse.once",
        "A byte is searched once, in however many pieces it comes.",
        (
            "codecs/test_sse.py::test_a_long_line_in_small_pieces_is_searched_once",
            "codecs/test_sse.py::test_many_frames_in_one_piece_are_searched_once",
        ),
    ),
)
