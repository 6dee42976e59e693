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
        "manners.T28",
        "docs/wire/tools.md",
        "The tools upstream are those that there are at the end of the history, with additions and without removals.",
        "dialects/anthropic/test_request.py::test_the_tools_are_those_that_there_are_at_the_end",
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
