"""Which suite a command line means: a file's, with what options say in its place, a benchmark of the server, and cases
from what was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llama_cli.asking import evaluations, past
from llama_cli.asking.bodies import pair
from llama_cli.evaluating import happened
from llama_cli.evaluating.suite import Suite, as_name, is_name
from llama_cli.evaluating.suite_file import SUFFIXES, read_suite
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from runtime.clock import wall_time
from runtime.config.text import as_meant, is_stream
from runtime.similar import names_for


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
    """The suite, without the cases of a source, and without the functions of a benchmark that it names. file: a file,
    or the name of a benchmark. name, model, score: in place of what it says.

    Raises NotFound, AccessDenied, ConfigInvalid for the file; Failure (USAGE) for what is missing.
    """
    if name is not None and not is_name(name):
        raise Failure.of_option("--name", f"`{name}` is no name", hint="take letters, digits, `.`, `_` and `-`")
    found = _found(file, source)
    found = found.model_copy(update={"name": name or found.name, "model": model or found.model})
    if found.benchmark is not None:
        for option, value in {"--score": score, "--name": name, "--from-completions": source}.items():
            if value:
                why = f"the functions, the name and the cases are those of the benchmark `{found.benchmark}`"
                raise Failure.of_option(option, why, hint="leave it out, or name a suite")
    else:
        found = _scored_by(found, score)
        if source is not None and found.cases:
            raise Failure(f"`{file}` has cases of its own", hint="leave them out, or the source", code=ExitCode.USAGE)
        if source is None and not found.cases:
            hint = "write some under `cases`, each with `input` and `expected`, or add `--from-completions`"
            raise Failure(f"`{file}` has no cases", hint=hint, code=ExitCode.USAGE)
        if not found.scoring_functions:
            hint = "name one with `--score`; `llama api GET /v1/scoring-functions` lists them"
            raise Failure("no function is named that scores the answers", hint=hint, code=ExitCode.USAGE)
    if not found.asked_model:
        hint = "name one with `--model`; `llama models` lists them"
        what = f"`{file}` is no file, and for the benchmark of that name " if file and file == found.benchmark else ""
        raise Failure(f"{what}no model is named that is to be evaluated", hint=hint, code=ExitCode.USAGE)
    return found


def _found(file: str | None, source: Source | None) -> Suite:
    if file is None and source is None:
        hint = "name a YAML file or JSON lines, as in `llama stack eval capitals.yaml`, or add `--from-completions`"
        raise Failure("there is no suite", hint=hint, code=ExitCode.USAGE)
    if file is None:
        assert source is not None
        return Suite(name=source.kind)
    if is_stream(as_meant(file)) or Path(as_meant(file)).exists():
        return read_suite(file)
    if "/" in file or Path(file).suffix.lower() in SUFFIXES:
        hint = "name a YAML file or JSON lines; `llama stack eval --help` lists the commands"
        raise Failure(f"there is no file `{file}`", hint=hint, code=ExitCode.USAGE)
    return Suite(name=as_name(file), benchmark=file)


def _scored_by(found: Suite, score: Sequence[str]) -> Suite:
    """With these functions in place of its own. Thresholds stay with a function under another name, such as without
    its provider's; says which go.
    """
    if not score:
        return found
    known = found.scoring_functions
    functions = {one: known.get(_same(one, known) or one) for one in score}
    least = {new: value for one, value in found.thresholds.items() if (new := _same(one, functions))}
    gone = [f"`{one}`" for one in found.thresholds if not _same(one, functions)]
    if gone:
        console.say(f"`--score` leaves out what has a threshold: {words.some(gone, 5)}")
    return found.model_copy(update={"scoring_functions": functions, "thresholds": least})


def _same(name: str, functions: Iterable[str]) -> str | None:
    """The function that a name means, or that is meant by it."""
    last = name.rpartition("::")[2]
    fitting = [one for one in functions if one == name] or [
        one for one in functions if last == one.rpartition("::")[2] and ("::" not in one or "::" not in name)
    ]
    return fitting[0] if len(fitting) == 1 else None


def of_benchmark(chosen: Suite, address: str) -> Suite:
    """With the functions of the benchmark that it names, each with the params that the suite has for it. Raises Failure
    (USAGE) for a benchmark that is not there, and for params and thresholds of what does not score there.
    """
    assert chosen.benchmark is not None
    benchmark_id = evaluations.benchmark_of(address, chosen.benchmark)
    functions = evaluations.benchmark(address, benchmark_id)["scoring_functions"]
    for name in {**chosen.scoring_functions, **chosen.thresholds}:
        if name not in functions:
            hint = names_for(name, functions)
            what = f"`{name}` is none of the functions of the benchmark `{benchmark_id}`"
            raise Failure(what, hint=hint, code=ExitCode.USAGE)
    params = {name: chosen.scoring_functions.get(name) for name in functions}
    return chosen.model_copy(update={"benchmark": benchmark_id, "scoring_functions": params})


def columns(chosen: Suite, address: str) -> list[str]:
    """Those of its cases: of all of them, or of a benchmark's first row. Raises Failure as `ask.get` does."""
    if chosen.benchmark is not None:
        return evaluations.columns(address, evaluations.benchmark(address, chosen.benchmark)["dataset_id"])
    return [*dict.fromkeys(name for row in chosen.dataset()["source"]["rows"] for name in row)]


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


def planned(chosen: Suite, *, first: int | None) -> dict[str, Any]:
    """What `--json` prints of a run that is not begun: in its shape, with the cases as they would be sent; those of a
    benchmark are the server's. first: see `Suite.config`.
    """
    rows = chosen.dataset()["source"]["rows"][:first]
    nothing = ("id", "status", "dataset_version", "created_at", "ended_at", "error", "passed", "comparison")
    return {
        **dict.fromkeys(nothing),
        "benchmark_id": chosen.id,
        "model": chosen.asked_model,
        "dataset_id": None if chosen.benchmark else chosen.id,
        "scoring_functions": [*chosen.scoring_functions],
        "benchmark_config": chosen.config(first=first),
        "rows": [{"index": at, "row": row, "generation": {}, "scores": {}} for at, row in enumerate(rows)],
        "figures": [],
        "gates": [],
        "dry_run": True,
    }


def put_to(chosen: Suite, *, first: int | None) -> str:
    """What is done, in words. first: see `Suite.config`."""
    functions = words.some([f"`{name}`" for name in chosen.scoring_functions], 5)
    of = f"`{chosen.benchmark or chosen.name}`"
    if chosen.benchmark is None:
        cases = words.counted(min(first or len(chosen.cases), len(chosen.cases)), "case")
    else:
        cases = "the cases" if first is None else f"the first {words.counted(first, 'case')}"
    to = f"an agent with `{chosen.asked_model}`" if chosen.agent is not None else f"`{chosen.asked_model}`"
    return f"{cases} of {of} to {to}, scored by {functions}"
