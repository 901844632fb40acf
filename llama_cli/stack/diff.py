"""Say what differs between two run configs"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, read_once
from llama_cli.terminal import console

if TYPE_CHECKING:
    from llama_cli.configs.differences import Value

_KINDS = "A template, a distribution or a run.yaml; `-` is stdin."
Pair = tuple[str, "dict[str, Value]"]


def command(
    a: Annotated[str, typer.Argument(metavar="A", help=_KINDS)],
    b: Annotated[str | None, typer.Argument(metavar="B", help="The other one.", show_default=False)] = None,
    running: Annotated[
        bool, typer.Option("--running", help="Compare what the server A was started with with what its file says now.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 9 where they differ.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what differs between two run configs, by key path: `-` is only in A, `+` only in B.

    Older shapes are brought to today's first; variables stay as they are written. Providers are compared by API and id,
    resources by name. Secrets are masked: that two differ is said. With -q, only the key paths.

    Examples:
      llama stack diff starter run.yaml
      llama stack diff starter --running --exit-code
    """
    if b is None and not running:
        message = f"`{a}` is to be compared with something"
        hint = f"a run config, `llama stack diff {a} B`, or what its server was started with, `--running`"
        raise Failure(message, hint=hint, code=ExitCode.USAGE)
    if b is not None and running:
        message = f"`--running` compares the server `{a}` with its own file"
        raise Failure(message, hint=f"leave out `{b}`, or `--running`", code=ExitCode.USAGE)
    with while_reading(a, b):
        from llama_cli.configs.differences import differences
        from llama_cli.configs.scalars import on_one_line

        (name_a, values_a), (name_b, values_b) = _of_server(a) if b is None else _of_both(a, b)
        found = differences(values_a, values_b)
    if json:
        rows = [one.document() for one in found]
        console.document({"a": name_a, "b": name_b, "is_different": bool(found), "differences": rows})
    elif quiet:
        for one in found:
            console.row(one.path)
    elif found:
        console.out(f"--- {name_a}\n+++ {name_b}")
        for one in found:
            note = "  # another secret" if one.is_secret else ""
            if one.change != "added":
                console.out(f"- {one.path}: {on_one_line(one.a)}{note}")
            if one.change != "removed":
                console.out(f"+ {one.path}: {on_one_line(one.b)}{note}")
    else:
        console.say(f"{name_a} and {name_b} say the same")
    if found and running:
        console.next_step(f"llama stack restart {a}")
    raise typer.Exit(ExitCode.DIFFERENT if found and exit_code else ExitCode.DONE)


def _of_both(a: str, b: str) -> tuple[Pair, Pair]:
    from llama_cli.configs.differences import values_of
    from llama_cli.configs.text import config_tree

    read_once(a, b)
    pairs = []
    for target in (a, b):
        config, reading = config_tree(target, os.environ)
        pairs.append((config.shown, values_of(reading)))
    return pairs[0], pairs[1]


def _of_server(name: str) -> tuple[Pair, Pair]:
    from llama_cli.servers import named
    from llama_cli.servers.started_with import kept, values_now
    from runtime.config.text import read_text

    record = named.find(name)
    then = kept(record)
    file = record.run_config
    return (f"`{record.id}` as it was started", then), (file, values_now(record, read_text(file, what="run config")))
