"""Manners, the gateway: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # G1
    base.row(
        "manners.G1",
        "docs/wire/content-codings.md",
        "A request's body may be coded with gzip, deflate, zstd and br, several in a row, and goes up plain.",
        "stories/test_coded_requests.py::test_a_coded_body_goes_up_plain_and_byte_for_byte",
        "stories/test_coded_requests.py::test_several_codings_are_undone_in_reverse",
        "stories/test_coded_requests.py::test_a_coded_form_goes_up_plain",
        "stories/test_coded_requests.py::test_an_mcp_server_gets_the_message_plain",
        "stories/test_coded_requests.py::test_codex_sends_zstd_and_is_understood",
        "differential/test_coded_bodies.py::test_a_coded_request_reaches_the_upstream_plain",
        "differential/test_coded_bodies.py::test_in_process_a_coded_request_is_decoded_as_well",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
        "differential/test_odd_requests.py::test_a_coded_body_may_come_in_chunks",
    ),
    base.row(
        "manners.G1.bounds",
        "docs/wire/content-codings.md",
        "The bounds of a request's body hold for what it decodes to, at each of its codings, and cost no more memory.",
        "stories/test_coded_requests.py::test_the_limit_holds_after_decoding",
        "stories/test_coded_requests.py::test_a_bomb_costs_no_more_memory_than_the_limit",
        "stories/test_coded_requests.py::test_a_form_that_is_a_bomb_is_refused_and_holds_nothing",
        "codecs/test_content_coding.py::test_a_bomb_within_a_coding_is_found_too",
        "differential/test_odd_requests.py::test_a_bomb_in_chunks_is_a_413",
    ),
    base.row(
        "manners.G1.refused",
        "docs/wire/content-codings.md",
        "Other codings are a 415 that names those that are taken and Codex' switch, and a broken body is a 400.",
        "stories/test_coded_requests.py::test_other_codings_are_refused_with_those_that_are_taken_and_codex_switch",
        "stories/test_coded_requests.py::test_a_broken_body_is_a_400",
        "differential/test_coded_bodies.py::test_what_cannot_be_decoded_is_refused_and_nobody_asked",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # G2
    base.row(
        "manners.G2",
        "docs/wire/openai-chat.md",
        "Another id under a known index is another call, and what follows under that index is that call's.",
        "dialects/openai_chat/test_chunk_repair.py::test_calls_are_told_apart_whatever_their_numbers",
        "dialects/openai_chat/test_chunk_repair.py::test_a_further_piece_names_its_call_by_its_number_alone",
    ),
    # G3
    base.row(
        "manners.G3",
        "docs/wire/openai-media.md",
        "Vectors of floats leave as base64 or as numbers, as was asked, and a form that is refused is asked for only once.",
        "operations/test_embedding_forms.py::test_numbers_become_base64_where_that_was_asked",
        "operations/test_embedding_forms.py::test_base64_becomes_numbers_where_those_were_asked",
        "operations/test_embedding_forms.py::test_what_is_as_it_was_asked_or_no_vector_of_floats_is_not_touched",
        "operations/test_embedding_forms.py::test_a_form_that_is_refused_is_not_asked_for_again",
    ),
    # G4
    base.row(
        "manners.G4",
        "docs/routing.md",
        "A model's name is never a path.",
        "stories/test_names_and_paths.py::test_a_name_that_would_lead_to_another_path_is_refused",
        "stories/test_names_and_paths.py::test_no_such_name_gets_past_a_keys_list_of_models",
        "stories/test_names_and_paths.py::test_where_the_name_stands_in_the_body_it_may_be_anything",
    ),
    # G5
    base.row(
        "manners.G5.once",
        "docs/routing.md",
        "A key that let `first_byte` run out is not asked again in the same request; others are.",
        "stories/test_patience.py::test_a_key_that_let_the_time_run_out_is_not_asked_again",
        "stories/test_patience.py::test_each_other_key_is_asked_once",
        "stories/test_patience.py::test_another_candidate_is_asked_with_the_same_key",
        "stories/test_patience.py::test_silence_within_an_answer_that_nobody_saw_is_no_reason_to_ask_anew",
        "differential/test_failover_over_sockets.py::test_a_key_that_did_not_answer_in_time_is_asked_once",
    ),
    base.row(
        "manners.G5.own",
        "docs/routing.md",
        "A provider has its own `first_byte`, also where `timeouts.request` is shorter; local presets have an hour.",
        "stories/test_patience.py::test_a_provider_has_its_own_time_and_longer_than_all_attempts",
        "stories/test_patience.py::test_a_head_that_comes_before_the_prompt_was_read_does_not_shorten_the_time",
        "stories/test_patience.py::test_the_presets_of_local_servers_have_an_hour",
        "differential/test_state_over_sockets.py::test_a_provider_has_its_own_time_until_the_first_byte",
    ),
    base.row(
        "manners.patience",
        "docs/routing.md",
        "With `[retry] patience` a request waits for the first of its cooldowns to end, and one of several asks first.",
        "stories/test_patience.py::test_patience_waits_for_the_end_of_a_limit",
        "stories/test_patience.py::test_patience_rides_out_a_wall_of_overload_beyond_the_usual_attempts",
        "stories/test_patience.py::test_patience_ends",
        "stories/test_patience.py::test_a_request_that_comes_while_the_key_is_limited_waits_with_keepalives",
        "stories/test_patience.py::test_a_client_that_leaves_while_it_waits_ends_it",
        "stories/test_patience.py::test_of_several_that_wait_one_asks_first",
        "stories/test_patience.py::test_a_wait_is_recorded_and_replayed",
        "differential/test_state_over_sockets.py::test_patience_keeps_a_stream_alive_until_the_key_may_be_asked_again",
    ),
    # G6
    base.row(
        "manners.G6",
        "docs/wire/answers.md",
        "A success without an answer is a failed attempt, whole or streamed, passed or translated, in every dialect.",
        "stories/test_no_answers.py::test_a_success_without_an_answer_fails_over",
        "stories/test_no_answers.py::test_a_success_without_an_answer_fails_over_where_it_is_translated",
        "stories/test_no_answers.py::test_embeddings_without_a_vector_fail_over",
        "stories/test_no_answers.py::test_other_answers_need_what_was_asked_for_too",
        "stories/test_no_answers.py::test_a_count_without_a_number_is_an_estimate",
        "stories/test_no_answers.py::test_a_stream_that_ends_in_a_failure_is_one",
        "stories/test_no_answers.py::test_a_stream_that_tells_of_its_failure_in_other_words_is_heard",
        "stories/test_no_answers.py::test_a_chunk_that_says_that_all_is_well_is_no_failure",
        "stories/test_no_answers.py::test_the_client_hears_what_the_upstream_said_instead",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.G6.empty",
        "docs/wire/answers.md",
        "An answer that is empty for a reason of its own stays an answer.",
        "stories/test_no_answers.py::test_an_answer_that_is_empty_for_a_reason_passes",
        "stories/test_no_answers.py::test_an_answer_that_is_empty_for_a_reason_is_translated",
    ),
    # G7
    base.row(
        "manners.G7",
        "docs/decisions/0030-ways-out.md",
        "A CA of the environment, of `[proxy] ca_file` or of the system counts beside certifi's; a provider's own alone.",
        "differential/test_ways_out.py::test_a_companys_ca_is_taken_from_the_environment",
        "differential/test_ways_out.py::test_a_general_ca_file_counts_beside_the_usual_ones_and_a_providers_own_alone",
        "differential/test_ways_out.py::test_a_ca_file_that_cannot_be_used_is_found_at_the_start",
        "differential/test_networks.py::test_a_ca_file_for_all_providers_is_asked_for_and_works",
    ),
    # G8
    base.row(
        "manners.G8.hops",
        "docs/routing.md",
        "A request that comes back to a gateway is a 508 with words, at the second pass; gateways in a chain work.",
        "stories/test_loops.py::test_a_request_that_comes_back_is_a_508_with_words_in_every_dialect",
        "stories/test_loops.py::test_a_ring_of_gateways_ends_at_the_second_pass_and_a_chain_of_them_works",
        "stories/test_loops.py::test_a_loop_by_way_of_an_mcp_server_ends_too",
        "differential/test_gateways_in_a_row.py::test_a_provider_that_is_the_gateway_itself_is_a_508_at_once",
        "differential/test_gateways_in_a_row.py::test_a_ring_of_gateways_ends_where_it_began",
        "differential/test_gateways_in_a_row.py::test_a_chain_of_gateways_works",
        "differential/test_gateways_in_a_row.py::test_a_gateway_in_a_clients_process_counts_as_one",
    ),
    base.row(
        "manners.G8.found",
        "docs/routing.md",
        "A provider that is the gateway itself is warned of at the start, and `agcore check` exits 1.",
        "stories/test_loops.py::test_a_provider_that_is_the_gateway_itself_is_found",
        "cli/test_main.py::test_check_says_no_to_a_provider_that_is_the_gateway_itself",
    ),
    # G9
    base.row(
        "manners.G9",
        "docs/wire/json.md",
        "Half a surrogate pair in a request or a whole answer becomes U+FFFD, passed or translated.",
        "stories/test_half_emojis.py::test_half_an_emoji_in_a_request_goes_up_as_the_replacement_character",
        "stories/test_half_emojis.py::test_half_an_emoji_is_translated_as_the_replacement_character",
        "stories/test_half_emojis.py::test_half_an_emoji_within_arguments_is_mended_where_they_are_read",
        "stories/test_half_emojis.py::test_half_an_emoji_in_an_answer_is_mended_before_it_is_given_out",
        "stories/test_half_emojis.py::test_both_halves_in_two_events_are_one_emoji_to_the_client",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # G10
    base.row(
        "manners.G10",
        "docs/wire/streams.md",
        "A stream that comes where a whole answer was asked for is folded into it, passed or translated.",
        "stories/test_folded_streams.py::test_a_stream_is_folded_where_it_passes",
        "stories/test_folded_streams.py::test_a_stream_is_folded_where_it_is_translated",
        "stories/test_folded_streams.py::test_a_stream_that_fails_breaks_off_or_says_nothing_is_no_answer",
        "stories/test_folded_streams.py::test_chats_calls_thoughts_and_choices_are_put_together",
        "stories/test_folded_streams.py::test_messages_blocks_are_put_together",
        "stories/test_folded_streams.py::test_geminis_parts_are_put_together",
        "stories/test_folded_streams.py::test_a_response_whose_last_event_lacks_its_output_has_the_items_that_were_told",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # G11
    base.row(
        "manners.G11",
        "docs/wire/content-codings.md",
        "An answer that is coded unasked means what it decodes to: whole, streamed, an error, sound, or an MCP server's.",
        "stories/test_coded_answers.py::test_a_coded_answer_passes_as_the_plain_one_that_it_is",
        "stories/test_coded_answers.py::test_a_coded_stream_passes_as_it_comes",
        "stories/test_coded_answers.py::test_a_coded_answer_is_translated_like_a_plain_one",
        "stories/test_coded_answers.py::test_a_coded_error_keeps_its_words",
        "stories/test_coded_answers.py::test_sound_is_decoded_and_loses_the_length_of_what_was_coded",
        "stories/test_coded_answers.py::test_an_mcp_servers_answer_is_decoded",
        "differential/test_odd_upstreams.py::test_an_answer_that_is_compressed_unasked_means_the_same_to_both",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
        "differential/test_differential.py::test_every_frontend_passes_the_same_bytes",
    ),
    base.row(
        "manners.G11.unknown",
        "docs/wire/content-codings.md",
        "An answer in an unknown coding is a 502 that names it and is asked for once; where bytes pass, the field does too.",
        "stories/test_coded_answers.py::test_a_coding_that_is_not_known_is_named_and_asked_for_once",
        "stories/test_coded_answers.py::test_sound_in_a_coding_that_is_not_known_passes_under_its_name",
        "stories/test_coded_answers.py::test_an_mcp_servers_answer_in_a_coding_that_is_not_known_passes_under_its_name",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # G12
    base.row(
        "manners.G12",
        "docs/wire/errors.md",
        "The words of an upstream's error reach client and log whatever form its body has, but never the key.",
        "stories/test_upstream_errors.py::test_the_words_of_any_error_body_reach_the_client_and_the_log",
        "stories/test_upstream_errors.py::test_a_text_that_repeats_the_key_does_not_show_it",
        "dialects/shared/test_error_words.py::test_the_words_of_an_error_are_found_wherever_they_stand",
        "dialects/shared/test_error_words.py::test_a_text_says_its_first_line",
        "dialects/shared/test_error_words.py::test_no_word_is_cut_which_might_be_a_key",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.G12.url",
        "docs/wire/errors.md",
        "An upstream's 404 names the URL that was asked, unless it is the vendor's own word about a model.",
        "stories/test_upstream_errors.py::test_a_404_names_the_url_that_was_asked",
        "stories/test_upstream_errors.py::test_a_404_of_a_server_without_codes_names_it_too_and_a_vendors_own_does_not",
    ),
    # G13
    base.row(
        "manners.G13",
        "docs/decisions/0007-what-pass-through-edits.md",
        "Calls that pass through have an id, a number, a type and arguments as text, streamed or whole.",
        "dialects/openai_chat/test_chunk_repair.py::test_every_call_gets_an_id_of_its_own",
        "dialects/openai_chat/test_chunk_repair.py::test_calls_of_a_whole_answer_get_what_they_lack",
        "dialects/openai_chat/test_chunk_repair.py::test_a_call_that_says_no_arguments_has_empty_ones_in_the_end",
        "conversion/test_passthrough.py::test_calls_of_a_whole_answer_are_mended_under_the_clients_name_of_the_model",
    ),
    # G14
    base.row(
        "manners.G14",
        "docs/wire/clients.md",
        "The mark of a long context behind a name is no part of the name.",
        "stories/test_names_and_paths.py::test_the_mark_of_a_long_context_is_no_part_of_a_name",
        "stories/test_names_and_paths.py::test_the_mark_is_taken_off_before_a_name_is_translated_or_looked_up",
    ),
    # G15
    base.row(
        "manners.G15",
        "docs/routing.md",
        "A large body that is refused before it was sent is refused in the vendor's words, after one attempt.",
        "differential/test_odd_upstreams.py::test_a_large_body_that_is_refused_at_once_is_refused_in_the_vendors_words",
        "differential/test_odd_upstreams.py::test_in_process_a_large_body_that_is_refused_at_once_is_refused_in_the_vendors_words",
    ),
    # G16
    base.row(
        "manners.G16",
        "docs/decisions/0030-ways-out.md",
        "Proxies may speak SOCKS 5 or TLS, and `ALL_PROXY` is for what no other variable is for.",
        "config/test_outbound_proxy.py::test_proxies_may_speak_tls_or_socks",
        "config/test_outbound_proxy.py::test_all_proxy_is_for_what_no_other_variable_is_for",
        "differential/test_ways_out.py::test_an_upstream_is_reached_through_socks_which_resolves_its_name",
        "differential/test_ways_out.py::test_an_upstream_is_reached_through_a_proxy_that_speaks_tls",
        "differential/test_networks.py::test_a_proxy_for_everything_is_used",
    ),
    # G17
    base.row(
        "manners.G17",
        "docs/running.md",
        "An address that requests would not reach anything at is named with the right one.",
        "config/test_mistakes.py::test_a_method_at_the_end_is_named_with_the_address_without_it",
        "config/test_mistakes.py::test_plain_http_to_a_public_host_is_questioned",
    ),
    # G18
    base.row(
        "manners.G18",
        "docs/decisions/0030-ways-out.md",
        "Connections are kept alive by TCP, those of clients and those to upstreams.",
        "differential/test_ways_out.py::test_connections_to_upstreams_are_kept_alive",
        "differential/test_ways_out.py::test_connections_of_clients_are_kept_alive_by_the_trio_server",
    ),
    # G19
    base.row(
        "manners.G19",
        "docs/routes.md",
        "What is not served is refused in the shape of who asks.",
        "stories/test_names_and_paths.py::test_googles_clients_are_refused_in_googles_shape",
        "stories/test_names_and_paths.py::test_anthropics_clients_are_refused_in_anthropics_shape",
        "stories/test_names_and_paths.py::test_openais_clients_are_refused_in_openais_shape",
        "stories/test_names_and_paths.py::test_a_wrong_key_is_refused_in_the_shape_of_who_shows_it",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # G20
    base.row(
        "manners.G20",
        "docs/routes.md",
        "A method that no route has passes to a Gemini provider as it is, and is named in a 501 elsewhere.",
        "stories/test_names_and_paths.py::test_a_method_of_googles_passes_to_a_gemini_provider_as_it_is",
        "stories/test_names_and_paths.py::test_a_method_at_a_provider_of_another_dialect_is_named_in_a_501",
        "stories/test_names_and_paths.py::test_a_name_that_is_written_down_is_no_method",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # R5
    base.row(
        "manners.R5",
        "docs/routing.md",
        "No task of any kind makes another path of a model's name.",
        "stories/test_names_and_paths.py::test_no_other_task_makes_a_path_of_a_name",
    ),
    # L8
    base.row(
        "manners.L8",
        "docs/architecture.md",
        "The work of a translation grows as its input does.",
        "properties/test_growth.py::test_the_work_of_a_history_grows_with_its_length",
        "properties/test_growth.py::test_the_work_of_a_stream_grows_with_its_length",
        "properties/test_growth.py::test_a_history_of_too_many_parts_is_refused_in_words",
    ),
)
