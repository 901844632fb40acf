"""What there is to type, as data: for tools, and for whatever is written about the command line.

Knows how to read Typer's objects. Knows no command by name.
"""

from __future__ import annotations

from typing import Any

from typer._click.core import Command as ClickCommand
from typer._click.core import Context, Parameter
from typer.core import TyperGroup, TyperOption

from llama_cli.helping.page import value_of
from llama_cli.options import variables_of


def describe(here: ClickCommand, context: Context) -> dict[str, Any]:
    """A command as data, with the commands of a group, which are all imported."""
    children: list[dict[str, Any]] = []
    if isinstance(here, TyperGroup):
        for name in here.list_commands(context):
            child = here.get_command(context, name)
            assert child is not None
            children.append(describe(child, Context(child, info_name=name, parent=context)))
    params = [param for param in here.get_params(context) if not getattr(param, "hidden", False)]
    return {
        "command": context.command_path,
        "help": here.help or "",
        "examples": list(getattr(here, "examples", [])),
        "arguments": [_describe_param(param, context) for param in params if not isinstance(param, TyperOption)],
        "options": [_describe_param(param, context) for param in params if isinstance(param, TyperOption)],
        "commands": children,
    }


def _describe_param(param: Parameter, context: Context) -> dict[str, Any]:
    default = param.get_default(context, call=False)
    is_option = isinstance(param, TyperOption)
    return {
        "names": [*param.opts, *param.secondary_opts] if is_option else [param.human_readable_name],
        "help": getattr(param, "help", None) or "",
        "value": value_of(param) if isinstance(param, TyperOption) and not param.is_flag else "",
        "panel": getattr(param, "rich_help_panel", None) or "",
        "type": param.type.name,
        "required": param.required,
        "multiple": bool(getattr(param, "multiple", False)) or param.nargs == -1,
        "flag": bool(getattr(param, "is_flag", False)),
        "default": default if isinstance(default, (str, int, float, bool, type(None))) else str(default),
        "environment": variables_of(param),
    }
