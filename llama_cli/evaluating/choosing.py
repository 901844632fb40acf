"""Which suite a command line means: a file's, with what options say in its place, and cases from what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llama_cli.asking import past
from llama_cli.asking.bodies import pair
from llama_cli.evaluating import happened
from llama_cli.evaluating.suite import Suite, is_name
from llama_cli.evaluating.suite_file import read_suite
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from runtime.clock import wall_time
from runtime.config.text import as_meant, is_stream


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was asked before, of which cases are made. limit: the most cases."""

    kind: Literal["completions", "responses"]
    wanted: past.Wanted
    limit: int


def source(
    *,
    completions: bool,
    responses: bool,
    model: str | None,
    metadata: Sequence[str],
    since_s: float | None,
    limit: int,
) -> Source | None:
    """Where cases are from, but for a file; None for nowhere else. Raises Failure (USAGE)."""
    if completions and responses:
        raise Failure.of_option("--from-responses", "`--from-completions` is given too", hint="take one at a time")
    if not (completions or responses):
        for option, value in {"--from-model": model, "--metadata": metadata, "--since": since_s}.items():
            if value:
                raise Failure.of_option(option, "nothing is looked for", hint="add `--from-completions`")
        return None
    wanted = past.Wanted(
        model=model,
        since=None if since_s is None else wall_time() - since_s,
        metadata=dict(pair("--metadata", one) for one in metadata),
    )
    return Source(kind="completions" if completions else "responses", wanted=wanted, limit=limit)


def suite(
    file: str | None, source: Source | None, *, name: str | None, model: str | None, score: Sequence[str]
) -> Suite:
    """The suite, without the cases of a source. name, model, score: in place of what it says.

    Raises NotFound, AccessDenied, ConfigInvalid for the file; Failure (USAGE) for what is missing.
    """
    if file is None and source is None:
        hint = "name a YAML file or JSON lines, as in `llama stack eval capitals.yaml`, or add `--from-completions`"
        raise Failure("there is no suite", hint=hint, code=ExitCode.USAGE)
    if file is not None and not is_stream(as_meant(file)) and not Path(as_meant(file)).exists():
        hint = "name a YAML file or JSON lines; `llama stack eval --help` lists the commands"
        raise Failure(f"there is no file `{file}`", hint=hint, code=ExitCode.USAGE)
    found = Suite(name=source.kind) if file is None and source else read_suite(str(file))
    if name is not None and not is_name(name):
        raise Failure.of_option("--name", f"`{name}` is no name", hint="take letters, digits, `.`, `_` and `-`")
    functions = {one: found.scoring_functions.get(one) for one in score} or found.scoring_functions
    found = found.model_copy(
        update={
            "name": name or found.name,
            "model": model or found.model,
            "scoring_functions": functions,
            "thresholds": {one: least for one, least in found.thresholds.items() if one in functions},
        }
    )
    if source is not None and found.cases:
        raise Failure(f"`{file}` has cases of its own", hint="leave them out, or the source", code=ExitCode.USAGE)
    if source is None and not found.cases:
        hint = "write some under `cases`, each with `input` and `expected`, or add `--from-completions`"
        raise Failure(f"`{file}` has no cases", hint=hint, code=ExitCode.USAGE)
    if not found.model:
        hint = "name one with `--model`; `llama models` lists them"
        raise Failure("no model is named that is to be evaluated", hint=hint, code=ExitCode.USAGE)
    if not found.scoring_functions:
        hint = "name one with `--score`; `llama api GET /v1/scoring-functions` lists them"
        raise Failure("no function is named that scores the answers", hint=hint, code=ExitCode.USAGE)
    return found


def with_cases(chosen: Suite, source: Source, address: str) -> Suite:
    """With those of the source. Says what it leaves out. Raises Failure where there are none."""
    if source.kind == "completions":
        kept, make = past.completions(address, source.wanted), happened.of_completion
    else:
        kept, make = past.responses(address, source.wanted), happened.of_response
    cases, left_out = happened.cases(kept, make, limit=source.limit)
    if left_out:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        console.say(f"left out, since no model can be asked it again: {why}")
    if not cases:
        hint = (
            f"`llama api GET '/v1/{'chat/' if source.kind == 'completions' else ''}{source.kind}'` shows what is kept"
        )
        raise Failure(f"none of the {source.kind} that the server has kept becomes a case", hint=hint)
    return chosen.model_copy(update={"cases": cases})


def planned(chosen: Suite) -> dict[str, Any]:
    """What `--json` prints of a run that is not begun: in its shape, with the cases as they would be sent."""
    rows = chosen.dataset()["source"]["rows"]
    nothing = ("id", "status", "dataset_version", "created_at", "ended_at", "error", "passed", "comparison")
    return {
        **dict.fromkeys(nothing),
        "benchmark_id": chosen.id,
        "model": chosen.model,
        "dataset_id": chosen.id,
        "scoring_functions": [*chosen.scoring_functions],
        "benchmark_config": chosen.config(),
        "rows": [{"index": at, "row": row, "generation": {}, "scores": {}} for at, row in enumerate(rows)],
        "figures": [],
        "gates": [],
        "dry_run": True,
    }


def put_to(chosen: Suite) -> str:
    """What is done, in words."""
    functions = words.some([f"`{name}`" for name in chosen.scoring_functions], 5)
    return f"{words.counted(len(chosen.cases), 'case')} of `{chosen.name}` to `{chosen.model}`, scored by {functions}"
