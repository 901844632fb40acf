"""How each command is called so that it shows something: the tables that a new command has to be entered in.

The tests that walk over all commands say which entry is missing.
"""

from __future__ import annotations

OUTPUTS: dict[str, list[str]] = {
    "llama api": ["GET", "/v1/models", "--dry-run"],
    "llama completion install": ["bash", "--dry-run"],
    "llama completion show": ["bash"],
    "llama completion uninstall": ["bash", "--dry-run"],
    "llama help": [],
    "llama model describe": ["Llama3.3-70B-Instruct"],
    "llama model import": ["small.gguf", "--name", "mine", "--dry-run"],
    "llama model list": ["--all"],
    "llama model prompt-format": ["Llama3.1-8B"],
    "llama model remove": ["own", "--dry-run"],
    "llama model verify": ["own"],
    "llama stack build": ["starter", "--dry-run"],
    "llama stack diff": ["starter", "ci-tests"],
    "llama stack df": [],
    "llama stack env": ["starter"],
    "llama stack init": ["mine", "--dry-run"],
    "llama stack new-provider": ["acme", "--api", "inference", "--dry-run"],
    "llama stack list": [],
    "llama stack list-apis": [],
    "llama stack list-deps": ["ci-tests"],
    "llama stack list-providers": ["inspect"],
    "llama stack logs": ["starter"],
    "llama stack prune": ["--dry-run"],
    "llama stack ps": ["--all"],
    "llama stack recordings import": ["../../../peer", "--dry-run"],
    "llama stack recordings ls": [],
    "llama stack recordings prune": ["--unused", "--dry-run"],
    "llama stack recordings show": ["tests/one.json"],
    "llama stack remove": ["mine", "--dry-run"],
    "llama stack run": ["ci-tests", "--port", "0", "--dry-run"],
    "llama stack show": ["starter"],
    "llama stack show-provider": ["remote::ollama"],
    "llama stack status": ["gone"],
    "llama stack stop": ["starter", "--dry-run"],
    "llama stack validate": ["ci-tests"],
}
"""Command -> arguments with which it prints data in `tests.support.command_world`, changes nothing and asks nobody."""

TABLES: dict[str, list[str]] = {
    "llama help": ["exit-codes"],
    "llama model list": ["--search", "3.3"],
    "llama stack env": ["ci-tests"],
}
"""Command -> arguments with which it prints a table, where those of OUTPUTS print something else."""

PROVEN_ELSEWHERE: dict[str, str] = {
    "llama chat": "tests/processes/test_processes.py::test_chat",
    "llama complete": "tests/unit/cli/shell/test_complete.py::test_json_is_one_document",
    "llama embed": "tests/unit/cli/shell/test_embed.py::test_json_is_one_document",
    "llama model download": "tests/unit/cli/shell/test_download.py::test_a_dry_run_says_files_and_sizes",
    "llama moderate": "tests/unit/cli/shell/test_moderate.py::test_json_is_a_row_a_text",
    "llama models": "tests/unit/cli/shell/test_models.py::test_the_rows_are_those_of_the_schema",
    "llama shields": "tests/unit/cli/shell/test_moderate.py::test_the_shields_of_a_server",
    **{
        f"llama stack batch {name}": f"tests/unit/cli/shell/test_batch.py::{test}"
        for name, test in {
            "submit": "test_a_file_is_sent_and_waited_for",
            "ls": "test_batches_are_listed",
            "cancel": "test_a_batch_is_cancelled",
            "results": "test_answers_are_lines",
        }.items()
    },
    **{
        f"llama stack eval {name}": f"tests/unit/cli/evaluating/test_runs.py::{test}"
        for name, test in {
            "run": "test_a_suite_is_put_to_a_model",
            "show": "test_a_run_is_shown",
            "ls": "test_runs_are_listed",
            "compare": "test_runs_are_compared",
            "cancel": "test_a_run_is_cancelled",
        }.items()
    },
    "llama stack recordings verify": "tests/processes/cli/test_recordings.py::test_what_has_drifted_is_told",
    "llama stack recordings refresh": "tests/processes/cli/test_recordings.py::test_what_is_recorded_again",
    "llama connect": "tests/unit/cli/shell/test_connect.py::test_what_else_stands_in_the_file_stays",
    "llama doctor": "tests/processes/cli/test_doctor.py::test_a_repair_says_what_it_would_do_before_it_does_it",
    "llama service install": "tests/unit/cli/shell/test_service.py::test_what_would_be_written_is_shown",
    "llama service uninstall": "tests/unit/cli/shell/test_service.py::test_a_service_is_listed_and_removed",
    "llama service status": "tests/unit/cli/shell/test_service.py::test_a_service_is_listed_and_removed",
    "llama open": "tests/processes/cli/test_open.py::test_the_page_is_shown_in_the_browser",
    "llama stack storage export": "tests/processes/cli/test_storage_moves.py::test_what_goes_into_an_archive",
    "llama stack storage import": "tests/processes/cli/test_storage_moves.py::test_what_is_there_is_never_overwritten",
    "llama stack storage prune": "tests/processes/cli/test_storage.py::test_what_is_too_old_goes_once_one_agrees",
    "llama stack storage query": "tests/processes/cli/test_storage.py::test_what_sql_finds_in_analytics",
    "llama stack storage restore": "tests/processes/cli/test_storage.py::test_a_copy_leads_back",
    "llama stack storage show": "tests/processes/cli/test_storage.py::test_what_is_kept_is_shown_by_kind",
    "llama stack explain": "tests/processes/cli/test_traces.py::test_a_request_is_explained",
    "llama stack top": "tests/processes/cli/test_traces.py::test_what_goes_on_is_watched",
    "llama stack traces show": "tests/processes/cli/test_traces.py::test_requests_are_listed_and_shown",
    "llama stack traces sql": "tests/processes/cli/test_traces.py::test_what_sql_finds",
    "llama stack wait": "tests/processes/test_processes.py::test_a_server_is_waited_for_until_it_is_what_one_wants",
    "llama stack restart": "tests/processes/test_processes.py::test_options_reach_the_server_and_survive_a_restart",
}
"""Command -> the test that holds its real output against its schema, where that takes a server that answers."""

