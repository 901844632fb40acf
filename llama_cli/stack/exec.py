"""Run a command with a stack of its own, which ends with it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Quiet, parse_duration, usual_target
from llama_cli.start_options import HOW, Start, StartOptions, takes_start_options
from llama_cli.terminal import console
from llama_cli.terminal.progress import waiting

_OF_THE_COMMAND = (ExitCode.COMMAND_TIMEOUT, ExitCode.NOT_EXECUTABLE, ExitCode.NOT_FOUND)


@takes_start_options
def command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="DISTRO|NAME|FILE",
            help="A template, what was built, or a run.yaml; else this folder's, or `starter`. `-` is stdin.",
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND...", help="The command, with options of its own.", show_default=False),
    ] = None,
    *,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="DURATION", parser=parse_duration, help="End the command after this."),
    ] = None,
    logs: Annotated[
        Literal["failure", "always", "never"],
        typer.Option(
            help="Show the server's log: its last warnings once the command has failed, all of it as it is written, or "
            "nothing.",
            rich_help_panel=HOW,
        ),
    ] = "failure",
    log_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="Copy the server's log there at the end.", rich_help_panel=HOW)
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; by default this machine's.", rich_help_panel=HOW)
    ] = "127.0.0.1",
    options: StartOptions,
    quiet: Quiet = False,
) -> None:
    """Start a stack on a free port, wait until it is ready, run a command, and stop it; the exit code is the command's.

    The command has our standard streams and our terminal. It finds the stack by what libraries read: OPENAI_BASE_URL
    and OPENAI_API_KEY, LLAMA_STACK_CLIENT_BASE_URL, LLAMA_STACK_URL, and the variables of Anthropic's and Google's
    where the stack has their APIs. LLAMA_STACK_MODEL and LLAMA_STACK_EMBEDDING_MODEL name models of it.

    Keys that are set here, or given by --env and --env-file, are for the stack's providers. In the command, the key of
    a library that asks the stack is `none`, or LLAMA_STACK_API_KEY where that is set, so that a vendor's goes nowhere
    by mistake; `-- env NAME=VALUE COMMAND` gives it another.

    Ready is: each provider has come up or given up. With `--wait ready` it is enough that the stack answers.

    Signals are passed on. What the command has started ends with it, also what it has left running; so does all that
    the stack has kept, unless --state names a folder. Our own words are on stderr.

    128 and a number is the exit code of a command that this signal has ended; 124 after --time-limit, 125 where the
    stack fails, 126 for a command that cannot be executed, 127 for one that is not there.

    Examples:
      llama stack exec starter -- pytest -q
      llama stack exec my-run.yaml --env-file keys.env -- node test.mjs
      llama stack exec starter -- sh -c 'curl -s $OPENAI_BASE_URL/models'
    """
    import sys

    from llama_cli.failures import INTERRUPTED, TERMINATED, failure_of

    if not words:
        message = f"there is no command to run with `{target or usual_target()}`"
        raise Failure(message, hint="as in `llama stack exec starter -- pytest -q`", code=ExitCode.USAGE)
    try:
        done = _execute(target or usual_target(), words, options, host, time_limit, logs, log_file)
    except Exception as error:
        failure = failure_of(error, sys.argv[1:])
        if failure.code not in _OF_THE_COMMAND and failure not in (INTERRUPTED, TERMINATED):
            failure.code = int(ExitCode.EXEC_FAILED)
        raise failure from error
    if isinstance(done, str):
        console.out(done)
        return
    raise typer.Exit(done)


def _execute(
    target: str,
    words: list[str],
    options: StartOptions,
    host: str,
    time_limit: float | None,
    logs: Literal["failure", "always", "never"],
    log_file: str | None,
) -> int | str:
    """The exit code, or what would be done."""
    from runtime.config.text import shown

    with waiting(f"reading `{shown(target)}`"):
        from llama_cli.executing.command import program_of
        from runtime.config.user_file import UserFile

        program = program_of(words[0])
        copied_to = UserFile(log_file, option="--log-file") if log_file is not None else None
        start = options.read(target, host=host, port=0, for_command=True)
        would = _what_would_be_done(start, words) if options.dry_run else None
    for option, file in (("--log-file", copied_to), *(("--ready-file", each) for each in start.announced_in)):
        if file is not None and file.is_stdout:
            raise Failure.of_option(option, "standard output is the command's", hint="name a file, or `/dev/stderr`")
    if would is not None:
        return would
    with waiting(f"preparing `{shown(target)}`"):
        from llama_cli.executing.around import Execution, execute
    execution = Execution(program=program, command=words, time_limit_s=time_limit, logs=logs, log_file=copied_to)
    return execute(start, execution)


def _what_would_be_done(start: Start, words: list[str]) -> str:
    import shlex

    from llama_cli.servers.would_start import as_run

    plan = as_run(start.choices, start.variables, config=start.config)
    build_and = "" if plan["is_built"] else "build and "
    return f"would {build_and}serve `{plan['name']}` from {plan['run_yaml']}, and run `{shlex.join(words)}`"
