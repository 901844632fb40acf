"""Commands found by file name and imported only when one of them, or its help, is asked for.

A command file states its summary in the first line of its docstring and the command itself as a function `command`,
whose docstring is the help: paragraphs, then a line `Examples:` with indented command lines. A folder is a group of
such files; `DEFAULT` in its `__init__.py` names the one that is meant where none is named, with `RUNS_BARE` also where
nothing is. Knows Typer's classes, no command.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

# Typer 0.28 carries its own copy of Click and exports only a part of it; it is pinned, and the tests walk over all of
# this.
from typer._click.core import Command as ClickCommand
from typer._click.core import Context, Parameter
from typer._click.exceptions import UsageError
from typer._click.globals import get_current_context
from typer._types import TyperChoice
from typer.core import TyperCommand, TyperGroup, TyperOption

from llama_cli.exits import ExitCode, Failure
from llama_cli.helping.page import EVERYWHERE, page, usage_of
from llama_cli.terminal import console
from runtime.similar import nearest, suggestion

_HELP = ("--help", "-h")
_BESIDE_HELP = ("--all", "--schema")
"""What `--help` can be told, in every command and whatever options it has: everything, or its output's schema."""
_TOLD = "llama_cli.beside_help"
"""The key in a context's `meta` for those that were given."""
_SCHEMAS = Path(__file__).parent / "schemas"


class _Explained(ClickCommand):
    """Help as all of our commands have it: short, or with `--all` whole; and the options that every command has."""

    examples: list[str]

    def __init__(self, name: str | None = None, **facts: Any) -> None:
        help_text, self.examples = _split_examples(facts.pop("help", None) or "")
        super().__init__(name=name, help=help_text, **(facts | {"rich_markup_mode": None}))
        self.params += _options_of_all()

    def get_help_option_names(self, ctx: Context) -> list[str]:
        return [*_HELP]

    def get_help_option(self, ctx: Context) -> Any:
        """`--help`, printed as everything else is, so that it ends as everything else does where it cannot be."""

        def show(context: Context, param: Parameter, is_asked: bool) -> None:
            if is_asked and not context.resilient_parsing:
                told = context.meta.get(_TOLD, ())
                if "--schema" in told:
                    print_schema(context.command_path)
                else:
                    print_help(context, whole="--all" in told)
                context.exit()

        option: Any = super().get_help_option(ctx)
        if option is not None:
            option.callback, option.rich_help_panel = show, EVERYWHERE
            option.help = "Explain the command; with --all also these, with --schema its JSON."
        return option

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As Typer's; what stands beside `--help` is for the help, also where the command has such an option. What
        follows `--` is the value of the argument that is written so, as it is, and nothing else is.
        """
        given = args[: args.index("--")] if "--" in args else args
        if not {*_HELP}.isdisjoint(given) and (told := [argument for argument in given if argument in _BESIDE_HELP]):
            ctx.meta[_TOLD] = told
            args = [argument for argument in given if argument not in told] + args[len(given) :]
            given = [argument for argument in given if argument not in told]
        behind = argument_behind_dashes(self.params)
        if behind is None or not behind.name:
            return super().parse_args(ctx, args)
        rest = args[len(given) + 1 :]
        left = super().parse_args(ctx, given)
        if (before := ctx.params.get(behind.name)) and not ctx.resilient_parsing:
            raise UsageError(f"`{' '.join(before)}` stands before `--`", ctx=ctx)
        ctx.params[behind.name] = rest
        return left

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        arguments = [usage_of(param) for param in self.get_params(ctx) if param.param_type_name == "argument"]
        return ["[OPTIONS]", *arguments]

    def page(self, ctx: Context, *, whole: bool) -> str:
        """The help as text."""
        return page(ctx, paragraphs=(self.help or "").split("\n\n"), examples=self.examples, commands={}, whole=whole)

    def get_help(self, ctx: Context) -> str:
        return self.page(ctx, whole=False)


class Command(_Explained, TyperCommand):
    """One command."""


class CommandGroup(_Explained, TyperGroup):
    """Commands by name, each a module imported when it is needed; a list reads the first line of each file."""

    modules: Mapping[str, str] = {}
    """Command name -> module or package."""
    older: Mapping[str, str] = {}
    """A name of older systems -> the command line, from the root on, that has taken its place."""
    usual: Sequence[str] = ()
    """The commands that the group's short help explains; empty for all of them."""
    default: str | None = None
    """The command that is meant where none is named; None for none. What it takes is no command's name."""
    runs_bare: bool = False
    """Whether it is meant also where nothing follows the group, which otherwise explains itself."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """As Typer's; a word that is no command, and not nearly one, is for the default."""
        return super().parse_args(ctx, self._with_default(ctx, args) if self.default else args)

    def _with_default(self, ctx: Context, args: list[str]) -> list[str]:
        own = {name: param for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        place = 0
        while place < len(args) and (option := own.get(args[place].partition("=")[0])) is not None:
            has_value = not getattr(option, "is_flag", False) and "=" not in args[place]
            place += 2 if has_value else 1
        if place >= len(args):
            return [*args, str(self.default)] if self.runs_bare else args
        if (word := args[place]) in self.modules:
            return args
        if not word.startswith("-") and nearest(word, list(self.modules)) and not os.path.exists(word):  # noqa: PTH110  # of any word
            return args
        return [*args[:place], str(self.default), *args[place:]]

    def list_commands(self, ctx: Context) -> list[str]:
        return list(self.modules)

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:
        module = self.modules.get(cmd_name)
        if module is None:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load(cmd_name, module)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        """As Typer's. Raises Failure with the nearest commands for a name that there is not."""
        name = args[0]
        if name in self.older and not ctx.resilient_parsing:
            now = self.older[name]
            console.warn(f"`{ctx.command_path} {name}` is the older name of `llama {now}`")
            return self._now(ctx, now.split(), args[1:])
        if name not in self.modules and not name.startswith("-") and not ctx.resilient_parsing:
            raise Failure(
                f"there is no command `{ctx.command_path} {name}`",
                hint=_did_you_mean(ctx, name),
                code=ExitCode.USAGE,
            )
        return super().resolve_command(ctx, args)

    def _now(
        self, ctx: Context, words: list[str], args: list[str]
    ) -> tuple[str | None, ClickCommand | None, list[str]]:
        """What an older name stands for: a command of this group, or a group of the root that has it."""
        here = ctx.command_path.split()[1:]
        group: Any = self if words[: len(here)] == here else ctx.find_root().command
        words = words[len(here) :] if group is self else words
        return TyperGroup.resolve_command(group, ctx, [*words, *args])

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "COMMAND ..."]

    def page(self, ctx: Context, *, whole: bool) -> str:
        return page(
            ctx,
            paragraphs=(self.help or "").split("\n\n"),
            examples=self.examples,
            commands={name: summary(module) for name, module in self.modules.items()},
            usual=self.usual,
            whole=whole,
        )


