"""Manners, upstreams and steering: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T18
    base.row(
        "manners.T18",
        "docs/wire/gemini.md",
        "A tool result in which Google would look up a reference, or round a number, goes to Gemini as text.",
        "dialects/gemini/test_request_writer.py::test_results_are_objects",
    ),
    # T19
    base.row(
        "manners.T19",
        "docs/wire/openai-chat.md",
        "Where turns alternate neighbouring messages of the user are one, and the user is the first and the last.",
        "conversion/test_chat_manners.py::test_neighbouring_messages_of_the_user_are_one_where_turns_alternate",
        "conversion/test_chat_manners.py::test_the_user_speaks_first_where_that_is_demanded",
        "properties/test_strict_chat_servers.py::test_a_strict_server_takes_every_history",
    ),
    # T20
    base.row(
        "manners.T20",
        "docs/wire/openai-chat.md",
        "Ids that a server does not take become nine letters and digits, always the same; its own pass both ways.",
        "conversion/test_chat_manners.py::test_ids_of_calls_are_nine_letters_and_digits_in_call_and_result_alike",
        "conversion/test_chat_manners.py::test_an_id_of_mistrals_own_comes_to_the_client_and_goes_back_as_it_is",
    ),
    # T21
    base.row(
        "manners.T21",
        "docs/wire/lookalikes.md",
        "A look-alike of Responses gets functions, messages, calls and their outputs, and its answers are turned back.",
        "stories/test_lookalikes.py::test_codex_reaches_xai_in_words_that_it_knows",
        "stories/test_lookalikes.py::test_custom_calls_and_namespaces_are_restored_in_the_answer",
        "stories/test_lookalikes.py::test_what_a_look_alike_knows_passes_byte_for_byte",
        "stories/test_lookalikes.py::test_members_that_are_refused_are_taken_out_of_what_passes",
        "stories/test_lookalikes.py::test_openai_itself_and_servers_nobody_knows_get_everything_as_it_is",
        "test_convert.py::test_a_look_alike_gets_what_the_gateway_would_send_it",
        "dialects/test_lookalikes.py::test_a_responses_request_is_edited",
    ),
    # T22
    base.row(
        "manners.T22",
        "docs/wire/lookalikes.md",
        "A look-alike of Messages gets late system messages as the user's text, and what it demands of thinking.",
        "stories/test_lookalikes.py::test_claude_code_reaches_deepseek_in_words_that_it_knows",
        "stories/test_lookalikes.py::test_a_message_that_a_look_alike_knows_passes_byte_for_byte",
        "stories/test_lookalikes.py::test_what_anthropics_tools_did_is_told_to_a_look_alike",
        "stories/test_lookalikes.py::test_tokens_are_counted_of_what_is_sent",
        "dialects/test_lookalikes.py::test_the_systems_messages_are_the_users_text",
        "dialects/test_lookalikes.py::test_thinking_is_there_where_it_is_demanded",
    ),
    # T23
    base.row(
        "manners.T23",
        "docs/wire/openai-chat.md",
        "Where no tools are taken, calls and results are told in words, and offered tools are a loss.",
        "conversion/test_chat_manners.py::test_calls_and_results_are_told_in_words_where_no_tools_are_taken",
        "test_convert.py::test_tools_are_told_in_words_to_who_takes_none",
    ),
    # T24
    base.row(
        "manners.T24",
        "docs/routing.md",
        "What a model refuses while it thinks, or always, is left out: sampling, forced calls, another vendor's words.",
        "dialects/openai_chat/test_vendor_manners.py::test_sampling_that_is_fixed_is_left_out",
        "dialects/test_lookalikes.py::test_fixed_sampling_is_left_out_of_what_passes",
        "dialects/openai_chat/test_vendor_manners.py::test_a_forced_call_excludes_thinking_where_that_can_be_switched_off",
        "dialects/openai_chat/test_vendor_manners.py::test_a_forced_call_is_left_to_a_model_that_always_thinks",
        "dialects/openai_chat/test_vendor_manners.py::test_reasoning_is_asked_for_in_the_words_of_who_serves",
    ),
    # T25
    base.row(
        "manners.T25",
        "docs/wire/gemini.md",
        "What another vendor signed comes back from a Gemini client that keeps only calls, each at its own place.",
        "dialects/gemini/test_answer.py::test_what_led_to_a_call_returns_to_its_place",
        "dialects/gemini/test_answer.py::test_an_answer_without_a_call_keeps_its_signature_on_a_thought",
    ),
    # T26
    base.row(
        "manners.T26.prefill",
        "docs/wire/openai-chat.md",
        "A given beginning of the answer is marked as one, asked to be continued, or goes as it is.",
        "conversion/test_chat_manners.py::test_a_given_beginning_is_marked_as_one_at_mistral",
        "conversion/test_chat_manners.py::test_a_beginning_that_nobody_continues_is_followed_by_a_request_to",
    ),
)
