"""The options of the commands that start a server, `run` and `exec`, and what is chosen by them.

A command takes all of them by a parameter of type `StartOptions`, so that another option is added here alone. Knows
Typer and how what is typed is read; starts nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from llama_cli.exits import Failure
from llama_cli.options import DryRun, EnvFile, EnvPairs, Level, Offline, parse_duration, read_once
from llama_cli.servers.goals import Goal, parse_goal

if TYPE_CHECKING:
    from llama_cli.servers.choices import Choices
    from runtime.config.user_file import UserFile

_WHAT = "What to serve"
HOW = "How to serve"
_RECORDING = "Recordings"
_FAULTS = "Faults, to test with"
Timing = Literal["none", "recorded"]


@dataclass(frozen=True, kw_only=True)
class StartOptions:
    """What was typed. Each field is an option, as Typer reads it from a command's parameters."""

    wait: Annotated[
        list[Goal] | None,
        typer.Option(
            metavar="STATE",
            parser=parse_goal,
            help="What it is when it counts as ready: `ready`, `settled` (each provider has come up or given up), "
            "`model=NAME` or `provider=NAME`.",
            rich_help_panel=HOW,
        ),
    ] = None
    ready_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write address and models here, as JSON, once it is ready; `-` is stdout.",
            rich_help_panel=HOW,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=parse_duration,
            help="How long it can take to be ready; 5m unless given.",
            rich_help_panel=HOW,
        ),
    ] = None
    model: Annotated[list[str] | None, typer.Option(metavar="PATH|NAME", help="Serve this model of yours.")] = None
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MODEL", help="Serve a model under one more name.", rich_help_panel=_WHAT),
    ] = None
    providers: Annotated[
        str | None,
        typer.Option(metavar="API=TYPE,...", help="Use these providers instead.", rich_help_panel=_WHAT),
    ] = None
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER", help="Do not start without this provider.", rich_help_panel=_WHAT),
    ] = None
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER", help="Leave this provider off.", rich_help_panel=_WHAT),
    ] = None
    require_gpu: Annotated[
        bool, typer.Option("--require-gpu", help="Do not start without a GPU.", rich_help_panel=_WHAT)
    ] = False
    env: EnvPairs = None
    env_file: EnvFile = None
    state: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Keep what the server has to keep here; by default in the distribution's folder, and for this start "
            "alone where it takes any free port.",
            rich_help_panel=HOW,
        ),
    ] = None
    record: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Keep what providers are asked and answer here.", rich_help_panel=_RECORDING),
    ] = None
    replay: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Answer from these recordings: no key, no network.", rich_help_panel=_RECORDING
        ),
    ] = None
    record_if_missing: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Answer from these recordings, and keep what they lack.", rich_help_panel=_RECORDING
        ),
    ] = None
    live: Annotated[
        bool,
        typer.Option("--live", help="Neither, whatever the environment says.", rich_help_panel=_RECORDING),
    ] = False
    timing: Annotated[
        Timing | None,
        typer.Option(
            help="How long a recorded stream takes: no time, or as long as it did; none unless given.",
            case_sensitive=False,
            rich_help_panel=_RECORDING,
        ),
    ] = None
    redact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Do not record what this regular expression finds, beside keys and the like.",
            rich_help_panel=_RECORDING,
        ),
    ] = None
    inject: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULTS",
            help="What goes wrong on purpose, such as `openai: 429 10%, slow 3s; chromadb: down 5s`; `header` for only "
            "what requests ask for.",
            rich_help_panel=_FAULTS,
        ),
    ] = None
    inject_seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Draws which requests that happens to, each time the same; 0 unless given.",
            rich_help_panel=_FAULTS,
        ),
    ] = None
    offline: Offline = False
    log_level: Annotated[
        Level | None,
        typer.Option(
            help="Log this level and worse; by default what the run.yaml says, or info.",
            case_sensitive=False,
            rich_help_panel=HOW,
        ),
    ] = None
    dry_run: DryRun = False

    def read(self, target: str, **others: Any) -> Start:
        """What they mean for a target. others: choices that are not made by these options.

        Raises Failure (USAGE) for what can be seen to be wrong, NotFound and ConfigInvalid for files and variables. An
        old ready file is gone then, unless this is a dry run.
        """
        import os
        from pathlib import Path

        from llama_cli.servers.choices import Choices, check_aliases, checked_model, checked_state, refuse_model
        from llama_cli.servers.recorded import MODES, chosen, with_recorded
        from llama_cli.servers.variables import as_typed, read_variables
        from runtime.config.text import as_meant, is_stream, read_text
        from runtime.config.user_file import UserFile

        if any(goal.kind == "stopped" for goal in self.wait or ()):
            raise Failure.of_option(
                "--wait", "a server that is `stopped` is not started", hint="see `llama stack wait`"
            )
        check_aliases(self.alias or [])
        announced_in = [UserFile(self.ready_file, option="--ready-file")] if self.ready_file is not None else []
        if not self.dry_run:
            for file in announced_in:  # before anything that takes time or can fail: who waits for it finds no old one
                file.clear()
        refuse_model(target)
        models = tuple(checked_model(name) for name in self.model or ())
        piped = is_stream(as_meant(target))
        read_once(target, self.env_file)
        # The process that builds has neither our standard input nor our `<(...)`.
        config = read_text(as_meant(target), what="run config") if piped else None
        variables, names = read_variables(self.env or [], self.env_file)
        folders = {option: getattr(self, name) for option, name in MODES.items()}
        recorded = chosen(folders, variables, is_live=self.live)
        variables = with_recorded(variables, recorded.replay)
        _check_faults(self.inject or [], self.inject_seed)
        # Not `Path.is_file`, which raises where a folder is closed to us; reading the file later says so better.
        is_file = not piped and os.path.isfile(target)  # noqa: PTH113
        choices = Choices(
            target=str(Path(target).absolute()) if is_file else target,
            providers=self.providers,
            models=models,
            aliases=tuple(self.alias or []),
            require=tuple(self.require or []),
            require_gpu=self.require_gpu,
            without=tuple(self.without or []),
            log_level=self.log_level,
            state=checked_state(self.state) if self.state else None,
            record=recorded.record,
            replay=recorded.replay,
            record_if_missing=recorded.record_if_missing,
            timing=self.timing,
            redact=tuple(self.redact or []),
            inject=tuple(self.inject or []),
            inject_seed=self.inject_seed,
            offline=self.offline,
            environment_names=names,
            **others,
        )
        return Start(
            choices=choices,
            variables=variables,
            config=config,
            announced_in=announced_in,
            goals=self.wait or (),
            timeout_s=self.timeout,
            env_words=as_typed(self.env or [], self.env_file),
        )


