"""Manners, reading: what clients send beyond their own dialect's plain words, and nothing that a reader does not know.

The ids are those of the faults.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    base.row(
        "manners.T5",
        "docs/wire/clients.md",
        "Blocks, messages and tools of one dialect in a request of another are read by who knows them.",
        "dialects/test_foreign_blocks.py::test_a_call_and_its_result_in_another_dialects_form_are_what_they_are",
        "dialects/test_foreign_blocks.py::test_cursors_tools_calls_and_results_arrive",
        "dialects/test_foreign_blocks.py::test_openais_tools_calls_and_results_in_a_messages_request_arrive",
        "dialects/test_foreign_blocks.py::test_every_block_of_anthropics_is_read_in_chat",
        "dialects/test_foreign_blocks.py::test_every_part_of_openais_is_read_in_messages",
        "dialects/test_foreign_blocks.py::test_chats_parts_are_read_in_responses_and_the_other_way_round",
    ),
    base.row(
        "manners.inventory",
        "docs/dialects.md",
        "Every member of the official SDKs' request types is carried, reported or refused, and so are members of tomorrow.",
        "dialects/test_inventory.py::test_every_member_of_the_sdks_requests_is_carried_reported_or_refused",
        "dialects/test_inventory.py::test_what_makes_no_difference_is_found",
        "dialects/test_inventory.py::test_a_member_of_tomorrow_is_told_of_before_anybody_knows_it",
    ),
    base.row(
        "manners.T5.refused",
        "docs/wire/clients.md",
        "A block that nobody can read is a 400 that names its place.",
        "dialects/test_foreign_blocks.py::test_a_block_that_nobody_can_read_is_refused_by_its_place",
    ),
    base.row(
        "manners.T9.claude",
        "docs/wire/tools.md",
        "What Anthropic's own tools did is told to others as a call and its result, each in a message of its speaker.",
        "dialects/anthropic/test_request.py::test_what_anthropics_tools_did_is_told_as_a_call_and_its_result",
        "conversion/test_joined_texts.py::test_texts_around_a_call_that_claude_ran_itself_are_two_messages_with_its_result_between",
    ),
    base.row(
        "manners.T14",
        "docs/wire/settings.md",
        "Cache markers of Chat clients are carried, wherever they stand.",
        "dialects/openai_chat/test_request.py::test_markers_of_messages_tools_and_the_whole_request_are_read",
        "dialects/openai_chat/test_request.py::test_markers_on_what_cannot_be_marked_are_notes",
        "dialects/openai_chat/test_request.py::test_openrouter_caches_claude_where_anything_is_marked",
        "dialects/openai_responses/test_request.py::test_markers_of_items_and_of_the_whole_request_are_read",
        "dialects/anthropic/test_request.py::test_a_marker_on_a_call_goes_along",
        "dialects/anthropic/test_request.py::test_who_imitates_anthropic_gets_the_last_block_marked",
    ),
    base.row(
        "manners.T14.key",
        "docs/decisions/0028-a-cache-key-is-a-wish-to-cache.md",
        "A client that names a key for the cache, and marks nothing, has its prompts cached at Anthropic's.",
        "dialects/anthropic/test_request.py::test_a_wish_to_cache_is_one_word_for_anthropic",
        "dialects/anthropic/test_request.py::test_whoever_marks_a_place_gets_no_other_one_for_a_key",
        "dialects/anthropic/test_request.py::test_nobody_else_is_asked_to_cache_for_a_key",
    ),
    base.row(
        "manners.T15",
        "docs/wire/json.md",
        "Gemini's clients may send one object, or one text, wherever a list is repeated.",
        "dialects/gemini/test_request_reader.py::test_one_object_stands_for_a_list_of_it_anywhere",
        "dialects/test_foreign_signatures.py::test_one_content_with_one_part_is_a_history_too",
    ),
    base.row(
        "manners.T17",
        "docs/wire/anthropic-messages.md",
        "A request for no output passes to Anthropic, and elsewhere is answered with an empty message, nobody being asked.",
        "stories/test_empty_answers.py::test_elsewhere_it_is_answered_with_nothing_and_nobody_is_asked",
        "stories/test_empty_answers.py::test_elsewhere_its_stream_says_nothing_and_ends_well",
        "stories/test_empty_answers.py::test_at_anthropics_it_passes",
        "stories/test_empty_answers.py::test_a_response_that_is_only_prepared_is_empty_elsewhere",
        "stories/test_empty_answers.py::test_where_some_upstreams_fill_caches_no_other_one_is_asked_after_them",
    ),
    base.row(
        "manners.T26.google",
        "docs/wire/tools.md",
        "Code that ran at Google's, and tools of Google's that were called, are calls and results to others.",
        "dialects/gemini/test_request_reader.py::test_what_google_ran_itself_is_told_to_others_as_calls_and_results",
    ),
    base.row(
        "manners.T28",
        "docs/wire/tools.md",
        "The tools upstream are those that there are at the end of the history, with additions and without removals.",
        "dialects/anthropic/test_request.py::test_the_tools_are_those_that_there_are_at_the_end",
        "dialects/anthropic/test_request.py::test_a_tool_that_was_removed_is_not_demanded",
        "dialects/anthropic/test_request.py::test_a_deferred_tool_that_is_added_is_there_and_unknown_ones_are_reported",
        "dialects/anthropic/test_request.py::test_tools_that_anthropic_runs_come_and_go_too",
        "dialects/anthropic/test_request.py::test_a_compaction_brings_the_changes_of_what_it_compacted",
    ),
    base.row(
        "manners.T28.steering",
        "docs/wire/anthropic-messages.md",
        "The last effort of a message counts, and a reminder for one turn is gone when the user spoke again.",
        "dialects/anthropic/test_request.py::test_the_last_effort_of_a_message_counts_before_the_requests_own",
        "dialects/anthropic/test_request.py::test_a_reminder_for_one_turn_is_gone_when_the_user_spoke_again",
    ),
)
