"""What agcore promises, sentence by sentence, and the tests that hold it to them.

A requirement is a sentence that a document, a decision, a docstring or an RFC says of agcore. `tests/test_requirements.py`
fails where a test that is named here does not exist, where a source does not, and where a sentence has no test.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Requirement(msgspec.Struct, frozen=True):
    """One sentence that holds."""

    id: str
    sentence: str
    source: str
    """Where it is said: a file of this repository, or an RFC by its number and section."""
    tests: tuple[str, ...]
    """`FILE::NAME`, the file below `tests`."""


def _all(source: str, *rows: tuple[str, str, tuple[str, ...] | str]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(id, sentence, source, (tests,) if isinstance(tests, str) else tests) for id, sentence, tests in rows
    )


NAMES: Final = _all(
    "docs/routing.md",
    (
        "names.exact",
        "The line of `[models]` that is the name itself decides before everything else.",
        (
            "routing/test_catalog.py::test_a_line_of_models_beats_everything",
            "properties/test_catalog.py::test_names_come_first_then_literal_characters_then_the_dialects_own_line_then_the_earlier",
        ),
    ),
    (
        "names.glob",
        "Of the globs that match, the one with the most literal characters decides.",
        "routing/test_catalog.py::test_the_glob_with_the_most_literal_characters_wins_and_keeps_the_order_of_its_targets",
    ),
    (
        "names.equal-globs",
        "Of two globs with as many literal characters the earlier line decides.",
        (
            "routing/test_catalog.py::test_of_equal_globs_the_earlier_line_wins",
            "properties/test_catalog.py::test_the_order_of_models_lines_matters_only_between_equal_globs",
        ),
    ),
    (
        "names.provider",
        "`provider/model` goes to that provider and to nobody else.",
        "routing/test_catalog.py::test_a_name_with_its_provider_goes_nowhere_else",
    ),
    (
        "names.order",
        "A name that no line has goes to the providers whose models match, in the order of the file.",
        (
            "routing/test_catalog.py::test_the_first_provider_with_a_matching_model_gets_the_name_as_it_is",
            "routing/test_catalog.py::test_later_providers_that_name_a_model_are_further_steps",
        ),
    ),
    (
        "names.bare-star",
        "A bare `*` serves names that nobody above knows, and makes its provider no fallback for the others.",
        "routing/test_catalog.py::test_a_bare_star_serves_a_name_but_is_no_fallback",
    ),
    (
        "names.dialect",
        "A line for one dialect wins over a general one that is equal, for clients of that dialect only.",
        (
            "routing/test_catalog.py::test_clients_of_a_dialect_follow_its_lines_and_the_general_ones",
            "routing/test_catalog.py::test_all_others_follow_the_general_lines_only",
        ),
    ),
    (
        "names.twice",
        "A target that a line gives twice is tried once, in its first place.",
        "routing/test_catalog.py::test_a_target_that_stands_twice_stays_where_it_stands_first",
    ),
    (
        "names.listed",
        "Every listed name resolves to what the list says of it.",
        "properties/test_catalog.py::test_every_listed_name_is_listed_once_and_resolves_to_what_the_list_says",
    ),
    (
        "names.configuration-alone",
        "Where a name goes depends on the configuration alone: no listing changes it.",
        "operations/test_provider_lists.py::test_where_a_name_goes_does_not_depend_on_lists",
    ),
    (
        "names.lists-in-time",
        "A client that lists models waits no longer than two seconds for what providers list.",
        "operations/test_provider_lists.py::test_a_client_waits_for_two_seconds_in_all",
    ),
    (
        "names.near",
        "An unknown name is a 404 that lists near names.",
        (
            "routing/test_catalog.py::test_a_miss_names_what_is_near_and_listed",
            "conversion/test_passthrough.py::test_an_unknown_model_is_a_404_with_near_names",
        ),
    ),
    (
        "names.page",
        "What the page shows of `agcore models` is what the command prints.",
        "docs/test_routing_models.py::test_a_command_prints_what_the_page_shows",
    ),
)

SELECTION: Final = _all(
    "agcore/routing/selection.py",
    (
        "selection.weight",
        "Among the targets of a pooled step the turn goes round by weight.",
        "routing/test_selection.py::test_a_step_is_shared_by_weight",
    ),
    (
        "selection.step",
        "A later step is for when no earlier one is open.",
        "routing/test_selection.py::test_a_later_step_is_for_when_no_earlier_one_is_open",
    ),
    (
        "selection.sticky",
        "`sticky` gives a conversation the key that it had before, and spreads new ones.",
        "routing/test_selection.py::test_a_conversation_stays_with_its_key_and_new_ones_spread",
    ),
    (
        "selection.round-robin",
        "`round_robin` takes turns in the order of the configuration.",
        "routing/test_selection.py::test_round_robin_takes_turns_in_the_order_of_the_configuration",
    ),
    (
        "selection.least-busy",
        "`least_busy` takes the key with the fewest requests under way.",
        "routing/test_selection.py::test_least_busy_takes_the_key_with_the_fewest_requests_under_way",
    ),
    (
        "selection.conversation-apart",
        "The same words under two client keys are two conversations.",
        "stories/test_session_affinity.py::test_the_same_words_of_two_client_keys_are_two_conversations",
    ),
    (
        "selection.named-wait",
        "A cooldown lasts as long as the vendor says, within bounds.",
        (
            "routing/test_selection.py::test_a_named_wait_is_obeyed_within_bounds",
            "properties/test_failover.py::test_a_limited_key_is_left_alone_until_it_opens",
        ),
    ),
    (
        "selection.doubling",
        "Without a named wait a cooldown doubles with each failure in a row, up to a bound.",
        "routing/test_selection.py::test_cooldowns_double_up_to_a_bound_and_vary_by_a_quarter",
    ),
    (
        "selection.together",
        "Failures of requests that ran together count as one.",
        "routing/test_selection.py::test_failures_of_requests_that_ran_together_count_as_one",
    ),
    (
        "selection.longer-counts",
        "Of two cooldowns of one key and model the longer one counts.",
        "routing/test_selection.py::test_of_two_cooldowns_the_longer_one_counts",
    ),
    (
        "selection.shorter-refusal",
        "A shorter refusal does not replace a longer one.",
        "state/test_merging.py::test_a_shorter_refusal_does_not_replace_a_longer_one",
    ),
    (
        "selection.limit-forbids",
        "A limit, which forbids, counts more than a refusal, which is only avoided.",
        "routing/test_selection.py::test_a_limit_forbids_a_key_that_was_refused_before",
    ),
    (
        "selection.probe",
        "A long cooldown is probed in between, by one request at a time.",
        (
            "routing/test_selection.py::test_a_long_limit_is_probed_by_one_request_at_a_time",
            "stories/test_failover.py::test_a_quarantined_key_is_probed_by_one_request_in_a_while_and_a_success_ends_it",
        ),
    ),
    (
        "selection.success",
        "A success ends what was noted before it began, and nothing that came to light later.",
        "routing/test_selection.py::test_what_was_answered_before_says_nothing_about_a_limit_that_came_later",
    ),
    (
        "selection.refused-last",
        "Where every key was refused, the one that is to be probed first is asked all the same.",
        (
            "routing/test_selection.py::test_refused_keys_are_asked_where_nothing_else_is_and_not_where_a_limit_will_end",
            "stories/test_failover.py::test_an_only_key_that_was_refused_is_asked_again_and_the_vendor_speaks_for_itself",
        ),
    ),
    (
        "selection.scope",
        "A limit belongs to a key and a model, a refusal to the key, a missing connection to the provider.",
        (
            "routing/test_selection.py::test_a_limit_holds_for_the_model_and_a_refusal_for_the_key",
            "routing/test_selection.py::test_no_connection_holds_for_the_provider_which_is_then_the_last_resort",
        ),
    ),
    (
        "selection.bounds",
        "What is remembered of keys and conversations is bounded.",
        (
            "routing/test_selection.py::test_cooldowns_are_bounded_and_those_that_are_over_go_first",
            "routing/test_selection.py::test_the_seats_that_are_remembered_are_bounded",
        ),
    ),
    (
        "selection.restart",
        "Limits and refusals outlive a restart, passing troubles do not.",
        "routing/test_selection.py::test_limits_and_refusals_outlive_a_restart_and_passing_troubles_do_not",
    ),
)

FAILOVER: Final = _all(
    "docs/routing.md",
    (
        "failover.same-request",
        "A key that is limited, refused or in trouble costs the client nothing: the next one answers the same request.",
        (
            "stories/test_failover.py::test_the_next_key_answers_in_the_same_request",
            "properties/test_failover.py::test_a_way_that_answers_is_found_while_there_is_an_attempt_for_it",
        ),
    ),
    (
        "failover.own-fault",
        "What is wrong with the request itself is told at once and asked nowhere else.",
        "stories/test_failover.py::test_the_requests_own_fault_is_told_at_once",
    ),
    (
        "failover.404",
        "What a provider does not have is asked elsewhere, and not with its other keys.",
        "stories/test_failover.py::test_what_a_provider_does_not_have_is_asked_elsewhere_and_not_with_its_other_keys",
    ),
    (
        "failover.all-limited",
        "Where all keys are limited the client gets a 429 at once, with the time at which the first of them opens.",
        "stories/test_failover.py::test_all_limited_is_a_429_at_once_with_the_soonest_reset",
    ),
    (
        "failover.attempts",
        "A request makes at most `attempts` requests upstream, whatever happens.",
        (
            "properties/test_failover.py::test_whatever_upstreams_do_attempts_time_and_honesty_have_bounds",
            "machines/test_upstream_call.py::test_the_attempts_of_a_context_are_shared_by_its_calls",
        ),
    ),
    (
        "failover.content-shown",
        "Once a client has seen content nothing is asked again: the stream ends in an error in the client's own words.",
        (
            "stories/test_failover.py::test_after_content_the_stream_ends_in_the_clients_own_error",
            "stories/test_translation.py::test_an_error_after_content_ends_the_stream_in_the_clients_words",
        ),
    ),
    (
        "failover.apart",
        "Nothing of a failed attempt is in the answer of the next one.",
        "stories/test_attempts_apart.py::test_whatever_the_first_says_the_client_gets_the_second_ones_answer_and_nothing_else",
    ),
    (
        "failover.no-waiting-at-the-end",
        "After the last attempt nobody waits.",
        "stories/test_failover.py::test_after_the_last_attempt_nobody_waits",
    ),
    (
        "failover.scenarios",
        "The scenarios of the page go as it tells them.",
        "docs/test_routing_scenarios.py::test_a_scenario_goes_as_the_page_tells",
    ),
    (
        "failover.424",
        "A refused vendor credential is a 424 that names the key by its label, and that no client repeats by itself.",
        (
            "stories/test_upstream_errors.py::test_a_refused_credential_is_a_424_that_names_it_by_its_label",
            "stories/test_failover.py::test_a_client_is_told_not_to_ask_again_by_itself_where_no_key_is_good",
        ),
    ),
)

CALLS: Final = _all(
    "agcore/machines/upstream_call.py",
    (
        "call.pause",
        "No pause is begun that would outlast the request's time.",
        "machines/test_upstream_call.py::test_no_pause_outlasts_the_requests_time",
    ),
    (
        "call.prose",
        "The prose of a 400 names no wait: it may repeat what the client wrote.",
        "machines/test_upstream_call.py::test_the_prose_of_a_400_names_no_wait",
    ),
    (
        "call.stale",
        "A pooled connection that went stale is replaced once and for free, also where there is one attempt only.",
        (
            "machines/test_upstream_call.py::test_a_stale_connection_is_replaced_once_and_costs_no_attempt",
            "machines/test_upstream_call.py::test_a_single_attempt_may_replace_a_stale_connection",
            "routing/test_retry.py::test_only_a_stale_connection_is_replaced_for_free_and_once",
        ),
    ),
    (
        "call.repeat",
        "What must not happen twice is repeated only if nothing of it was sent.",
        (
            "machines/test_upstream_call.py::test_what_must_not_happen_twice_is_repeated_only_if_nothing_of_it_was_sent",
            "stories/test_uploads.py::test_what_may_have_been_answered_and_paid_for_is_not_sent_twice",
        ),
    ),
    (
        "call.commit",
        "Until something of an answer was taken, whatever goes wrong is another attempt; from then on its faults are final.",
        "machines/test_upstream_call.py::test_an_answer_that_breaks_off_is_another_attempt_until_something_of_it_was_taken",
    ),
    (
        "call.legality",
        "A report that the leg's state does not list is the driver's mistake.",
        "machines/test_upstream_call.py::test_a_report_that_the_legs_state_does_not_list_is_the_drivers_mistake",
    ),
    (
        "call.error-body",
        "An error body of any size still tells its status, and costs no more than a bounded read.",
        (
            "machines/test_upstream_call.py::test_an_error_body_that_grows_without_end_costs_its_connection_and_still_tells_the_status",
            "stories/test_upstream_errors.py::test_an_oversized_error_body_is_not_read_to_its_end",
        ),
    ),
)

FAN_OUT: Final = _all(
    "agcore/operations/fan_out.py",
    (
        "fan-out.ids",
        "Equal call ids of two branches do not stay equal.",
        "conversion/test_conversions.py::test_calls_of_different_branches_never_share_an_id",
    ),
    (
        "fan-out.together",
        "Where a call fails for good, all of them go the next way together.",
        "operations/test_fan_out.py::test_where_a_call_fails_for_good_all_of_them_go_the_next_way",
    ),
    (
        "fan-out.same-step",
        "Another candidate of the same step is a way out, as one of a later step is.",
        "operations/test_fan_out.py::test_another_candidate_of_the_same_step_is_a_way_out_too",
    ),
    (
        "fan-out.given-back",
        "What was kept of an abandoned way is given back at once.",
        "operations/test_fan_out.py::test_what_was_kept_of_an_abandoned_way_is_given_back_at_once",
    ),
    (
        "fan-out.limit",
        "At most eight calls are made of one request.",
        (
            "operations/test_fan_out.py::test_more_calls_than_are_made_are_a_400_that_says_how_many",
            "operations/test_fan_out.py::test_eight_calls_are_made",
        ),
    ),
    (
        "fan-out.memory",
        "All answers together are bounded.",
        "operations/test_fan_out.py::test_all_answers_together_are_bounded",
    ),
)

ANSWERS: Final = _all(
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

TRANSLATION: Final = _all(
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

SSE: Final = _all(
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

CONTRACT: Final = _all(
    "docs/write-a-frontend.md",
    (
        "contract.legality",
        "`receive` raises for an input that the present state does not list, without an effect; nothing else raises.",
        "properties/test_exchange.py::test_any_input_in_any_state_is_a_listed_transition_or_the_drivers_mistake",
    ),
    (
        "contract.tables",
        "The legality tables list no transition that never happens.",
        (
            "machines/test_exchange.py::test_the_legality_table_lists_no_transition_that_never_happens",
            "machines/test_exchange.py::test_the_table_of_legs_lists_no_transition_that_never_happens",
            "machines/test_exchange.py::test_the_timed_tables_are_what_the_passing_of_time_does",
        ),
    ),
    (
        "contract.finish",
        "After `Finish` nothing follows, and it comes exactly once, whatever peers do.",
        (
            "properties/test_exchange.py::test_whatever_peers_do_and_when_the_story_ends_once_and_well",
            "machines/test_exchange.py::test_abandoning_ends_the_exchange_once_and_visibly",
        ),
    ),
    (
        "contract.early-timeout",
        "Calling `handle_timeout` early does nothing.",
        "properties/test_exchange.py::test_an_early_timeout_does_nothing",
    ),
    (
        "contract.written",
        "A slow reader is not taken for a silent upstream.",
        "stories/test_timeouts.py::test_a_slow_client_is_not_taken_for_an_idle_upstream",
    ),
    (
        "contract.shared-state",
        "The exchange waits for a second after its last question at the most, so a reply may also come late, twice or never.",
        (
            "stories/test_asking.py::test_state_that_replies_in_time_is_waited_for",
            "stories/test_asking.py::test_state_that_replies_too_late_is_away",
            "stories/test_asking.py::test_replies_that_nobody_waits_for_change_nothing",
        ),
    ),
    (
        "contract.client-gone",
        "A client that leaves takes its upstream along.",
        "stories/test_upstream_errors.py::test_a_client_that_leaves_takes_the_upstream_along",
    ),
    (
        "contract.spool",
        "What was put aside is dropped before `Finish`.",
        "stories/test_uploads.py::test_no_answer_is_sent_before_the_spool_is_dropped_and_finish_comes_last",
    ),
    (
        "contract.drain",
        "A gateway that drains stops accepting, and halts when the time is over.",
        "test_gateway.py::test_a_gateway_that_drains_stops_accepting_and_later_halts",
    ),
    (
        "contract.reconfigure",
        "A configuration that cannot be used changes nothing, and says why.",
        "stories/test_reconfigure.py::test_a_configuration_that_cannot_be_used_changes_nothing_and_says_why",
    ),
    (
        "contract.running",
        "Running exchanges end by the configuration that they began with.",
        "stories/test_reconfigure.py::test_new_requests_see_the_new_models_and_running_ones_end_as_they_began",
    ),
    (
        "contract.same-bytes",
        "Every frontend sends the same bytes to clients and to upstreams.",
        (
            "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
            "differential/test_differential.py::test_every_frontend_passes_the_same_bytes",
        ),
    ),
)

SECRETS: Final = _all(
    "README.md",
    (
        "secrets.nowhere",
        "No key shows in anything but the request to its upstream.",
        (
            "test_gateway.py::test_no_secret_shows_in_anything_but_the_upstreams_request",
            "stories/test_upstream_errors.py::test_the_key_is_taken_out_of_every_part_of_an_error",
            "stories/test_upstream_errors.py::test_the_key_is_taken_out_of_errors_in_streams",
        ),
    ),
    (
        "secrets.last-event",
        "The last event of a stream, which may be the vendor's own words, does not show the key that it quotes.",
        "conversion/test_passthrough.py::test_the_last_event_of_a_stream_does_not_show_the_key_that_it_quotes",
    ),
    (
        "auth.modes",
        "Who may come in is what the mode says, at every route.",
        (
            "ingress/test_auth.py::test_every_route_admits_whom_its_mode_says",
            "differential/test_auth_over_sockets.py::test_every_route_admits_whom_its_mode_says",
        ),
    ),
    (
        "auth.web-pages",
        "Web pages get nothing that `cors_origins` does not allow.",
        (
            "ingress/test_auth.py::test_no_other_origin_gets_cors_headers",
            "ingress/test_auth.py::test_without_a_key_a_body_must_be_called_json",
        ),
    ),
    (
        "responses.owner",
        "A stored response is found by the client that made it alone.",
        (
            "state/test_responses.py::test_a_response_is_found_by_the_client_that_made_it_alone",
            "stories/test_stored_responses.py::test_another_clients_response_is_not_found",
        ),
    ),
    (
        "limits.window",
        "No window lets in more than a key's limit and what is refilled meanwhile.",
        "state/test_rate_limits.py::test_no_window_lets_in_more_than_the_limit_and_what_is_refilled_meanwhile",
    ),
    (
        "limits.given-back",
        "A place is given back once, however a request ends.",
        "stories/test_allowances.py::test_a_place_is_given_back_once_however_a_request_ends",
    ),
)

HTTP: Final = _all(
    "RFC 9112",
    (
        "http.h11-judges",
        "The fast engine means what h11 means, to the byte, however the bytes are cut.",
        (
            "host/test_engines_agree.py::test_requests_mean_what_h11_says_whole_or_byte_by_byte_and_with_another_behind",
            "host/test_engines_agree.py::test_answers_of_upstreams_mean_what_h11_says_whole_or_byte_by_byte",
        ),
    ),
    (
        "http.pipelining",
        "Pipelined requests are answered in order.",
        "trio_server/test_connection.py::test_pipelined_requests_are_answered_in_order",
    ),
    (
        "http.poisoned",
        "A connection that said too much, or spoke while it was idle, is never used again.",
        (
            "trio_server/test_upstream.py::test_a_connection_that_closes_or_says_too_much_is_dropped_at_check_in",
            "trio_server/test_upstream.py::test_a_connection_that_spoke_or_closed_while_idle_is_dropped_at_check_out",
        ),
    ),
    (
        "http.backpressure",
        "While the client does not read, no more than one piece is read upstream.",
        "trio_server/test_connection.py::test_while_the_client_does_not_read_no_more_than_one_chunk_is_read_upstream",
    ),
)

MCP: Final = _all(
    "docs/mcp.md",
    (
        "mcp.once",
        "Nothing is repeated once a byte of it was sent.",
        "mcp/test_proxy.py::test_nothing_is_repeated_once_a_byte_of_it_was_sent",
    ),
    (
        "mcp.key",
        "A server that has a key sees nothing of the client's credentials.",
        (
            "mcp/test_client_auth.py::test_a_server_with_a_key_sees_nothing_of_the_clients",
            "mcp/test_client_auth.py::test_a_key_for_the_gateway_never_goes_up",
        ),
    ),
    (
        "mcp.session",
        "A session belongs to the credential that made it.",
        "mcp/test_server.py::test_a_session_is_of_the_credential_that_made_it",
    ),
    (
        "mcp.cancel",
        "A cancelled call gets no answer, and only the session that made it cancels it.",
        (
            "mcp/test_server.py::test_a_cancelled_call_gets_no_answer",
            "mcp/test_server.py::test_only_the_session_that_made_a_call_cancels_it",
        ),
    ),
)

LIBRARY: Final = _all(
    "docs/library.md",
    (
        "library.config",
        "`load_config` takes TOML text or a dict of the same shape, and reads nothing but its arguments.",
        (
            "config/test_load.py::test_text_and_dict_give_the_same_config_that_a_gateway_takes",
            "config/test_load.py::test_nothing_gives_the_defaults_and_reads_nothing",
        ),
    ),
    (
        "library.problems",
        "All that is wrong with a configuration comes in one exception.",
        "config/test_load.py::test_all_problems_come_at_once_and_are_those_of_the_same_file",
    ),
    (
        "library.convert",
        "A converted stream is well-formed in the client's dialect, whatever the upstream does and however it is cut.",
        (
            "test_convert.py::test_a_stream_comes_back_in_the_words_of_the_client_however_it_is_cut",
            "test_convert.py::test_a_stream_that_breaks_off_ends_in_the_clients_own_error",
        ),
    ),
    (
        "library.deterministic",
        "The same arguments of `convert` always give the same bytes.",
        "test_convert.py::test_equal_arguments_give_equal_bytes_and_other_requests_other_ids",
    ),
    (
        "library.typed",
        "Every example passes `mypy --strict`, and prints what stands below it.",
        (
            "docs/test_examples.py::test_the_examples_are_strictly_typed",
            "docs/test_examples.py::test_an_example_prints_what_stands_below_it",
        ),
    ),
)

FRONTENDS: Final = _all(
    "docs/write-a-frontend.md",
    (
        "frontends.head",
        "A head that no frontend may report raises, and is no silent 401.",
        "protocol/test_check_head.py::test_a_head_that_no_frontend_may_report_is_its_mistake",
    ),
    (
        "frontends.lack",
        "What a frontend lacks is a 501, and no key is left alone for it.",
        (
            "machines/test_unsupported.py::test_the_client_hears_at_once_what_the_frontend_lacks_and_not_to_ask_again",
            "machines/test_unsupported.py::test_no_key_is_left_alone_for_it",
        ),
    ),
    (
        "frontends.public",
        "Frontends import nothing of the core but its three public modules.",
        "packaging/test_public_names.py::test_frontends_import_only_what_is_public",
    ),
)

REPLAY: Final = _all(
    "docs/decisions/0022-one-port-that-can-be-recorded.md",
    (
        "replay.golden",
        "Every golden story replays from its recording alone.",
        "stories/test_replay.py::test_every_golden_story_is_replayed_from_its_recording_alone",
    ),
    (
        "replay.alone",
        "One exchange of many that run side by side replays by itself in another process.",
        "properties/test_replay.py::test_each_of_200_exchanges_side_by_side_is_replayed_by_itself_in_a_fresh_process",
    ),
    (
        "replay.secrets",
        "No credential stands in a recording.",
        (
            "stories/test_replay.py::test_no_credential_stands_in_a_recording_and_who_asked_is_known_all_the_same",
            "stories/test_replay.py::test_what_an_upstream_says_of_a_key_is_hidden_and_shown_again",
        ),
    ),
    (
        "state.merge",
        "What gateways learned may be merged late, twice and in any order.",
        "state/test_merging.py::test_neither_order_nor_repetition_makes_a_difference",
    ),
    (
        "state.success",
        "A success ends what came to light before its attempt began, whenever that is heard of, and nothing later.",
        "state/test_merging.py::test_a_success_ends_what_came_to_light_before_its_attempt_began_and_nothing_later",
    ),
    (
        "protocol.travels",
        "Every input, effect, event, query, reply and delta is read back as it was written.",
        "protocol/test_protocol_travels.py::test_every_member_of_a_union_is_read_back_as_it_was_written",
    ),
)

EVENTS: Final = _all(
    "docs/decisions/0023-events-are-folded.md",
    (
        "events.one",
        "While nobody watches a request emits one event, with everything in it.",
        "machines/test_record.py::test_nobody_who_watches_sees_one_event_with_everything_in_it",
    ),
    (
        "events.watched",
        "A watcher gets each event when it comes about.",
        "machines/test_record.py::test_who_watches_sees_each_event_when_it_comes_about",
    ),
)

REQUIREMENTS: Final = (
    *NAMES,
    *SELECTION,
    *FAILOVER,
    *CALLS,
    *FAN_OUT,
    *ANSWERS,
    *TRANSLATION,
    *SSE,
    *CONTRACT,
    *SECRETS,
    *HTTP,
    *MCP,
    *LIBRARY,
    *FRONTENDS,
    *REPLAY,
    *EVENTS,
)
