"""Say everything that is wrong with run configs"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode
from llama_cli.options import EnvFile, Json, Quiet, one_form, read_once
from llama_cli.terminal import console, words
from llama_cli.terminal.markdown_table import cell, table

if TYPE_CHECKING:
    from llama_cli.configs.checks import Checked


def command(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="DISTRO|NAME|FILE", help="Templates, distributions, files; `-` is stdin.", show_default=False
        ),
    ],
    format: Annotated[
        Literal["text", "sarif", "markdown"],
        typer.Option("--format", help="`sarif` and `markdown` are for pipelines."),
    ] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    env_file: EnvFile = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say everything that is wrong with run configs, all of it at once: file, line, key path, what is wrong, and the
    nearest name that would be right.

    A variable that only a server needs may be unset; that is a warning. Exits with 3 where one of them is invalid, with
    2 where one is not there and with 4 where one may not be read: with the highest of these. With -q, only the names of
    the invalid ones.

    Examples:
      llama stack validate run.yaml
      llama stack validate *.yaml --format sarif
      llama stack validate starter --json
    """
    one_form(format, usual="text")
    read_once(*targets, env_file)
    with while_reading(*targets, env_file):
        from llama_cli.configs.checks import check_configs
        from llama_cli.servers.variables import read_variables

        environment, _ = read_variables([], env_file)
        checked = check_configs(targets, environment)
    invalid = [each for each in checked if (each.findings if strict else each.of("invalid"))]
    if json:
        console.document({"is_valid": not invalid, "files": [each.document() for each in checked]})
    elif format == "sarif":
        from llama_cli.configs.sarif import sarif

        console.document(sarif(checked))
    elif format == "markdown":
        console.out(_markdown(checked), end="")
    elif quiet:
        for each in invalid:
            console.row(each.shown)
    else:
        _print(checked)
    raise typer.Exit(max((each.code for each in invalid), default=ExitCode.DONE))


def _print(checked: list[Checked]) -> None:
    """One line a finding, as compilers write them, so that editors and `grep` know them."""
    for each in checked:
        for finding in each.findings:
            label = "" if finding.kind == "invalid" else "warning: "
            place = ":".join(str(part) for part in (finding.problem.file or each.shown, finding.problem.line) if part)
            where = f"{finding.problem.path}: " if finding.problem.path else ""
            hint = f" ({finding.problem.hint})" if finding.problem.hint else ""
            console.row(f"{place}: {label}{where}{finding.problem.message}{hint}")
    count = sum(len(each.of("invalid")) for each in checked)
    aside = sum(len(each.findings) for each in checked) - count
    if count or aside:
        found = f"{words.counted(count, 'problem')}, {words.counted(aside, 'warning')}"
        console.say(f"{found} in {words.counted(len(checked), 'run config')}")
    else:
        console.say(f"{', '.join(each.shown for each in checked)}: valid")


def _markdown(checked: list[Checked]) -> str:
    """A heading for each file, and a table of what was found in it."""
    parts = []
    for each in checked:
        verdict = "invalid" if each.of("invalid") else "valid"
        parts.append(f"### `{cell(each.shown)}`: {verdict}\n")
        rows = []
        for finding in each.findings:
            problem = finding.problem
            label = "problem" if finding.kind == "invalid" else "warning"
            where = f"`{problem.path}`" if problem.path else ""
            rows.append((str(problem.line or ""), label, where, problem.message, problem.hint or ""))
        if rows:
            parts.append(f"\n{table(('line', '', 'where', 'what', 'hint'), rows)}\n")
        parts.append("\n")
    return "".join(parts)
