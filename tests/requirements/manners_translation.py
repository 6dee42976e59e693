"""Manners, translation: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # T1
    *base.rows(
        "docs/routing.md",
        (
            "manners.T1",
            "Which endpoint of a provider serves a client is decided by the model and by what the request needs.",
            (
                "operations/test_endpoints.py::test_clients_of_other_dialects_get_the_endpoint_that_carries_most",
                "operations/test_endpoints.py::test_what_chat_refuses_is_asked_in_responses_for_clients_of_chat",
                "operations/test_endpoints.py::test_a_model_that_no_configured_endpoint_serves_is_refused_with_what_to_add",
            ),
        ),
        (
            "manners.T1.chat-only",
            "Where there is Chat only, functions go without the reasoning that it refuses beside them, and that is told.",
            "operations/test_endpoints.py::test_where_there_is_chat_only_functions_go_without_reasoning",
        ),
    ),
    # T2
    base.row(
        "manners.T2",
        "docs/wire/openai-chat.md",
        "Leading instructions are one message and later ones text of the user's in their place, but for OpenAI's models.",
        "conversion/test_chat_manners.py::test_a_later_instruction_stays_in_its_place_as_text_of_the_user",
        "conversion/test_chat_manners.py::test_leading_instructions_are_one",
        "conversion/test_chat_manners.py::test_instructions_stay_as_they_are_at_openai",
        "properties/test_strict_chat_servers.py::test_a_strict_server_takes_every_history",
        "properties/test_strict_chat_servers.py::test_one_more_step_only_appends",
    ),
    # T3
    base.row(
        "manners.T3",
        "docs/wire/tools.md",
        "Every tool that Responses clients run is offered, called and answered at every vendor, streamed or not.",
        "stories/test_tools_of_responses.py::test_a_tool_is_offered_called_and_answered",
        "stories/test_tools_of_responses.py::test_a_search_has_the_description_and_the_parameters_that_the_client_gives_it",
        "stories/test_tools_of_responses.py::test_a_search_that_the_vendor_runs_has_nothing_to_search_where_every_tool_is_offered",
        "stories/test_tools_of_responses.py::test_what_openai_searched_by_itself_is_told_as_a_call_and_its_result",
    ),
    # T4
    base.row(
        "manners.T4",
        "docs/wire/openai-chat.md",
        "Where thoughts are demanded each message of the assistant has one, unless thinking is switched off.",
        "conversion/test_chat_manners.py::test_every_message_of_the_assistant_has_a_thought_where_that_is_demanded",
        "conversion/test_chat_manners.py::test_no_thought_is_made_up_where_thinking_is_switched_off",
        "dialects/test_lookalikes.py::test_a_chat_clients_messages_have_thoughts_where_those_are_demanded",
        "dialects/test_lookalikes.py::test_a_chat_client_that_does_without_thinking_needs_no_thoughts",
    ),
    base.row(
        "manners.T4.memory",
        "docs/wire/reasoning-and-signatures.md",
        "Thoughts that a client cannot bring back are remembered by the ids of the calls that they led to.",
        "stories/test_remembered_thoughts.py::test_a_thought_comes_back_with_its_call_though_the_client_dropped_it",
        "stories/test_remembered_thoughts.py::test_a_streamed_thought_is_remembered_too",
        "stories/test_remembered_thoughts.py::test_a_space_stands_for_a_thought_of_another_client",
        "stories/test_remembered_thoughts.py::test_an_exchange_that_was_given_a_thought_replays_by_itself",
    ),
    # T6
    base.row(
        "manners.T6",
        "docs/wire/messages-and-media.md",
        "Neighbouring texts of one answer are one text; what stood between texts, or another message, sets them apart.",
        "conversion/test_joined_texts.py::test_an_answer_of_the_history_is_one_text_for_a_chat_upstream",
        "conversion/test_joined_texts.py::test_an_answer_of_the_history_is_one_part_for_a_responses_upstream",
        "conversion/test_joined_texts.py::test_thoughts_in_pieces_are_one_and_two_thoughts_are_two",
    ),
    # T7
    base.row(
        "manners.T7",
        "docs/wire/openai-chat.md",
        "Where a user may not follow a tool the assistant has a word in between.",
        "conversion/test_chat_manners.py::test_the_assistant_has_a_word_between_a_result_and_the_user",
        "conversion/test_chat_manners.py::test_what_a_result_shows_beside_text_is_told_behind_that_word",
    ),
    # T9
    base.row(
        "manners.T9.responses",
        "docs/wire/openai-responses.md",
        "What OpenAI's own tools did in a history is told to other models as calls and results.",
        "dialects/openai_responses/test_hosted_items.py::test_what_openai_ran_is_a_call_and_its_result",
        "dialects/openai_responses/test_hosted_items.py::test_what_is_answered_by_an_item_of_its_own_pairs_with_it",
        "dialects/openai_responses/test_hosted_items.py::test_what_agents_say_to_each_other_is_told_and_what_is_sealed_is_reported",
    ),
    # T10
    base.row(
        "manners.T10",
        "docs/wire/json-schema.md",
        "Schemas reach Gemini and Moonshot without references but those of schemas that hold themselves.",
        "conversation/test_schema_writer.py::test_gemini_gets_what_references_lead_to",
        "conversation/test_schema_writer.py::test_what_stands_beside_a_reference_is_kept_by_copying",
        "conversation/test_schema_writer.py::test_a_schema_that_holds_itself_keeps_a_reference_to_a_definition",
        "conversation/test_schema_writer.py::test_copying_is_bounded",
        "conversation/test_schema_writer.py::test_whatever_a_schema_holds_every_target_gets_what_it_takes",
        "conversion/test_schemas.py::test_references_are_such_as_the_upstream_takes",
        "conversion/test_schemas.py::test_kimi_gets_moonshots_flavour_at_both_doors",
    ),
    base.row(
        "manners.T10-names",
        "docs/wire/tools.md",
        "A tool's name stands for one tool, beside the vendor's own tools, too.",
        "conversation/test_tool_list.py::test_a_name_stands_for_one_tool",
        "conversation/test_tool_list.py::test_a_function_beside_a_hosted_tool_of_its_name_gets_another_one",
        "conversion/test_schemas.py::test_a_function_named_like_the_vendors_search_is_told_apart",
        "conversion/test_schemas.py::test_descriptions_are_as_long_as_the_model_takes_them",
        "conversion/test_schemas.py::test_parameters_that_anthropic_refuses_go_by_other_names",
        "conversation/test_parameter_names.py::test_names_are_legal_there_and_the_clients_own_back_again",
        "conversion/test_delta_mapping.py::test_arguments_come_home_under_the_clients_own_names",
    ),
    # T11
    base.row(
        "manners.T11",
        "docs/wire/json-schema.md",
        "The root of a tool's schema is a plain object, and a root of structured output that is none goes in one.",
        "conversion/test_schemas.py::test_the_root_of_a_tool_is_an_object_everywhere",
        "conversion/test_schemas.py::test_a_list_is_asked_for_as_the_upstream_takes_it",
        "conversion/test_schemas.py::test_a_list_comes_home_as_one",
        "conversion/test_schemas.py::test_a_model_without_schemas_is_told_in_words",
        "conversation/test_wrapped_output.py::test_a_value_comes_out_of_its_object_however_it_is_cut",
        "conversation/test_wrapped_output.py::test_what_is_not_wrapped_passes",
    ),
    # T12
    base.row(
        "manners.T12",
        "docs/wire/openai-responses.md",
        "A Responses stream without indices, ids or announcements says what it says; content is never an empty success.",
        "dialects/openai_responses/test_lean_streams.py::test_what_is_left_out_of_events_changes_nothing",
        "dialects/openai_responses/test_lean_streams.py::test_text_streams_without_indices_and_is_no_empty_success",
        "dialects/openai_responses/test_lean_streams.py::test_content_that_cannot_be_read_is_a_fault_and_no_empty_success",
        "dialects/anthropic/test_answer.py::test_blocks_without_an_index_follow_one_another",
    ),
    # T13
    base.row(
        "manners.T13",
        "docs/wire/openai-chat.md",
        "Sources that stand beside the choices of an answer are citations of what was said.",
        "dialects/openai_chat/test_sources.py::test_sources_of_a_whole_answer_are_for_all_of_it",
        "dialects/openai_chat/test_sources.py::test_sources_that_every_chunk_repeats_are_told_once_and_at_the_end",
        "dialects/openai_chat/test_sources.py::test_clients_see_sources",
    ),
    # T27
    base.row(
        "manners.T27",
        "docs/wire/openai-responses.md",
        "A trigger of compaction has any model sum the conversation up without tools; one item carries the summary.",
        "stories/test_compaction.py::test_a_trigger_has_the_model_sum_up_without_tools",
        "stories/test_compaction.py::test_a_stream_of_a_compaction_tells_one_item",
        "stories/test_compaction.py::test_the_route_of_compaction_sums_up_at_any_vendor",
    ),
    base.row(
        "manners.T27.opened",
        "docs/wire/openai-responses.md",
        "A summary is told to whoever goes on with the conversation; what another vendor compacted is a 400.",
        "stories/test_compaction.py::test_a_summary_is_told_to_whoever_goes_on_and_to_a_gateway_that_was_restarted",
        "stories/test_compaction.py::test_a_summary_is_told_to_openai_too",
        "stories/test_compaction.py::test_what_openai_compacted_is_no_others_to_open_and_the_refusal_says_what_to_do",
    ),
    base.row(
        "manners.T27.messages",
        "docs/wire/anthropic-messages.md",
        "A Messages client that asks for a compaction gets one block with the summary, which stands for all before it.",
        "stories/test_compaction.py::test_clients_of_messages_get_one_block_with_the_summary",
        "stories/test_compaction.py::test_a_summary_goes_to_anthropic_as_the_users_words_and_its_own_blocks_as_they_are",
        "dialects/anthropic/test_request.py::test_the_summary_of_a_compaction_stands_for_what_was_said_before_it",
    ),
    # T29
    base.row(
        "manners.T29",
        "docs/wire/openai-responses.md",
        "A configuration update holds as if it stood at the top level, and what else it says is reported.",
        "dialects/openai_responses/test_request.py::test_the_last_update_of_each_setting_holds_as_if_it_stood_at_the_top",
        "dialects/openai_responses/test_request.py::test_what_else_an_update_says_is_reported",
    ),
)
