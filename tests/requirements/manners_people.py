"""Manners, state and people: what public bug reports of gateways came to here.

The ids are those of the faults. Rows stand under the comment with their id, one a fault or several.
"""

from __future__ import annotations

from typing import Final

from tests.requirements import base

ROWS: Final[tuple[base.Requirement, ...]] = (
    # S1
    base.row(
        "manners.S1",
        "docs/routing.md",
        "A follow-up is answered by a model that it names, or not found.",
        "stories/test_stored_responses.py::test_a_follow_up_at_another_vendors_model_is_not_answered_by_the_old_one",
    ),
    # S2
    base.row(
        "manners.S2",
        "docs/routing.md",
        "Responses of one id at two providers are two responses, and so are those of two clients.",
        "stories/test_stored_responses.py::test_responses_of_one_id_at_two_providers_are_told_apart_by_the_model_that_is_named",
        "state/test_responses.py::test_an_id_that_two_clients_have_is_two_responses",
    ),
    # S3
    base.row(
        "manners.S3",
        "docs/routing.md",
        "A session that fans out is many conversations, which are spread over the keys.",
        "stories/test_session_affinity.py::test_what_fans_out_of_one_session_uses_all_keys",
        "stories/test_session_affinity.py::test_a_thread_of_a_session_is_a_conversation_whatever_it_says",
        "differential/test_state_over_sockets.py::test_48_conversations_of_one_session_use_all_four_keys",
    ),
    # S5
    base.row(
        "manners.S5",
        "docs/running.md",
        "That a key is left alone can be seen, says until when, and ends with a reset or with a probe that works.",
        "stories/test_admin.py::test_after_a_limit_of_an_hour_a_reset_key_is_used_at_once",
        "stories/test_admin.py::test_a_key_that_is_left_alone_says_until_when_and_why",
        "operations/test_warmup.py::test_a_key_that_works_is_not_left_alone_any_more_for_a_model_or_as_a_whole",
        "operations/test_warmup.py::test_what_came_to_light_while_the_key_was_tried_is_not_forgotten",
        "cli/test_running.py::test_a_limit_can_be_seen_and_lifted",
        "differential/test_state_over_sockets.py::test_a_limit_of_half_a_minute_is_seen_and_lifted",
    ),
    base.row(
        "manners.S5.admin",
        "docs/running.md",
        "The admin API is for its keys, and without an admin key for this machine, where no web page may use it.",
        "stories/test_admin.py::test_nobody_else_may",
        "stories/test_admin.py::test_no_web_page_may",
        "stories/test_admin.py::test_with_an_admin_key_everybody_needs_it",
        "asgi/test_app.py::test_the_admin_api_is_for_this_machine",
        "cli/test_running.py::test_a_gateway_with_an_admin_key_is_shown_it",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # S6
    base.row(
        "manners.S6",
        "docs/routing.md",
        "An allowance is taken by what asks an upstream, and by nothing else.",
        "stories/test_allowances.py::test_what_asks_nobody_takes_no_allowance",
        "state/test_rate_limits.py::test_a_request_that_asked_nobody_gives_back_what_it_took_and_no_more",
    ),
    # N1
    base.row(
        "manners.N1.final",
        "docs/routing.md",
        "An error that will not pass by itself has `x-should-retry: false`, at the first attempt as after several.",
        "stories/test_retry_hints.py::test_what_will_not_pass_is_called_final",
        "stories/test_retry_hints.py::test_the_gateways_own_refusals_are_final",
        "stories/test_retry_hints.py::test_a_refused_credential_is_final_whatever_its_vendor_advises",
        "stories/test_retry_hints.py::test_a_malformed_head_is_final_and_a_full_house_is_not",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.N1.once",
        "docs/routing.md",
        "TLS that fails, a redirect and a 200 that is a web page are asked once, and then elsewhere.",
        "stories/test_retry_hints.py::test_a_page_in_place_of_an_answer_is_final_and_not_repeated",
        "stories/test_retry_hints.py::test_tls_that_fails_is_final_and_not_repeated_but_asked_elsewhere",
        "stories/test_retry_hints.py::test_a_redirect_is_final_and_not_repeated",
        "host/test_failures.py::test_what_breaks_in_a_handshake_may_pass_and_a_disagreement_will_not",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
        "differential/test_networks.py::test_plain_http_where_tls_was_meant_is_final_and_asked_once",
    ),
    base.row(
        "manners.N1.words",
        "docs/wire/errors.md",
        "A 401 says `API key` in every dialect, begins as OpenAI's does in its shape, and is shown by Claude Code.",
        "stories/test_retry_hints.py::test_a_401_for_a_client_key_says_so_in_every_dialect",
        "stories/test_retry_hints.py::test_a_refused_credential_is_told_in_words_that_claude_code_shows",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.N1.mcp",
        "docs/mcp.md",
        "A refused key of an MCP server is a 424 that names it, as a JSON-RPC error.",
        "stories/test_retry_hints.py::test_a_refused_key_of_an_mcp_server_is_named_in_a_json_rpc_error",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    # N2
    base.row(
        "manners.N2",
        "docs/routing.md",
        "Every answer has the gateway's id, and its row the vendor's and the client's.",
        "stories/test_ids.py::test_an_answer_has_the_gateways_id_and_its_row_the_vendors",
        "stories/test_ids.py::test_an_error_has_them_too",
        "stories/test_ids.py::test_a_clients_own_id_is_in_the_row",
        "stories/test_ids.py::test_a_trace_is_passed_up_and_logged",
        "trio_server/test_sinks.py::test_the_row_of_a_failure_has_what_joins_it_with_other_logs",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
        "differential/test_odd_requests.py::test_a_head_that_is_none_is_refused_under_an_id",
    ),
    # N3
    base.row(
        "manners.N3",
        "docs/running.md",
        "A configuration that lies in a directory counts once its path and content are trusted, for every frontend.",
        "host/test_places.py::test_the_file_of_a_directory_is_passed_over_until_it_is_trusted",
        "host/test_places.py::test_a_running_server_takes_no_content_that_is_not_trusted",
        "cli/test_running.py::test_a_file_of_a_directory_is_passed_over_with_a_line_that_says_how_to_trust_it",
        "asgi/test_app.py::test_the_ready_made_app_passes_over_a_file_that_is_not_trusted",
    ),
    base.row(
        "manners.N3.run",
        "docs/running.md",
        "Commands find the gateway that runs by its run file, wherever they are run, and say when none answers.",
        "cli/test_running.py::test_it_is_the_running_gateway_that_counts_and_not_the_directory",
        "cli/test_running.py::test_of_several_it_is_the_newest_or_the_one_of_the_configuration",
        "cli/test_running.py::test_where_none_answers_it_says_so",
        "asgi/test_app.py::test_the_ready_made_app_tells_commands_where_it_runs",
        "host/test_run_files.py::test_the_newest_comes_first_and_the_dead_do_not_count",
        "differential/test_state_over_sockets.py::test_a_run_file_tells_where_a_server_is_while_it_is_there",
    ),
    # N4
    base.row(
        "manners.N4",
        "docs/running.md",
        "Settings for a client keep its requests off proxies, other keys and settings that would win.",
        "cli/test_running.py::test_behind_a_proxy_the_gateway_is_exempted_from_it",
        "cli/test_running.py::test_variables_that_would_win_are_taken_away",
        "cli/test_running.py::test_settings_of_claude_code_that_win_are_named",
    ),
    # N5
    base.row(
        "manners.N5.secrets",
        "docs/running.md",
        "A secret that cannot be one is named with what to write instead, and never taken for one.",
        "config/test_mistakes.py::test_a_reference_in_the_spelling_of_others_is_named_with_ours",
        "config/test_mistakes.py::test_it_is_left_out_and_said",
        "config/test_mistakes.py::test_the_client_key_is_not_taken_for_a_vendors",
        "config/test_mistakes.py::test_a_client_key_that_can_be_guessed_is_questioned_where_one_is_needed",
        "config/test_mistakes.py::test_an_admin_key_that_can_be_guessed_is_questioned_in_every_mode",
        "ingress/test_auth.py::test_whoever_shows_a_key_that_has_expired_is_told_when",
    ),
    base.row(
        "config.commands",
        "docs/running.md",
        "A key that a command prints is asked for without a shell, and again when it is old or refused.",
        "host/test_commands.py::test_a_configuration_takes_keys_from_commands",
        "host/test_commands.py::test_a_refused_key_has_it_run_again_and_not_too_often",
        "host/test_commands.py::test_no_shell_has_a_say",
    ),
    base.row(
        "manners.N5.names",
        "docs/running.md",
        "Chains, globs, names and formats of other programs are answered with ours.",
        "config/test_mistakes.py::test_a_chain_is_a_list",
        "config/test_mistakes.py::test_a_regular_expression_is_no_glob",
        "config/test_mistakes.py::test_a_preset_by_the_name_that_people_try_says_which_is_meant",
        "config/test_mistakes.py::test_names_from_elsewhere_are_answered_with_ours",
        "config/test_mistakes.py::test_what_is_no_toml_is_named",
    ),
    base.row(
        "manners.N5.files",
        "docs/running.md",
        "A file that cannot be used is found when the configuration is read.",
        "host/test_settings.py::test_files_that_cannot_be_used_are_found_when_the_configuration_is_read",
    ),
    base.row(
        "manners.N5.check",
        "docs/running.md",
        "A check of what could serve nothing, or of what could not be proven at all, is a no.",
        "cli/test_running.py::test_providers_without_a_key_are_a_no",
        "cli/test_running.py::test_urls_at_which_nothing_can_be_proven_are_a_no",
    ),
    # N6
    base.row(
        "manners.N6",
        "docs/routes.md",
        "Nearly right URLs are served, and a key in Azure's header counts.",
        "stories/test_names_and_paths.py::test_nearly_right_urls_are_served",
        "ingress/test_routes.py::test_other_forms_of_a_path_mean_the_same_route",
        "stories/test_names_and_paths.py::test_the_prefix_is_no_way_around_a_key",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.N6.slips",
        "docs/routes.md",
        "A path with a slip in it is a 404 that names what was meant; any other says where to look.",
        "ingress/test_routes.py::test_a_slip_in_a_path_is_near_what_was_meant",
        "stories/test_names_and_paths.py::test_an_unknown_path_says_what_to_do_next",
    ),
    base.row(
        "manners.N6.lists",
        "docs/routing.md",
        "What a glob of a server of weights lists is what that server says it has.",
        "routing/test_catalog.py::test_a_glob_of_a_server_of_weights_lists_no_names_of_the_table",
    ),
    # N7
    base.row(
        "manners.N7",
        "README.md",
        "Whoever opens the gateway's address is told what answers there and what to do next, and nothing of anybody's.",
        "operations/test_welcome.py::test_the_address_says_what_answers_there_and_what_to_do_next",
        "operations/test_welcome.py::test_it_tells_nothing_of_anybodys",
        "asgi/test_sinks.py::test_rows_are_shown_where_nobody_has_configured_logging",
        "config/test_report.py::test_a_configuration_in_one_line",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.N7.demo",
        "README.md",
        "The demo calls no tool unless it is asked for one.",
        "demo/test_provider.py::test_no_tool_is_called_unless_it_is_asked_for",
        "demo/test_provider.py::test_what_must_be_called_is_called_in_every_dialect",
    ),
    base.row(
        "manners.N7.next",
        "docs/running.md",
        "What a command cannot do it says with what to do next: who has the port, where the names are, why trust fails.",
        "host/test_settings.py::test_a_gateway_that_has_the_port_already_is_named",
        "cli/test_running.py::test_what_cannot_be_trusted_is_a_complaint",
        "cli/test_main.py::test_a_name_that_nobody_serves_is_a_no_with_near_names",
    ),
    base.row(
        "manners.N7.server",
        "docs/running.md",
        "In a server of one's own, too, the log names what is served, and commands find the gateway without a provider.",
        "asgi/test_app.py::test_without_any_provider_the_answer_says_how_to_configure_one",
    ),
    # N8
    base.row(
        "manners.N8.compression",
        "docs/wire/clients.md",
        "Codex signed in to ChatGPT works: coded bodies are read, and what is for its own server goes no further.",
        "stories/test_coded_requests.py::test_codex_sends_zstd_and_is_understood",
        "operations/test_endpoints.py::test_what_is_between_codex_and_its_own_server_does_not_reach_others",
    ),
    base.row(
        "manners.N8.local",
        "docs/routing.md",
        "A model on one's own machine is waited for as long as it takes to read its prompt, and asked once.",
        "stories/test_patience.py::test_the_presets_of_local_servers_have_an_hour",
        "stories/test_patience.py::test_a_key_that_let_the_time_run_out_is_not_asked_again",
    ),
    base.row(
        "manners.vendors.strict",
        "tests/README.md",
        "Vendors' refusals are rows with their words and sources, and each of them fires.",
        "agents/test_strict_vendors.py::test_every_rule_fires_on_a_request_that_breaks_it",
        "agents/test_strict_vendors.py::test_a_vendor_refuses_in_its_own_words_and_answers_the_rest",
    ),
    # N10
    base.row(
        "manners.N10.passing",
        "docs/routing.md",
        "A vendor's overload, 5xx or timeout is never called final, and says when to ask again.",
        "stories/test_retry_hints.py::test_a_vendors_passing_trouble_is_never_called_final_and_says_when",
        "stories/test_retry_hints.py::test_a_wait_that_the_vendor_names_is_told_whole",
        "stories/test_retry_hints.py::test_of_several_ways_one_that_may_open_decides",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
    base.row(
        "manners.N10.own",
        "docs/routing.md",
        "A vendor's own `x-should-retry` passes.",
        "stories/test_retry_hints.py::test_the_vendors_own_advice_passes",
        "differential/test_differential.py::test_every_frontend_gives_the_same_answer",
    ),
)
