"""Put the cases of a suite to a model, and score the answers."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Quiet, Url, parse_duration
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

_NEWEST = 100
_HAPPENED = "Cases from what was asked"


def command(
    suite: Annotated[
        str | None,
        typer.Argument(
            metavar="[SUITE]",
            help="YAML or JSON lines (`-` is stdin), or a benchmark's id.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="MODEL", help="The model; that of the suite otherwise.")
    ] = None,
    threshold: Thresholds = None,
    baseline: Baseline = None,
    strict: Strict = False,
    url: Url = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    markdown: Markdown = None,
    junit: Junit = None,
    plot: Plot = None,
    by: By = BY,
    worst: Worst = 5,
    from_completions: Annotated[
        bool,
        typer.Option("--from-completions", help="Chat completions of the server.", rich_help_panel=_HAPPENED),
    ] = False,
    from_responses: Annotated[
        bool, typer.Option("--from-responses", help="Its responses.", rich_help_panel=_HAPPENED)
    ] = False,
    from_model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Only what this model was asked.", rich_help_panel=_HAPPENED),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="NAME=VALUE", help="Only what has this.", rich_help_panel=_HAPPENED),
    ] = None,
    since: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION", parser=parse_duration, help="Only what is not older.", rich_help_panel=_HAPPENED
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="The most cases. Of a suite or a benchmark the first ones, by default all; of what was asked the"
            " newest, by default 100.",
            rich_help_panel="More",
        ),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option("--score", metavar="ID", help="A function, in place of the suite's.", rich_help_panel="More"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Another name than the suite's, for its runs.", rich_help_panel="More"),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=parse_duration,
            help="Exit 8 after this; the run goes on.",
            rich_help_panel="More",
        ),
    ] = None,
) -> None:
    """Put the cases of a suite to a model and say how good the answers are.

    A suite is a mapping: `name`, `model`, `system`, `sampling` (`max_tokens`, `temperature`, ...), `scoring_functions`
    (a list of ids, or each with its params), `thresholds`, and `cases`: each has `input`, or `messages`, and maybe
    `id`, `expected`, `category` and columns of its own. Of JSON lines each is a case, and `{"suite": {...}}` the rest.
    With `agent: {toolgroups: [...]}` the cases are put to an agent; `benchmark: ID` stands for cases and functions of a
    benchmark that the server has.

    The server keeps the cases as a dataset and the suite as a benchmark, both named `eval-NAME`: the same cases are no
    new version. The exit code is 9 where a case has no score, a mean is below its threshold, or less than the baseline
    and chance does not explain it (p < 0.05); 1 where the run failed or was cancelled. After Ctrl-C, and after a
    restart of the server, it goes on.

    With `--from-completions` or `--from-responses` the cases are real questions, and what was answered is `expected`,
    for a judge or a measure of likeness; the suite has no cases then. With -q, only the id of the run is printed.

    Examples:
      llama stack eval run capitals.yaml --threshold equality=0.8 --baseline last
      llama stack eval run likeness.yaml --from-completions --since 1d
      llama stack eval run capitals --model SmolLM2-135M-Instruct --limit 10
    """
    from llama_cli.asking import evaluations
    from llama_cli.asking.address import address_of
    from llama_cli.evaluating import choosing, finding
    from llama_cli.evaluating.gates import thresholds
    from llama_cli.evaluating.run import Run

    files = Files.of(markdown=markdown, junit=junit, plot=plot)
    source = choosing.source(
        completions=from_completions,
        responses=from_responses,
        model=from_model,
        metadata=metadata or [],
        since_s=since,
        limit=limit or _NEWEST,
    )
    chosen = choosing.suite(suite, source, name=name, model=model, score=score or [])
    least = thresholds(threshold or [], [*chosen.scoring_functions]) if chosen.benchmark is None else {}
    address = "" if dry_run and source is None and chosen.benchmark is None else address_of(url)
    if source is not None:
        chosen = choosing.with_cases(chosen, source, address)
    elif chosen.benchmark is not None:
        chosen = choosing.of_benchmark(chosen, address)
        least = thresholds(threshold or [], [*chosen.scoring_functions])
    if by != BY:
        check_by(by, choosing.columns(chosen, address))
    first = limit if source is None else None
    if dry_run:
        if json:
            console.document(choosing.planned(chosen, first=first))
        else:
            console.say(f"would put {choosing.put_to(chosen, first=first)}")
        return
    before = finding.find_baseline(baseline, address, chosen.id) if baseline is not None else None
    if baseline is not None and before is None:
        console.say("there is no run yet to compare with")
    if chosen.benchmark is None:
        evaluations.register(address, chosen.dataset(), chosen.registered())
    job = evaluations.start(address, chosen.id, chosen.config(first=first))
    console.say(f"`{job['job_id']}`: {choosing.put_to(chosen, first=first)}")
    try:
        job = evaluations.ended(address, job, timeout_s=timeout)
    except BaseException as left:  # also SIGTERM, and a server that ends
        is_away = isinstance(left, Failure) and left.code == ExitCode.UNHEALTHY
        if is_away or not isinstance(left, Exception):
            show, cancel = (f"`llama stack eval {verb} {job['job_id']}`" for verb in ("show", "cancel"))
            when = "when the server is there again" if is_away else "without you"
            console.say(f"the run goes on {when}: {show} shows it, {cancel} gives it up")
        raise
    run = Run.of(job, evaluations.rows(address, job))
    code = reported(
        run,
        files,
        by=by,
        worst=worst,
        thresholds={**chosen.thresholds, **least},
        baseline=before,
        strict=strict,
        facts={"dry_run": False},
    )
    console.next_step(f"llama stack eval show {run.id} --markdown report.md")
    if code is not ExitCode.DONE:
        raise typer.Exit(code)