def argument_behind_dashes(params: Sequence[Parameter]) -> Parameter | None:
    """The argument that takes what follows `--`: its metavar says so."""
    return next((param for param in params if (getattr(param, "metavar", None) or "").lstrip("[")[:2] == "--"), None)


def load(name: str, module: str) -> ClickCommand:
    """The command, or the group of commands, that a module states. Imports it."""
    stated = importlib.import_module(module)
    if not hasattr(stated, "__path__"):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(name, cls=Command)(stated.command)
        return typer.main.get_command(app)
    group = CommandGroup(name=name, help=inspect.getdoc(stated), invoke_without_command=True, callback=_show_help)
    group.modules = find(module)
    group.older = getattr(stated, "OLDER", {})
    group.usual = getattr(stated, "USUAL", ())
    group.default = getattr(stated, "DEFAULT", None)
    group.runs_bare = getattr(stated, "RUNS_BARE", False)
    return group


def find(package: str) -> dict[str, str]:
    """The commands of a package by name, `list_apis.py` being `list-apis`. Imports none of them."""
    folder = _source(package).parent
    names = sorted(entry.name for entry in pkgutil.iter_modules([str(folder)]) if not entry.name.startswith("_"))
    return {name.replace("_", "-"): f"{package}.{name}" for name in names}


def summary(module: str) -> str:
    """The first line of a module's docstring, without its full stop. Only that line of the file is read."""
    with _source(module).open(encoding="utf-8") as source:
        return source.readline().strip().strip('"').strip().rstrip(".")


def _source(module: str) -> Path:
    path = Path(__file__).parent.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def print_help(context: Context, *, whole: bool = False) -> None:
    """The help of a context's command; with `--json`, what `llama help --json` says of it. whole: with every option
    and paragraph.
    """
    if console.settings.json:
        from llama_cli.helping.data import describe

        console.document(describe(context.command, context))
        return
    assert isinstance(context.command, _Explained)
    console.write(context.command.page(context, whole=whole) + "\n")


def print_schema(path: str) -> None:
    """The JSON schema of what a command prints with `--json`. path: as typed, as in `llama stack ps`.

    Raises Failure (USAGE) where it prints none.
    """
    words = path.split()
    file = _SCHEMAS / f"{'-'.join(words[1:] or words)}.json"
    if not file.is_file():
        raise Failure(f"`{path}` prints no JSON", hint=f"see `{path} --help`", code=ExitCode.USAGE)
    console.out(file.read_text(encoding="utf-8").rstrip("\n"))


def _show_help() -> None:
    """Without a command, the group's help, with exit code 0."""
    context = get_current_context()
    if context.invoked_subcommand is None:
        print_help(context)


def _did_you_mean(ctx: Context, name: str) -> str:
    """The command of that name wherever it stands in the tree, or else the nearest, first those of this group."""
    contexts = [ctx, ctx.find_root()]
    groups = {each.command_path: each.command.modules for each in contexts if isinstance(each.command, CommandGroup)}
    below = {
        f"{path} {child}": find(module)
        for path, modules in groups.items()
        for child, module in modules.items()
        if _source(module).name == "__init__.py"
    }
    places = {**groups, **below}
    found = [f"{path} {name}" for path, names in places.items() if name in names]
    found = found or [f"{path} {match}" for path, names in places.items() for match in nearest(name, list(names))]
    return suggestion(found[:3]) or f"the commands are listed by `{ctx.command_path} --help`"


def _options_of_all() -> list[Parameter]:
    """The options of every command: read by `console.configure` already, and here to be accepted and shown."""
    flags = {
        ("--verbose", "-v"): "Say more.",
        ("--no-input",): "Never ask: fail where an answer would be needed.",
        ("--debug",): "Show a traceback for an unexpected error.",
    }
    shared: dict[str, Any] = {"expose_value": False, "rich_help_panel": EVERYWHERE}
    color = TyperOption(
        param_decls=["--color"],
        metavar="auto|always|never",
        type=TyperChoice(console.COLORS),
        help="When to colour.",
        **shared,
    )
    return [color, *(TyperOption(param_decls=[*names], is_flag=True, help=flags[names], **shared) for names in flags)]


def _split_examples(docstring: str) -> tuple[str, list[str]]:
    text, _, examples = inspect.cleandoc(docstring).partition("\nExamples:\n")
    # Where the source breaks its lines is of no interest to a terminal.
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    return "\n\n".join(paragraphs).strip(), [line.strip() for line in examples.splitlines() if line.strip()]
