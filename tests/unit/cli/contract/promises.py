"""What the command line is held to, in our words, and the tests that hold each.

A test is named by its function, wherever it lies. What needs a command that is not there yet names it: as soon as there
is such a command, the promise wants a test.
"""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """One promise. tests: names of test functions; until: the command or option it waits for; why: nobody holds it."""

    section: str
    says: str
    tests: tuple[str, ...] = ()
    until: str = ""
    why: str = ""


def _held(section: str, says: str, *tests: str) -> Promise:
    return Promise(section, says, tests)


def _waits(section: str, says: str, until: str) -> Promise:
    """until: a command, or a command and an option of it, as in `llama stack show --resolved`."""
    return Promise(section, says, until=until)


def _open(section: str, says: str, why: str) -> Promise:
    return Promise(section, says, why=why)


PROMISES = [
    # Output
    _held(
        "output",
        "data is on stdout, everything else on stderr",
        "test_quiet_silences_words_but_neither_data_nor_warnings",
        "test_an_empty_list_says_so_beside_the_data",
        "test_only_the_console_prints",
    ),
    _held(
        "output", "in a pipe a list is a row a line", "test_a_list_in_a_pipe_is_a_row_a_line", "test_a_table_in_a_pipe"
    ),
    _held("output", "whatever shows something has --json", "test_whatever_shows_something_does_so_as_json"),
    _held("output", "JSON is one document, or one object a line", "test_json_is_what_the_schema_says"),
    _held(
        "output",
        "a failure is a document too",
        "test_nothing_else_is_on_standard_output_with_json",
        "test_a_refusal_is_an_error_document_with_json",
        "test_a_failure_with_json_is_one_line_on_standard_output",
    ),
    _held("output", "keys are snake_case", "test_keys_are_snake_case"),
    _held(
        "output", "seconds, bytes and times are what they say", "test_seconds_bytes_and_times_are_what_their_names_say"
    ),
    _held(
        "output",
        "every JSON has a schema, which a real output is held against",
        "test_json_has_a_schema",
        "test_json_is_what_the_schema_says",
        "test_what_is_proven_elsewhere_is",
    ),
    _held("output", "the order is the same every time", "test_the_same_is_printed_twice"),
    _held("output", "-q on a list prints names only", "test_quiet_prints_names_only"),
    _held(
        "output",
        "--wide cuts nothing, and in a pipe nothing is cut",
        "test_a_list_has_quiet_and_wide",
        "test_wide_cuts_nothing",
        "test_a_list_in_a_pipe_is_one_row_a_line_and_nothing_is_cut",
    ),
    _held(
        "output",
        "colour and boxes only on a terminal, and only where wanted",
        "test_a_pipe_gets_no_colour_no_boxes_and_no_pictures",
        "test_color",
        "test_a_dumb_terminal_gets_plain_rows",
    ),
    _held("output", "meaning is never by colour alone", "test_a_label_says_in_words_what_its_colour_says"),
    _held(
        "output",
        "the width is the terminal's",
        "test_a_list_on_a_terminal_has_a_header_and_is_cut_to_its_width",
        "test_a_table_on_a_terminal",
        "test_help_fits_a_screen",
    ),
    _held("output", "no emoji", "test_messages_have_no_pictures"),
    _held("output", "a closed pipe ends quietly", "test_a_closed_pipe_ends_quietly"),
    _held("output", "output is UTF-8 everywhere", "test_what_is_printed_is_utf8_in_every_locale"),
    _held(
        "output",
        "long work shows progress: drawn on a terminal, lines elsewhere",
        "test_lines_of_text_where_nothing_can_be_drawn",
        "test_from_a_bare_clone_to_the_end",
    ),
    _held("output", "what took long is said at the end", "test_seconds_in_one_line"),
    # Exit codes
    _held("exit codes", "each has a meaning that is documented", "test_exit_codes_are_listed"),
    _held("exit codes", "they are the same in all commands", "test_codes_are_named_wherever_a_command_ends"),
    _held(
        "exit codes",
        "the code is in the JSON error too",
        "test_nothing_else_is_on_standard_output_with_json",
        "test_a_failure_with_json_is_one_line_on_standard_output",
    ),
    _held("exit codes", "what an error of the runtime ends with", "test_an_error_of_the_runtime_has_an_exit_code"),
    _held(
        "exit codes",
        "2 for usage, unknown names and prompts without a terminal",
        "test_a_mistyped_option_is_usage_with_the_nearest_name",
        "test_an_unknown_name_is_refused_with_what_to_do",
    ),
    _held("exit codes", "3 for a configuration", "test_show_of_a_wrong_config_names_every_problem"),
    _held("exit codes", "5 for what is taken", "test_a_taken_port_is_exit_5_and_leaves_no_server"),
    _held("exit codes", "6 for the network or an upstream", "test_an_answer_that_breaks_off_is_the_networks"),
    _held("exit codes", "7 for a server that is not healthy", "test_an_unhealthy_start_shows_the_last_of_the_log"),
    _held("exit codes", "8 for the user's own --timeout", "test_the_users_own_timeout_ends_a_start"),
    _held(
        "exit codes", "130 and 143 for signals", "test_a_signal_drains_the_server_in_front", "test_what_ends_a_command"
    ),
    _held(
        "exit codes",
        "9 for differences and missed thresholds",
        "test_differences_and_thresholds_have_a_code_of_their_own",
    ),
    _held("exit codes", "exec passes codes through; 125, 126 and 127 are ours", "test_exec_ends_as_docker_does"),
    # Errors
    _held(
        "errors",
        "what failed, why, what to do",
        "test_an_unknown_name_is_refused_with_what_to_do",
        "test_what_is_missing_is_named_with_where_to_read_on",
        "test_a_failure_has_its_hint_after_a_blank_line",
    ),
    _held(
        "errors",
        "all problems together",
        "test_several_wrong_values_each_keep_their_hint",
        "test_show_of_a_wrong_config_names_every_problem",
        "test_a_wrong_environment_names_every_line",
    ),
    _held(
        "errors",
        "nearest names for typos",
        "test_a_mistyped_option_is_usage_with_the_nearest_name",
        "test_an_unknown_command_names_the_nearest",
        "test_list_providers_of_an_unknown_api",
        "test_an_unknown_distribution_is_usage_with_the_nearest",
        "test_what_is_no_model_is_usage_with_the_nearest",
    ),
    _held("errors", "no traceback without --debug", "test_debug_shows_the_traceback"),
    _held(
        "errors",
        "an unexpected one has an id and a log, and tells no secret",
        "test_an_unexpected_error_has_an_id_and_a_log_and_tells_no_secret",
    ),
    _held(
        "errors",
        "the network's name host, proxy and setting",
        "test_unreachable_index_names_host_and_setting",
        "test_a_proxy_that_is_not_there_is_named_with_its_variable",
    ),
    _held("errors", "a missing key names its variable", "test_a_provider_without_its_key_says_how_to_give_one"),
    _held(
        "errors",
        "a busy port names who has it",
        "test_a_port_in_use_names_who_has_it",
        "test_a_taken_port_is_exit_5_and_leaves_no_server",
    ),
    # Input
    _held(
        "input",
        "nobody is asked where nobody can answer",
        "test_where_nobody_can_be_informed_nor_asked_the_work_is_done",
        "test_questions_are_asked_of_a_person_alone",
    ),
    _held("input", "every prompt has an option", "test_what_asks_can_be_told_beforehand"),
    _held(
        "input",
        "--no-input is known to all commands",
        "test_options_of_every_command_are_accepted",
        "test_questions_are_asked_of_a_person_alone",
    ),
    _held("input", "`-` is standard input wherever a file is read", "test_a_file_can_be_standard_input"),
    _held("input", "a secret is never an argument", "test_a_secret_is_no_argument"),
    _held(
        "input",
        "options over environment over run.yaml over template",
        "test_what_is_logged_is_said_by_run_config_variable_and_option",
        "test_a_pair_wins_over_the_file_and_the_file_over_the_shell",
    ),
    _held("input", "show --resolved tells where each value comes from", "test_each_value_has_its_origin"),
    _held(
        "input",
        "--env and --env-file reach the server and no disk",
        "test_the_environment_reaches_the_server_and_no_disk",
    ),
    _held(
        "input",
        "options have one meaning",
        "test_an_option_has_one_shape_everywhere",
        "test_short_options_mean_the_same_everywhere",
    ),
    _held("input", "durations and sizes take units", "test_durations_take_units", "test_sizes_take_units"),
    _held("input", "names are plain words", "test_options_are_long_words"),
    _held("input", "older names lead to the newer", "test_an_older_name_leads_to_a_command_that_there_is"),
    _held("input", "a shortened command is never guessed", "test_a_shortened_command_is_never_guessed"),
    # Help and discovery
    _held("help", "one screen, a sentence, examples", "test_help_fits_a_screen", "test_examples_parse"),
    _held(
        "help",
        "the rest where it is asked for",
        "test_the_whole_help_has_every_option_and_paragraph",
        "test_help_says_what_each_option_does",
        "test_help_says_what_each_argument_is",
    ),
    _held("help", "defaults and variables are shown", "test_help_shows_variables_and_defaults"),
    _held("help", "JSON schemas are a word away", "test_help_prints_the_schema"),
    _held(
        "help",
        "`llama` alone names the commands of the first day and the next step",
        "test_welcome_where_nothing_is_built",
        "test_welcome_where_something_is_built",
    ),
    _held("help", "after a success, what next", "test_what_is_ready_is_said_with_what_to_type_next"),
    _held(
        "help",
        "completion for four shells, with real values",
        "test_tab_completes",
        "test_fish_offers_them_with_what_they_are",
        "test_how_a_line_can_go_on",
        "test_whatever_takes_a_value_has_values_or_is_free",
        "test_an_answer_loads_neither_typer_nor_what_is_heavy",
    ),
    _held("help", "help --json describes the whole tree", "test_help_describes_the_whole_tree"),
    _held(
        "help",
        "man pages and the reference come from the same source",
        "test_the_reference_is_as_the_command_is",
        "test_a_man_page_says_what_help_says",
    ),
    # Speed
    _held(
        "speed",
        "nothing heavy is loaded to help, list or complete",
        "test_what_starts_nothing_loads_nothing_that_does",
        "test_all_commands_together_load_nothing_heavy",
        "test_help_loads_no_command_that_was_not_asked_for",
    ),
    _open("speed", "--version in 150 ms, help and listings in 300 ms", "measured by scripts/bench, not by a test"),
    _open("speed", "the first output within 100 ms", "measured by scripts/bench, not by a test"),
    # Changing things
    _held("changing", "--dry-run on whatever changes something", "test_whatever_changes_something_has_a_dry_run"),
    _held("changing", "a dry run changes nothing", "test_a_dry_run_changes_nothing_and_says_what_it_would"),
    _held("changing", "a dry run has the shape of a real one", "test_a_dry_run_has_the_shape_of_a_real_one"),
    _held(
        "changing",
        "twice is once",
        "test_second_time_starts_no_uv",
        "test_stopping_twice_is_stopping_once",
        "test_unchanged_input_asks_nobody",
    ),
    _held(
        "changing",
        "interrupted, the old state stays",
        "test_interrupt_leaves_the_old_environment",
        "test_failed_install_leaves_the_old_environment",
        "test_failed_lock_leaves_the_old_one_and_no_litter",
    ),
    _held(
        "changing",
        "of two at once one waits, or is told who is at it",
        "test_second_builder_is_told_who_builds",
        "test_second_builder_may_wait",
        "test_two_runs_at_once_make_one_server",
    ),
    _held("changing", "what was made is listed with its size", "test_what_takes_how_much_is_said_by_kind"),
    _held(
        "changing",
        "remove keeps the state unless told otherwise",
        "test_what_servers_have_kept_stays_unless_told_otherwise",
    ),
    _held("changing", "nothing lies outside the user's Llama home", "test_what_we_make_is_for_its_owner"),
    _held("changing", "--offline asks nobody", "test_offline_without_a_cache_fails_in_our_words"),
    _held(
        "changing",
        "proxies, indexes and certificates are taken from the usual settings",
        "test_variables_go_over",
        "test_uvs_own_strategy_and_certificate_win",
        "test_a_proxy_is_told_the_whole_address",
    ),
    # Servers
    _held("servers", "run stays in front", "test_a_signal_drains_the_server_in_front"),
    _held(
        "servers",
        "--detach returns when it is healthy, or with the last of the log",
        "test_a_detached_server_is_listed_answers_and_stops",
        "test_an_unhealthy_start_shows_the_last_of_the_log",
    ),
    _held("servers", "ps shows state, address, process, version, uptime and memory", "test_ps_shows_what_it_promises"),
    _held("servers", "a stale pid is never taken for a server", "test_alive_is_a_lock_and_not_a_pid"),
    _held(
        "servers",
        "logs are filtered, followed, rotated, and outlive a crash",
        "test_logs_are_filtered_and_followed_to_the_end",
        "test_rotated_files_come_first_and_oldest_first",
        "test_a_crash_is_seen_and_reported",
    ),
    _held("servers", "status explains what is degraded", "test_a_degraded_provider_is_explained"),
    _held(
        "servers",
        "stop drains, then ends, and takes children along",
        "test_stop_kills_what_does_not_drain_in_time",
        "test_stop_takes_the_servers_children_along",
    ),
    _held("servers", "restart keeps options and port", "test_options_reach_the_server_and_survive_a_restart"),
    _held("servers", "wait --for a state", "test_a_server_is_waited_for_until_it_is_what_one_wants"),
    _held(
        "servers",
        "the first Ctrl-C drains, the second ends; SIGTERM likewise",
        "test_a_signal_drains_the_server_in_front",
        "test_a_second_signal_ends_what_still_drains",
        "test_a_second_signal_ends_it_at_once",
    ),
    _held("servers", "--port 0 and ready files for parallel jobs", "test_port_0_starts_servers_side_by_side"),
    _held(
        "servers",
        "a server survives a reboot on request",
        "test_a_unit_is_installed_started_and_left_as_it_is_the_second_time",
        "test_systemd_finds_nothing_wrong_with_a_unit",
    ),
    _held(
        "servers", "an open address without authentication is refused", "test_an_open_host_is_refused_where_it_was_said"
    ),
    # CI and agents
    _held("ci", "with CI set nobody is asked and nothing is drawn", "test_questions_are_asked_of_a_person_alone"),
    _held("ci", "output is deterministic", "test_the_same_is_printed_twice"),
    _held("ci", "an image and an action are thin wrappers", "test_the_image_and_the_action_call_the_same_commands"),
    _held("ci", "a pipeline is shown what it knows: SARIF, Markdown, JUnit", "test_pipelines_get_their_own_formats"),
    _held("ci", "nothing is told about users", "test_no_host_of_ours_is_known"),
    # Trust
    _held("trust", "--version --json says what runs here", "test_version_as_json_says_what_runs_here"),
    _held("trust", "nobody is asked for updates", "test_no_host_of_ours_is_known"),
    _held("trust", "what README and help show is run", "test_every_block_of_the_readme_runs", "test_examples_parse"),
]