@dataclass(frozen=True, kw_only=True)
class Start:
    """A server that is to be started. variables: all of its environment. config: the text behind the target, where that
    cannot be read again. announced_in: where it is said that it is ready. goals: what it has to be for that, beyond
    answering. timeout_s: how long that may take, where the user has said so. env_words: how variables were given, as
    typed.
    """

    choices: Choices
    variables: Mapping[str, str]
    config: str | None
    announced_in: Sequence[UserFile]
    goals: Sequence[Goal]
    timeout_s: float | None
    env_words: Sequence[str]


def _check_faults(texts: Sequence[str], seed: int | None) -> None:
    """Raises ConfigInvalid and Failure (USAGE). Whether there are such providers is seen with the run config."""
    if texts:
        from runtime.faults.parsing import read_faults

        read_faults(texts)
    elif seed is not None:
        raise Failure.of_option("--inject-seed", "nothing is injected", hint="give `--inject FAULTS` too")


def takes_start_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with a parameter of type `StartOptions`, in whose place Typer sees the options themselves."""
    signature = inspect.signature(command, eval_str=True)
    [taken] = (param.name for param in signature.parameters.values() if param.annotation is StartOptions)
    stated = get_type_hints(StartOptions, include_extras=True)
    shown: list[inspect.Parameter] = []
    for param in signature.parameters.values():
        shown += (
            [
                inspect.Parameter(each.name, param.KEYWORD_ONLY, default=each.default, annotation=stated[each.name])
                for each in fields(StartOptions)
            ]
            if param.name == taken
            else [param.replace(kind=param.KEYWORD_ONLY)]
        )

    @wraps(command)
    def with_options(**given: Any) -> None:
        options = StartOptions(**{each.name: given.pop(each.name) for each in fields(StartOptions)})
        command(**given, **{taken: options})

    with_options.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    with_options.__annotations__ = {param.name: param.annotation for param in shown}
    return with_options