DRY_RUNS: dict[str, list[str]] = {
    "llama api": ["POST", "/v1/models"],
    "llama completion install": ["fish"],
    "llama completion uninstall": ["fish"],
    "llama stack build": ["starter"],
    "llama stack exec": ["starter", "--", "sh", "-c", "exit 1"],
    "llama model import": ["small.gguf", "--name", "mine"],
    "llama model remove": ["own"],
    "llama stack init": ["mine"],
    "llama stack new-provider": ["acme", "--api", "inference"],
    "llama stack prune": [],
    "llama stack recordings import": ["../../../peer"],
    "llama stack recordings prune": ["--unused"],
    "llama stack remove": ["mine"],
    "llama stack restart": ["starter"],
    "llama stack run": ["starter", "--port", "0"],
    "llama stack stop": ["starter"],
}
"""Command -> arguments with which, but for `--dry-run`, it would change something in that world."""

READS = {
    *(
        "llama help",
        "llama stack df",
        "llama stack list",
        "llama stack list-apis",
        "llama stack list-deps",
        "llama stack list-providers",
    ),
    *("llama stack env", "llama stack logs", "llama stack ps", "llama stack show", "llama stack show-provider"),
    *(
        "llama stack status",
        "llama stack validate",
        "llama stack wait",
        "llama open",
        "llama service status",
        "llama stack diff",
    ),
    *(
        "llama models",
        "llama shields",
        "llama model describe",
        "llama model list",
        "llama model prompt-format",
        "llama model verify",
    ),
    "llama completion show",
    "llama stack storage query",
    "llama stack storage show",
    "llama stack batch ls",
    "llama stack batch results",
    "llama stack recordings ls",
    "llama stack recordings show",
    "llama stack recordings verify",
    "llama stack eval compare",
    "llama stack eval ls",
    "llama stack eval show",
    *("llama stack explain", "llama stack top", "llama stack traces show", "llama stack traces sql"),
}
"""Commands that change nothing that lasts; all others have `--dry-run`."""

TALKS = {"llama chat", "llama complete", "llama embed", "llama moderate", "llama stack mcp"}
"""Commands that only send what the user says to a server, which may keep it."""

TAKES_NAMES = {"llama stack diff": 2}
"""How many names a command wants that could do with fewer arguments; otherwise as many as are required."""

PASSES_ON = {"llama api", "llama stack mcp"}
"""Commands whose output is what a server answers, whatever that is."""

NOT_ROWS_ALONE = {
    *("llama api", "llama connect", "llama help", "llama model verify", "llama stack show-provider"),
    *("llama stack storage query", "llama stack storage show", "llama stack traces show", "llama stack traces sql"),
}
"""Commands that print a list with some arguments only, or beside other facts."""

TAKES_ANYTHING = {
    "llama stack batch cancel",
    "llama stack batch results",
    "llama stack eval cancel",
    "llama stack eval compare",
    "llama stack eval ls",
    "llama stack eval show",
    "llama stack explain",
    "llama stack traces show",
    "llama stack traces sql",
    "llama stack init",
    "llama stack new-provider",
    "llama chat",
    "llama complete",
    "llama embed",
    "llama moderate",
}
"""Commands whose argument may be any text, or the name of what is not there yet."""

GAPS: dict[tuple[str, str], str] = {}
"""Test and command -> what is missing. Such a test fails as soon as it holds: then its entry here goes."""
