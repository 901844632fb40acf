"""How a command line ends: versions, welcomes, and whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_core import SchemaError

from llama_cli.failures import Terminated
from llama_cli.stack import list_apis
from runtime import __version__, discovery
from runtime.errors import ConfigInvalid, Problem
from tests.support.command_runner import Cli
from tests.support.schemas import conform


def break_list_apis(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> object:
        raise error

    assert "discovery" in Path(list_apis.__file__).read_text()
    monkeypatch.setattr(discovery, "api_summaries", fail)


def test_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"llama {__version__}\n", "")


def test_welcome_where_nothing_is_built(cli: Cli) -> None:
    result = cli()
    assert result.code == 0
    assert result.out.count("\n  llama ") == 5
    assert result.out.endswith("next: `llama stack run starter` (nothing is built yet; this builds it first)\n")


def test_welcome_where_something_is_built(cli: Cli) -> None:
    folder = cli.home / "distributions" / "mine"
    folder.mkdir(parents=True)
    (folder / "run.yaml").touch()
    assert cli().out.endswith("next: `llama stack run mine` (built: mine)\n")
    step = cli("--json").json()
    conform(step, "llama")
    assert step["command"] == "llama stack run mine"


def test_an_unexpected_error_has_an_id_and_a_log_and_tells_no_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret")
    monkeypatch.setenv("PWD", "/srv/stack")  # a name that looks like a password's
    break_list_apis(monkeypatch, RuntimeError("broke with sk-very-secret below /srv/stack"))
    result = cli("stack", "list-apis", "--color=never")
    assert (result.code, result.out) == (1, "")
    log = next((cli.home / "logs").iterdir())
    incident = log.stem.rpartition("-")[2]
    assert result.err == (
        f"error: unexpected RuntimeError (incident {incident}): broke with ******** below /srv/stack\n\n"
        f"hint: this is a bug of ours: please report it with `{log}`; `--debug` shows the traceback\n"
    )
    text = log.read_text()
    assert "options: ['--color']" in text
    assert "RuntimeError: broke with ********" in text
    assert "sk-very-secret" not in text


def test_debug_shows_the_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    break_list_apis(monkeypatch, RuntimeError("broke"))
    with pytest.raises(RuntimeError, match="broke"):
        cli("stack", "list-apis", "--debug")


def test_the_llama_home_is_a_way_out_only_of_what_is_in_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.home.mkdir()
    for place, is_in_it in ((str(cli.home / "servers"), True), ("/there", False), (None, False)):
        break_list_apis(monkeypatch, PermissionError(13, "Permission denied", place))
        result = cli("stack", "list-apis")
        assert (result.code, "LLAMA_HOME" in result.err, "give yourself access" in result.err) == (4, is_in_it, True)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "/there"), 4, "Permission denied: `/there`"),
        (OSError(30, "Read-only file system", "/there"), 4, "Read-only file system: `/there`"),
        (OSError(28, "No space left on device", "/there"), 1, "No space left on device: `/there`"),
        (ConfigInvalid([Problem(message="bad")]), 3, "the configuration has 1 problem\n  bad"),
    ],
)
def test_what_ends_a_command(
    error: BaseException, code: int, message: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_list_apis(monkeypatch, error)
    result = cli("stack", "list-apis", "--json")
    conform(result.json(), "error")
    assert (result.code, result.json()["error"]["code"], result.json()["error"]["message"]) == (code, code, message)


def test_a_full_disk_is_reported_with_the_folders_that_can_be_elsewhere(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_list_apis(monkeypatch, OSError(28, "No space left on device", "/there"))
    assert "`LLAMA_HOME`, `UV_CACHE_DIR`" in cli("stack", "list-apis").err


def test_a_missing_argument_is_usage(cli: Cli) -> None:
    result = cli("stack", "show")
    assert result.code == 2
    assert result.err == (
        "error: missing argument `DISTRO|NAME|FILE`\n\n"
        "hint: as in `llama stack show starter`; see `llama stack show --help`\n"
    )


def test_several_wrong_values_each_keep_their_hint(cli: Cli) -> None:
    result = cli("stack", "build", "starter", "--providers", "infrence=a,b")
    assert (result.code, result.err) == (
        2,
        "error: the command line has 2 problems\n"
        "  --providers: there is no API `infrence` (did you mean `inference` or `earlier_inference`?)\n"
        "  --providers: `b` is not `API=TYPE` (write it as in `inference=remote::ollama`)\n",
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["run", "x", "--timeout", "soon"], "`--timeout`: `soon` is not a duration; write it as in `90s`, "),
        (["logs", "--tail", "all"], "`--tail`: expected a whole number of at least 0, got `all`"),
        (["logs", "--tail", "1.5"], "`--tail`: expected a whole number of at least 0, got `1.5`"),
        (["list-deps", "x", "--format", "pip"], "`--format`: `pip` is not one of `uv`, `deps-only`"),
        (["run", "x", "--ready-file", "/"], "`--ready-file`: `/` is a folder"),
        (["run", "x", "--state", "/dev/null"], "`--state`: `/dev/null` is no folder"),
        (["run", "x", "--state", "/dev/null/state"], "`--state`: `/dev/null` is no folder"),
        (["run", "x", "--state", "/" + "x" * 300], f"`--state`: `/{'x' * 300}` cannot be a folder: File name too long"),
        (["run", "x", "--model", ""], "`--model`: an empty name"),
        (["run", "x", "--alias", "y"], "`--alias`: `y` is not `NAME=MODEL`"),
        (["run", "x", "--log-level", "loud"], "`--log-level`: `loud` is not one of `debug`, "),
        (["logs", "--level", "loud"], "`--level`: `loud` is not one of `debug`, "),
        (
            ["build", "starter", "--providers", "inference=remote::olama"],
            "`--providers`: `remote::olama` is not a provider ",
        ),
        (["build", "starter", "--name", "-x"], "`--name`: `-x` cannot name a distribution"),
    ],
    ids=lambda value: value[-2] if isinstance(value, list) else "",
)
def test_a_wrong_value_names_its_option(words: list[str], error: str, cli: Cli) -> None:
    result = cli("stack", *words)
    assert (result.code, result.err[: len(error) + 7]) == (2, f"error: {error}")


@pytest.mark.parametrize(("end", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_end_that_a_library_reports_in_its_own_words_is_one(
    end: type[BaseException], code: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pydantic does where Ctrl-C comes while it makes a model."""
    words = f'Error building "model" validator:\n  SchemaError: Error building "literal" validator:\n  {end.__name__}: '
    break_list_apis(monkeypatch, SchemaError(words))
    result = cli("stack", "list-apis")
    assert (result.code, result.out) == (code, "")
    assert "unexpected" not in result.err
