"""The command `llama`: the root of all commands, its version, and how any command ends.

One line per command or group of commands; each is imported only when it is asked for. Knows how errors become messages
and exit codes, not what any command does.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer._click.exceptions import NoSuchOption, UsageError

from llama_cli import console
from llama_cli.commands import CommandGroup
from llama_cli.console import ExitCode, Failure
from llama_cli.options import Json
from runtime import __version__
from runtime.errors import StackError, suggestion

_NOT_OURS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG),
}
"""What the system says of the user's disk and limits; any other error of it is one that we should have foreseen."""


class Root(CommandGroup):
    modules: Mapping[str, str] = {
        "stack": "llama_cli.stack",
        "chat": "llama_cli.chat",
        "help": "llama_cli.help",
    }


app = typer.Typer(cls=Root, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def llama(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version; with --json also commit, Python and platform.")
    ] = False,
    json: Json = False,
) -> None:
    """Build, run and use the Llama Stack: one API for everything an AI application needs, any provider behind it.

    Examples:
      llama stack run starter
      llama chat "What is a llama?"
      llama help exit-codes
    """
    if context.invoked_subcommand is not None:
        return
    from llama_cli import welcome

    if version:
        if json:
            console.document(welcome.version_facts())
        else:
            console.out(f"llama {__version__}")
    elif json:
        console.document(welcome.next_step())
    else:
        welcome.show()


def root() -> CommandGroup:
    """The whole tree of commands, none of them imported yet."""
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    return group


def main() -> NoReturn:
    """The entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong is printed, never raised."""
    try:
        console.configure(arguments)
        with root().make_context("llama", list(arguments)) as context:
            context.command.invoke(context)
        return ExitCode.DONE
    except typer.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _failed(Failure("interrupted", code=ExitCode.INTERRUPTED))
    except BrokenPipeError:
        console.drop_output()
        return ExitCode.DONE
    except Failure as failure:
        return _failed(failure)
    except StackError as error:
        return _failed(Failure.from_error(error))
    except typer.TyperException as error:
        return _failed(_wrong_usage(error))
    except OSError as error:
        if error.errno not in _NOT_OURS or console.settings.debug:
            return _bug(error, arguments)
        return _failed(_refused_by_the_system(error))
    except Exception as error:
        return _bug(error, arguments)


def _bug(error: Exception, arguments: Sequence[str]) -> int:
    if console.settings.debug:
        raise error
    return _failed(_unexpected(error, arguments))


def _failed(failure: Failure) -> int:
    try:
        console.failure(failure)
    except BrokenPipeError:
        console.drop_output()
    return failure.code


def _wrong_usage(error: typer.TyperException) -> Failure:
    """Typer's own complaint, in our words: what is wrong, then how to find out what is right."""
    message = error.message if isinstance(error, NoSuchOption) else error.format_message()
    hint = None
    if isinstance(error, UsageError) and error.ctx is not None:
        hint = f"see `{error.ctx.command_path} --help`"
    if isinstance(error, NoSuchOption) and error.possibilities:
        hint = suggestion(sorted(error.possibilities))
    return Failure(message[:1].lower() + message[1:].rstrip("."), hint=hint, code=error.exit_code)


def _refused_by_the_system(error: OSError) -> Failure:
    """A disk, a folder or a limit that is the user's to change."""
    place = f": `{error.filename}`" if error.filename else ""
    is_access = isinstance(error, PermissionError)
    return Failure(
        f"{error.strerror}{place}",
        hint="give yourself access, or set `LLAMA_HOME` to a folder that is yours" if is_access else None,
        code=ExitCode.ACCESS if is_access else ExitCode.FAILED,
    )


def _unexpected(error: Exception, arguments: Sequence[str]) -> Failure:
    """A bug of ours: an id and a file with the traceback, in which the values of secret-looking variables are blanked
    out.
    """
    import secrets
    import traceback
    from pathlib import Path

    from runtime.config.home import llama_home

    incident = secrets.token_hex(4)
    # Arguments may be prompts and keys: of them only the names of options are kept.
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    text = (
        f"llama {__version__}, Python {sys.version}\noptions: {options}\n\n{''.join(traceback.format_exception(error))}"
    )
    facts: dict[str, Any] = {"id": incident, "log_file": None}
    try:
        folder = llama_home() / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        log_file = Path(folder, f"cli-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{incident}.log")
        log_file.write_text(_without_secrets(text), encoding="utf-8")
        facts["log_file"] = str(log_file)
        hint = f"this is a bug of ours: please report it with `{log_file}`; `--debug` shows the traceback"
    except OSError:
        hint = "this is a bug of ours: please report it with what `--debug` shows"
    message = _without_secrets(f"unexpected {type(error).__name__} (incident {incident}): {error}")
    return Failure(message, hint=hint, code=ExitCode.FAILED, facts=facts)


def _without_secrets(text: str) -> str:
    from runtime.config.redaction import MASK, is_secret, redact_text

    for name, value in os.environ.items():
        if is_secret(name) and len(value) >= 4:
            text = text.replace(value, MASK)
    return redact_text(text)


if __name__ == "__main__":
    main()
