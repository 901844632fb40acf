"""Say whether a run is better or worse than another one."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console

_RUN = "Its id, `last`, or a file with what `--json` printed."


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help=_RUN)],
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help="What it is compared with. Told the same way.")],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 9 where it is worse.")] = False,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say for each function whether a run is better or worse than another one, and how sure that is: the difference
    with its 95 % interval, and the p-value by McNemar's exact test where scores are 0 and 1, else by the paired
    bootstrap.

    Compared are cases that are equal in both. `last` as BASELINE is the newest other run of the same benchmark. With
    -q, only the functions that see it worse.

    Examples:
      llama stack eval compare last last
      llama stack eval compare run.json last --exit-code
    """
    from llama_cli.evaluating import finding
    from llama_cli.evaluating.comparing import compare
    from llama_cli.evaluating.report import named
    from llama_cli.evaluating.shown import show_changes

    found = finding.find(run, url)
    before = finding.find_baseline(baseline, url, found.benchmark, but=found.id)
    if before is None:
        hint = "`llama stack eval ls` lists what there is"
        raise Failure(f"`{found.benchmark}` has no other run that is complete", hint=hint, code=ExitCode.USAGE)
    comparison = compare(found, before)
    worse = [change for change in comparison.changes if change.verdict == "worse"]
    if json:
        console.document(comparison.document())
    elif quiet:
        for change in worse:
            console.row(change.function)
    else:
        show_changes(comparison)
        for change in worse:
            console.say(f"`{change.function}` is worse in {named([row for row, _ in change.worse])}")
    if worse and exit_code:
        raise typer.Exit(ExitCode.DIFFERENT)
