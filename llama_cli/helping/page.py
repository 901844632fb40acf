"""The page that `--help` prints: usage, one sentence, examples, then arguments and options, for a pipe and a terminal
alike.

What most people need fits a screen of 24 lines; the whole page has every option and paragraph. Knows Typer's
parameters and the layout of a page, no command.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from typer._click.core import Context, Parameter
from typer._click.formatting import HelpFormatter, join_options
from typer._types import TyperChoice
from typer.core import TyperOption

from llama_cli.options import variables_of
from llama_cli.terminal import console

EVERYWHERE = "Everywhere"
"""The heading of the options that every command has."""
_USUAL = ("Arguments", "Options")
_WIDEST = 79  # some terminals of 80 columns begin a line of their own after the 80th character
_NUMBERS = {"integer": "N", "int": "N", "int range": "N", "float": "NUMBER", "float range": "NUMBER"}


class HelpPage(HelpFormatter):
    """A page being written: headings stand out where there is colour."""

    def __init__(self) -> None:
        super().__init__(width=max(min(shutil.get_terminal_size((80, 24)).columns, _WIDEST), 50))

    def write_heading(self, heading: str) -> None:
        self.write(console.heading(f"{heading}:") + "\n")


def page(
    context: Context,
    *,
    paragraphs: Sequence[str],
    examples: Sequence[str],
    commands: Mapping[str, str],
    usual: Sequence[str] = (),
    whole: bool = False,
) -> str:
    """The help of a context's command.

    paragraphs: what it does, a sentence first; commands: name -> summary of what is below a group; usual: those of
    them that a short page explains, all if empty.
    """
    written = HelpPage()
    written.write_usage(context.command_path, " ".join(context.command.collect_usage_pieces(context)))
    for paragraph in paragraphs if whole else paragraphs[:1]:
        written.write_paragraph()
        with written.indentation():
            written.write_text(paragraph)
    if examples:
        with written.section("Examples"):
            for example in examples:
                written.write(f"  {example}\n")
    shown = [name for name in commands if whole or not usual or name in usual]
    if commands:
        with written.section("Commands"):
            written.write_dl([(name, commands[name]) for name in shown])
    if others := [name for name in commands if name not in shown]:
        with written.section("Other commands"):
            written.write_text(", ".join(others))
    for heading, params in sections_of(context).items():
        if params and (whole or heading in _USUAL):
            with written.section(heading):
                written.write_dl([entry(param, context, whole=whole) for param in params], col_max=26)
    if not whole:
        written.write_paragraph()
        written.write(f"More: {context.command_path} --help --all")
    return written.getvalue().rstrip("\n")


def usage_of(param: Parameter) -> str:
    """How an argument stands in a usage line: `NAME`, `[NAME]`, `NAME...`, `-- COMMAND...`."""
    name = param.metavar or (param.name or "").upper()
    if name.startswith(("[", "--")):
        return name
    return f"{name if param.required else f'[{name}]'}{'...' if param.nargs == -1 else ''}"


def sections_of(context: Context) -> dict[str, list[Parameter]]:
    """What a command takes, by heading; what every command does is at the end."""
    sections: dict[str, list[Parameter]] = {heading: [] for heading in _USUAL}
    for param in context.command.get_params(context):
        if not getattr(param, "hidden", False):
            usual = "Options" if isinstance(param, TyperOption) else "Arguments"
            sections.setdefault(getattr(param, "rich_help_panel", None) or usual, []).append(param)
    sections[EVERYWHERE] = sections.pop(EVERYWHERE)
    return sections


def entry(param: Any, context: Context, *, whole: bool) -> tuple[str, str]:
    """What is typed, and what it means: in a sentence, or whole, then with what it can be and where it comes from."""
    meaning = param.help or ""
    if not whole and ". " in meaning:
        meaning = meaning[: meaning.index(". ") + 1]
    if not isinstance(param, TyperOption):
        return (param.metavar or param.name.upper()).strip("[]."), meaning
    names = join_options([*param.opts, *param.secondary_opts])[0]
    if not (param.is_flag or param.count):
        names += f" {value_of(param)}"
    return names, " ".join([meaning, *_bounds(param), *_sources(param, context)])


def value_of(param: TyperOption) -> str:
    """What an option takes, as help writes it."""
    if param.metavar:
        return param.metavar
    if isinstance(param.type, TyperChoice):
        return "|".join(str(choice) for choice in param.type.choices)
    return _NUMBERS.get(param.type.name) or (param.name or "").upper()


def _bounds(param: TyperOption) -> list[str]:
    least, most = getattr(param.type, "min", None), getattr(param.type, "max", None)
    if least is None:
        return [] if most is None else [f"[at most {most}]"]
    return [f"[at least {least}]" if most is None else f"[{least} to {most}]"]


def _sources(param: TyperOption, context: Context) -> list[str]:
    """Where a value comes from that is not given."""
    found = [f"[env: {', '.join(names)}]"] if (names := variables_of(param)) else []
    default = param.get_default(context, call=False)
    if param.show_default and default not in (None, False, (), []):
        found.append(f"[default: {default}]")
    return found
