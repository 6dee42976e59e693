"""The contract between the core and its frontends, and what goes over HTTP."""

from __future__ import annotations

from typing import Final

from tests.requirements.base import rows

CONTRACT: Final = rows(
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

SECRETS: Final = rows(
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

HTTP: Final = rows(
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

MCP: Final = rows(
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

LIBRARY: Final = rows(
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

FRONTENDS: Final = rows(
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

REPLAY: Final = rows(
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

EVENTS: Final = rows(
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
