"""The command `llama`: the root of all commands, its version, and how any command ends.

One line per command or group of commands; each is imported only when it is asked for. Knows how errors become messages
and exit codes, not what any command does.
"""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer._click.core import Parameter, ParameterSource
from typer._click.exceptions import BadParameter, MissingParameter, NoSuchOption, UsageError

from llama_cli.commands import CommandGroup, argument_behind_dashes
from llama_cli.exits import ExitCode, Failure
from llama_cli.failures import INTERRUPTED, TERMINATED, Terminated, failure_of
from llama_cli.options import variables_of
from llama_cli.terminal import console
from runtime import __version__, stdio
from runtime.config.variables import is_link
from runtime.similar import suggestion


class Root(CommandGroup):
    modules: Mapping[str, str] = {
        "stack": "llama_cli.stack",
        "chat": "llama_cli.chat",
        "complete": "llama_cli.complete",
        "embed": "llama_cli.embed",
        "moderate": "llama_cli.moderate",
        "models": "llama_cli.models",
        "model": "llama_cli.model",
        "shields": "llama_cli.shields",
        "doctor": "llama_cli.doctor",
        "connect": "llama_cli.connect",
        "service": "llama_cli.service",
        "open": "llama_cli.open",
        "api": "llama_cli.api",
        "completion": "llama_cli.completion",
        "help": "llama_cli.help",
    }
    older: Mapping[str, str] = {"download": "model download", "verify-download": "model verify"}
    usual = ("stack", "chat", "models", "model", "doctor", "help")


app = typer.Typer(cls=Root, add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def llama(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version; with --json also commit, Python and platform.")
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the next step as JSON; `--help --schema` prints its schema.",
            callback=console.set_json,
            rich_help_panel="More",
        ),
    ] = False,
) -> None:
    """Build, run and use the Llama Stack: one API, any provider behind it.

    Examples:
      llama stack run starter
      llama chat "What is the capital of Japan?"
    """
    if context.invoked_subcommand is not None:
        return
    from llama_cli import welcome

    if json:
        console.document(welcome.version_facts() if version else welcome.next_step())
    elif version:
        console.out(f"llama {__version__}")
    else:
        welcome.show()


@cache
def root() -> CommandGroup:
    """The whole tree of commands, of which those are imported that were asked for."""
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    return group


def main() -> NoReturn:
    """The entry point of the console script."""
    # Nearly all that a command makes lives to its end, modules above all: looking through it for garbage, again and
    # again while it loads and once more at the end, cost a fifth of its time.
    gc.set_threshold(100_000, 20, 20)
    stdio.open_missing()
    for name in ("SIGTERM", "SIGHUP"):  # the latter, a closed terminal, is not known on Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _terminate)
    _give_interrupts(to=signal.default_int_handler)
    sys.unraisablehook = say_again
    code = run(sys.argv[1:])
    _give_interrupts(to=signal.SIG_DFL)  # what Python does at its end is no place for a traceback
    gc.freeze()
    sys.exit(code)


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
        return _failed(INTERRUPTED)
    except BrokenPipeError:
        return ExitCode.DONE
    except Terminated:
        return _failed(TERMINATED)
    except typer.TyperException as error:
        return _failed(_wrong_usage(error))
    except Exception as error:
        return _failed(failure_of(error, arguments))
    finally:
        console.let_go()


def say_again(lost: sys.UnraisableHookArgs) -> None:
    """An `unraisablehook`. A signal that came where Python can raise nothing, such as in the callback of a weak
    reference while it imports, comes once more, a moment later: it was no more than printed.
    """
    numbers = {KeyboardInterrupt: signal.SIGINT, Terminated: signal.SIGTERM}
    if (number := numbers.get(lost.exc_type)) is None:
        sys.__unraisablehook__(lost)
        return
    import _thread
    import threading

    again = threading.Timer(0.01, _thread.interrupt_main, [number])  # here it would be lost again
    again.daemon = True
    again.start()


def _give_interrupts(*, to: Callable[..., object] | signal.Handlers) -> None:
    """Let Ctrl-C do this from now on, unless whoever started us has switched it off."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, to)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _failed(failure: Failure) -> int:
    with suppress(BrokenPipeError):
        console.failure(failure)
    return failure.code


_OLDER_OPTIONS = {
    ("stack build", "--template"): "`llama stack build TEMPLATE` names it without an option",
    ("stack build", "--distro"): "`llama stack build DISTRO` names it without an option",
    ("stack build", "--image-name"): "`--name NAME` is what it is called here",
    ("stack run", "--template"): "`llama stack run TEMPLATE` names it without an option",
    ("stack run", "--distro"): "`llama stack run DISTRO` names it without an option",
    ("stack run", "--config"): "`llama stack run FILE` names it without an option",
    ("stack run", "--image-type"): "leave it out: each distribution has an environment of its own",
    ("stack run", "--image-name"): "leave it out: each distribution has an environment of its own",
}
"""Options of llama-stack's own command line that are others here, by command: what to type."""


def _wrong_usage(error: typer.TyperException) -> Failure:
    """Typer's own complaint, in our words: what is wrong, then how to find out what is right."""
    message = error.message if isinstance(error, NoSuchOption) else error.format_message()
    hint = None
    if type(error) is BadParameter:
        message = _number_expected(error)
        message = f"{_place(error, error.param)}: {message}" if error.param is not None else message
    message = re.sub(r"(?<!\w)'([^']*)'(?!\w)", r"`\1`", message)
    if isinstance(error, UsageError) and error.ctx is not None:
        hint = f"see `{error.ctx.command_path} --help`"
        has_dashes = argument_behind_dashes(error.ctx.command.params) is not None
        if isinstance(error, MissingParameter) or has_dashes:
            path, stated = error.ctx.command_path, getattr(error.ctx.command, "examples", ())
            fitting = (one for one in stated if one.startswith(path) and (not has_dashes or " -- " in one))
            hint = f"as in `{example}`; {hint}" if (example := next(fitting, None)) else hint
    if isinstance(error, NoSuchOption) and error.ctx is not None:
        older = _OLDER_OPTIONS.get((error.ctx.command_path.partition(" ")[2], error.option_name))
        hint = older or (suggestion(error.possibilities) if error.possibilities else hint)
    return Failure(message[:1].lower() + message[1:].rstrip("."), hint=hint, code=error.exit_code)


_NO_NUMBER = re.compile(
    r"'?(?P<given>.*?)'? is not (?:a valid (?:(?P<whole>int|integer)|float)(?: range)?|in the range \S+)\.?", re.DOTALL
)


def _number_expected(error: BadParameter) -> str:
    """The words that a run config has for what is no number, or no whole one, and for what is out of its range."""
    found, kind = _NO_NUMBER.fullmatch(error.message), error.param.type if error.param is not None else None
    if found is None:
        return error.message
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    number = "a whole number" if found["whole"] else "a number"
    if least is not None and most is not None:
        expected = f"{number} from {least} to {most}"
    else:
        expected = f"{number} of at least {least}" if least is not None else number
    return f"expected {expected}, got `{found['given']}`"


def _place(error: BadParameter, param: Parameter) -> str:
    """The option that holds the value, or the variable that it came from."""
    source = error.ctx.get_parameter_source(param.name or "") if error.ctx is not None else None
    if source == ParameterSource.ENVIRONMENT:
        names = variables_of(param)
        given = (name for name in names if (text := os.environ.get(name)) and not is_link(name, text))
        return f"`{next(given, names[0])}`"
    return f"`{max(param.opts, key=len)}`"


if __name__ == "__main__":
    main()
