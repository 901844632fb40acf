"""The options by which a run is reported, and writing what they ask for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import new_file

if TYPE_CHECKING:
    from llama_cli.evaluating.report import Report
    from llama_cli.evaluating.run import Run
    from runtime.config.user_file import UserFile

_PANEL = "Reports"
Thresholds = Annotated[
    list[str] | None,
    typer.Option("--threshold", metavar="NAME=VALUE", help="The least mean of a function. As in `equality=0.8`."),
]
Baseline = Annotated[
    str | None,
    typer.Option(metavar="RUN", help="Compare with a run. Its id, `last`, or a file with what `--json` printed."),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Less than the baseline fails, also where chance explains it.", rich_help_panel="More"
    ),
]
Markdown = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write a report to show to others; `-` is stdout.", rich_help_panel=_PANEL),
]
Junit = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write JUnit's XML for a pipeline; `-` is stdout.", rich_help_panel=_PANEL),
]
Plot = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Draw the scores as PNG; `-` is stdout. It takes the extra `plot`, which brings Matplotlib.",
        rich_help_panel=_PANEL,
    ),
]
BY = "category"
By = Annotated[
    str, typer.Option(metavar="NAME", help="The column that says a case's category.", rich_help_panel=_PANEL)
]
Worst = Annotated[int, typer.Option(min=0, help="The most of the worst cases to show.", rich_help_panel=_PANEL)]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is to be written, each checked before anything is asked."""

    markdown: UserFile | None
    junit: UserFile | None
    plot: UserFile | None

    @classmethod
    def of(cls, *, markdown: str | None, junit: str | None, plot: str | None) -> Files:
        """Raises Failure for what cannot be written, and where nothing can draw."""
        from llama_cli.terminal import console

        named = {"--markdown": markdown, "--junit": junit, "--plot": plot}
        found = {option: new_file(file, option, force=True) for option, file in named.items() if file is not None}
        streams = [option for option, file in found.items() if file.is_stdout]
        if len(streams) + console.settings.json > 1:
            both = " and ".join(f"`{option}`" for option in [*streams, *(["--json"] if console.settings.json else [])])
            raise Failure(f"{both} want standard output", hint="give the others a file", code=ExitCode.USAGE)
        if plot is not None:
            from llama_cli.evaluating.plot import needed

            needed()
        return cls(**{option.removeprefix("--"): found.get(option) for option in named})

    @property
    def take_stdout(self) -> bool:
        return any(file is not None and file.is_stdout for file in (self.markdown, self.junit, self.plot))

    def write(self, report: Report) -> None:
        """Raises OSError, and Failure where a pipe has no reader. Says what there is nothing to draw of: the figures
        and the other reports are there all the same.
        """
        drawing = None
        if self.plot is not None:
            from llama_cli.evaluating.plot import plot
            from llama_cli.terminal import console

            if (drawing := plot(report)) is None:
                console.warn("`--plot`: no function gives numbers, so that nothing is drawn")
            else:
                _write(self.plot, [drawing])
        if self.markdown is not None:
            from llama_cli.evaluating.markdown import markdown

            _write(self.markdown, markdown(report, plot=None if drawing is None else self._drawing()))
        if self.junit is not None:
            from llama_cli.evaluating.junit import junit

            _write(self.junit, junit(report))

    def _drawing(self) -> str | None:
        """The drawing as the report names it."""
        if self.plot is None or self.plot.regular is None or self.markdown is None or self.markdown.regular is None:
            return None
        return Path(os.path.relpath(self.plot.regular, self.markdown.regular.parent)).as_posix()


def check_by(by: str, columns: Iterable[str]) -> None:
    """Raises Failure (USAGE) for a column that no case has."""
    known = [*columns]
    if by not in known:
        from runtime.similar import names_for

        raise Failure.of_option("--by", f"no case has the column `{by}`", hint=names_for(by, known))


def _write(file: UserFile, made: str | list[bytes]) -> None:
    if not file.write(made):
        raise Failure(f"nobody reads {file.name}")


def reported(
    run: Run,
    files: Files,
    *,
    by: str,
    worst: int,
    thresholds: Mapping[str, float],
    baseline: Run | None,
    strict: bool,
    facts: Mapping[str, Any] | None = None,
) -> ExitCode:
    """Write and show a run; returns what its end means. baseline: with its rows; facts: more for `--json`. For the
    rest see `Report.of`.
    """
    from llama_cli.evaluating.comparing import compare
    from llama_cli.evaluating.report import Report
    from llama_cli.evaluating.shown import say_gates, show
    from llama_cli.terminal import console

    report = Report.of(
        run,
        by=by,
        worst_rows=worst,
        thresholds=thresholds,
        comparison=compare(run, baseline) if baseline is not None else None,
        strict=strict,
    )
    files.write(report)
    if console.settings.json:
        console.document({**report.document(), **(facts or {})})
    elif files.take_stdout:
        say_gates(report)
    elif console.settings.quiet:
        console.row(run.id)
        say_gates(report)
    else:
        show(report)
    if run.status != "completed":
        why = f": {run.job['error']}" if run.job.get("error") else ""
        console.warn(f"the run `{run.id}` is {run.status}{why}")
        return ExitCode.FAILED
    return ExitCode.DONE if report.passed else ExitCode.DIFFERENT
