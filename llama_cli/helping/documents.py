"""A command's help as a man page and as Markdown, from the same commands that `--help` reads.

Knows Typer's parameters, the layout of both formats, and what holds for all commands. Knows no command by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer._click.core import Context

from llama_cli.helping.page import entry, sections_of
from llama_cli.helping.topics import environment, exit_codes
from llama_cli.terminal.markdown_table import table
from runtime import __version__


def man(context: Context) -> str:
    """The man page of a context's command, as man(7) has it."""
    command: Any = context.command
    name = context.command_path.replace(" ", "-")
    sentence, *paragraphs = (command.help or "").split("\n\n")
    lines = [
        f'.TH "{name.upper()}" "1" "" "Llama Stack {__version__}" "Llama Stack"',
        ".SH NAME",
        f"{name.replace('-', chr(92) + '-')} \\- {_roff(sentence.partition('. ')[0].rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_roff(context.command_path)}",
        _roff(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
    ]
    for number, paragraph in enumerate([sentence, *paragraphs]):
        lines += [*([".PP"] if number else []), _roff(paragraph)]
    if commands := _commands(context):
        lines.append(".SH COMMANDS")
        for child, what in commands:
            lines += [".TP", f".B {_roff(child)}", _roff(what)]
    for heading, entries in _entries(context):
        lines.append(f'.SH "{heading.upper()}"')
        for typed, meaning in entries:
            lines += [".TP", f".B {_roff(typed)}", _roff(meaning)]
    lines.append(".SH EXAMPLES")
    lines += [".nf", *map(_roff, command.examples), ".fi"]
    lines.append('.SH "EXIT STATUS"')
    for row in exit_codes():
        lines += [".TP", f".B {row['code']}", _roff(str(row["meaning"]))]
    lines.append(".SH ENVIRONMENT")
    for row in environment():
        lines += [".TP", f".B {_roff(str(row['name']))}", _roff(str(row["meaning"]))]
    return "\n".join(lines) + "\n"


def markdown(context: Context) -> str:
    """The page of a context's command in the reference; of the root, with what holds for all commands."""
    command: Any = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"# {context.command_path}", *(command.help or "").split("\n\n"), f"```\n{usage}\n```"]
    parts += ["## Examples", "```sh\n" + "\n".join(command.examples) + "\n```"]
    if commands := _commands(context):
        rows = [(f"[{child}]({page_name(context, child)})", what) for child, what in commands]
        parts += ["## Commands", table(("command", ""), rows)]
    for heading, entries in _entries(context):
        parts += [f"## {heading}", table(("", ""), [(f"`{typed}`", meaning) for typed, meaning in entries])]
    if context.parent is None:
        codes = [(str(row["code"]), f"{row['name']}: {row['meaning']}") for row in exit_codes()]
        variables = [(f"`{row['name']}`", str(row["meaning"])) for row in environment()]
        parts += ["## Exit codes", table(("code", "meaning"), codes)]
        parts += ["## Environment", table(("variable", ""), variables)]
    return "\n\n".join(parts) + "\n"


def page_name(context: Context, *below: str) -> str:
    """The file of a command's page in the reference, or of a command below it."""
    return "-".join([*context.command_path.split(), *below]) + ".md"


def _commands(context: Context) -> list[tuple[str, str]]:
    from llama_cli.commands import CommandGroup, summary

    command = context.command
    modules = command.modules if isinstance(command, CommandGroup) else {}
    return [(name, summary(module)) for name, module in modules.items()]


def _entries(context: Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for heading, params in sections_of(context).items():
        if params:
            yield heading, [entry(param, context, whole=True) for param in params]


def _roff(text: str) -> str:
    """Text that roff prints as it is: neither a dash nor a quote becomes another, no line is taken for a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped[:1] in (".", "\\") else escaped
