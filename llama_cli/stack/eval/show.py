"""Show what came of a run, or write a report of it."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode
from llama_cli.options import Json, Quiet, Url
from llama_cli.stack.eval._reports import (
    BY,
    Baseline,
    By,
    Files,
    Junit,
    Markdown,
    Plot,
    Strict,
    Thresholds,
    Worst,
    check_by,
    reported,
)
from llama_cli.terminal import console


def command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Its id, `last`, or a file with what `--json` printed; `-` is stdin.")
    ] = "last",
    threshold: Thresholds = None,
    baseline: Baseline = None,
    strict: Strict = False,
    url: Url = None,
    json: Json = False,
    quiet: Quiet = False,
    markdown: Markdown = None,
    junit: Junit = None,
    plot: Plot = None,
    by: By = BY,
    worst: Worst = 5,
) -> None:
    """Show what came of a run: its figures with intervals, its worst cases and those without a score, also while it
    goes on.

    What `--json` prints can be kept in a file, and shown or compared with when no server has the run any more. The exit
    codes are those of `llama stack eval run`.

    Examples:
      llama stack eval show last
      llama stack eval show last --json > run.json
      llama stack eval show run.json --markdown report.md
    """
    from llama_cli.evaluating import finding
    from llama_cli.evaluating.gates import thresholds

    files = Files.of(markdown=markdown, junit=junit, plot=plot)
    found = finding.find(run, url)
    least = thresholds(threshold or [], found.functions)
    if by != BY and found.rows:
        check_by(by, {name: None for row in found.rows for name in row.given["row"]})
    before = finding.find_baseline(baseline, url, found.benchmark, but=found.id) if baseline is not None else None
    if baseline is not None and before is None:
        console.say("there is no other run to compare with")
    code = reported(
        found,
        files,
        by=by,
        worst=worst,
        thresholds=least,
        baseline=before,
        strict=strict,
    )
    if code is not ExitCode.DONE:
        raise typer.Exit(code)
