"""Say what is wrong here, and repair it"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Force, Json, Quiet, Url, new_file, one_server, variable_behind
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import waiting
from llama_cli.terminal.typed import as_typed, typed
from runtime.stdio import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_cli.checkup.findings import Finding, Patient

_INDENT = 9


def command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="DISTRO|NAME|FILE|URL", help="One of them; `-` is stdin; otherwise all that are built."),
    ] = None,
    url: Url = None,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what is safe to repair.")] = False,
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a report for a bug report; `-` is stdout.")
    ] = None,
    force: Force = False,
    format: Annotated[
        Literal["text", "json", "markdown"],
        typer.Option("--format", help="`markdown` is for pipelines.", rich_help_panel="More"),
    ] = "text",
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what is wrong here: with this machine, what is built, what runs and its providers.

    Each provider that is configured is asked with its key. With --url, the machine and that server alone are looked
    at; one that LLAMA_STACK_URL names is looked at besides. A finding has an id that stays, a cause and a fix to paste.
    The exit code is 1 where an error was found and not repaired; warnings leave it 0. With -q, only the ids of what is
    not in order.

    --fix removes records of servers that have crashed and halves of builds that were killed, and closes the Llama home
    to others. --report has versions, findings, run configs and last log lines, without secrets and names.

    Examples:
      llama doctor
      llama doctor starter --fix --dry-run
      llama doctor --report report.md
    """
    with waiting("examining"):
        from llama_cli.checkup.examination import kept, patient_of
        from llama_cli.checkup.report import report as written

    is_url_typed = url is not None and variable_behind("url") is None
    if target is not None and "://" in target:
        target, url, is_url_typed = None, one_server(target, url), True
    shown_as = "json" if json else format
    file = new_file(report, "--report", force=force) if report is not None else None
    takes_stdout = file is not None and file.is_stdout
    if takes_stdout and shown_as != "text":
        raise Failure("standard output can have one thing: the report, or the findings", code=ExitCode.USAGE)
    is_live = shown_as == "text" and not (quiet or takes_stdout) and console.is_terminal(sys.stdout)
    with kept(target) as place:
        patient = patient_of(place, url, url_alone=is_url_typed)
        found = _examined(patient, is_live=is_live)
        fixed = _repair(found, dry_run=dry_run) if fix else []
        if file is not None and dry_run and not takes_stdout:
            console.say(f"would write the report to {file.name}")
        elif file is not None:
            if not file.write(written(patient, found)):
                raise Failure(f"nobody reads {file.name}")
            if not takes_stdout:
                console.say(f"the report is in {file.name}; read it before you send it")
    if not (is_live or takes_stdout):
        _show(found, fixed, shown_as)
    _sum_up(found, fixed, may_fix=not fix)
    is_bad = any(one.level == "error" and one not in fixed for one in found)
    raise typer.Exit(ExitCode.FAILED if is_bad else ExitCode.DONE)


def _examined(patient: Patient, *, is_live: bool) -> list[Finding]:
    """Everything that is found. is_live: printed as it comes, too."""
    from llama_cli.checkup.examination import checks, examine
    from llama_cli.terminal.progress import working

    found = []
    with working("examining") as step:
        for finding in examine(patient, checks(), tell=lambda names: step.tell(", ".join(names))):
            found.append(finding)
            if is_live:
                _print(finding)
    return found


def _show(found: Sequence[Finding], fixed: Sequence[Finding], shown_as: str) -> None:
    from llama_cli.checkup.report import markdown

    if shown_as == "json":
        levels = {one.level for one in found if one not in fixed}
        status = next((level for level in ("error", "warning") if level in levels), "ok")
        console.document({"status": status, "findings": [one.document(fixed=one in fixed) for one in found]})
    elif shown_as == "markdown":
        console.out(markdown(found), end="")
    elif console.settings.quiet:
        for one in found:
            if one.level != "ok" and one not in fixed:
                console.row(one.id)
    else:
        for one in found:
            console.row(one.level, one.id, one.about, one.message, one.cause or "", one.fix or "")


def _print(finding: Finding) -> None:
    """For a person: what is wrong with its cause and its fix, which stays on one line."""
    import shutil
    import textwrap

    width = max(40, min(shutil.get_terminal_size((80, 24)).columns, 120) - _INDENT)
    said = f"{finding.message} ({finding.id})" if finding.level != "ok" else finding.message
    lines = textwrap.wrap(said, width, break_on_hyphens=False)
    if finding.cause and finding.level != "ok":
        lines += textwrap.wrap(f"cause: {finding.cause}", width, break_on_hyphens=False)
    if finding.fix and finding.level != "ok":
        lines.append(f"fix: {as_typed(typed(finding.fix))}")
    style = "ready" if finding.level == "ok" else finding.level
    first = console.heading(finding.level, style) + " " * (_INDENT - len(finding.level))
    for number, line in enumerate(lines):
        console.write((first if number == 0 else " " * _INDENT) + one_line(line) + "\n")


def _repair(found: Sequence[Finding], *, dry_run: bool) -> list[Finding]:
    """Do what can be done; returns the findings that are no more."""
    from runtime.errors import StackError

    done = []
    for finding in found:
        if finding.repair is None:
            continue
        if dry_run:
            console.say(f"would {finding.repair.what}")
            continue
        try:
            finding.repair.do()
        except (OSError, StackError) as problem:
            console.warn(f"could not {finding.repair.what}: {problem}")
        else:
            console.say(f"done: {finding.repair.what}")
            done.append(finding)
    return done


def _sum_up(found: Sequence[Finding], fixed: Sequence[Finding], *, may_fix: bool) -> None:
    left = [one for one in found if one not in fixed]
    counts = [(sum(one.level == level for one in left), level) for level in ("error", "warning")]
    said = ", ".join(words.counted(count, level) for count, level in counts if count)
    console.say(said or "nothing is wrong")
    repairable = sum(one.repair is not None for one in left)
    if may_fix and repairable:
        console.hint(f"`llama doctor --fix` repairs {repairable} of them")
