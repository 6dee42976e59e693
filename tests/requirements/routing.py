"""Routing: names, the selection of credentials, failures, and calls."""

from __future__ import annotations

from typing import Final

from tests.requirements.base import rows

NAMES: Final = rows(
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

SELECTION: Final = rows(
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

FAILOVER: Final = rows(
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

CALLS: Final = rows(
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

FAN_OUT: Final = rows(
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
