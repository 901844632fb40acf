"""Everything that is wrong with a run config, and everything that is worth knowing of it, without starting anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from llama_cli.configs.text import ConfigText, config_text
from llama_cli.configs.variables import known_to_providers
from llama_cli.exits import ExitCode, Failure
from llama_cli.packages.known import known
from runtime.config.home import models_dir
from runtime.config.run_config import RunConfig
from runtime.config.text import shown
from runtime.errors import ConfigInvalid, Problem, StackError
from runtime.similar import nearest, suggestion
from runtime.stack.plan import plan, read_run_config
from runtime.stack.weights import lacking_weights

Kind = Literal["invalid", "unset-variable", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """kind: `invalid` is a problem; the others are for a person to know."""

    kind: Kind
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in one run config. shown: its file, or what the user named where there is none. code: what a
    command ends with where it is invalid.
    """

    shown: str
    findings: tuple[Finding, ...]
    code: int = ExitCode.CONFIG

    def of(self, *kinds: Kind) -> list[Problem]:
        return [finding.problem for finding in self.findings if finding.kind in kinds]

    def document(self) -> dict[str, Any]:
        """For `--json`."""

        def rows(*kinds: Kind) -> list[dict[str, Any]]:
            return [asdict(problem) for problem in self.of(*kinds)]

        problems = rows("invalid")
        warnings = rows("unset-variable", "warning")
        return {"file": self.shown, "is_valid": not problems, "problems": problems, "warnings": warnings}


def check_configs(targets: Sequence[str], environment: Mapping[str, str]) -> list[Checked]:
    """The findings in several: one that is not there, or cannot be read, has that as its problem.

    Raises NotFound and AccessDenied where only one is named.
    """
    if len(targets) == 1:
        return [check_config(targets[0], environment)]
    return [_checked(target, environment) for target in targets]


def _checked(target: str, environment: Mapping[str, str]) -> Checked:
    try:
        return check_config(target, environment)
    except StackError as error:
        problem = Problem(message=error.message, file=shown(target), hint=error.hint)
        code = Failure.from_error(error).code
        return Checked(shown=shown(target), findings=(Finding(kind="invalid", problem=problem),), code=code)


def check_config(target: str, environment: Mapping[str, str]) -> Checked:
    """The findings in the run config that `DISTRO|NAME|FILE` means, in the order of the file, problems first. What a
    server needs from the environment may be missing: that is a warning. Raises NotFound where there is no such file,
    AccessDenied where it may not be read.
    """
    try:
        config = config_text(target, environment)
    except ConfigInvalid as error:  # what cannot be read at all, and a build.yaml
        return Checked(shown=shown(target), findings=tuple(_problems(error)))
    except Failure as error:  # a build.yaml without a name
        problem = Problem(message=error.message, file=shown(target), hint=error.hint)
        return Checked(shown=shown(target), findings=(Finding(kind="invalid", problem=problem),))
    found = _findings(config, environment)
    if config.made_of is not None:
        found = [replace(one, problem=replace(one.problem, line=None)) for one in found]
    return Checked(shown=config.shown, findings=tuple(found))


def _findings(config: ConfigText, environment: Mapping[str, str]) -> list[Finding]:
    try:
        run = read_run_config(
            config.shown, environment, text=config.text, to_build=True, find_world=known(environment, config.folder)
        )
    except ConfigInvalid as error:
        return [*_problems(error), *(_noted(error.sound) if isinstance(error.sound, RunConfig) else [])]
    try:
        planned = plan(run, file=config.shown)
    except ConfigInvalid as error:
        return [*_problems(error), *_noted(run)]
    lacking = lacking_weights(planned, run, models_dir(environment), file=config.shown)
    noted = [*planned.noted, *lacking.every, *lacking.some]
    return [*_noted(run), *(Finding(kind="warning", problem=problem) for problem in noted)]


def _problems(error: ConfigInvalid) -> list[Finding]:
    return [Finding(kind="invalid", problem=problem) for problem in error.problems]


def _noted(run: RunConfig) -> list[Finding]:
    missing: dict[str, Problem] = {}
    for use in sorted(run.uses, key=lambda use: use.line or 0):
        if use.is_awaited:
            message = f"`{use.variable}` is not set, and a server needs it"
            hint = suggestion(nearest(use.variable, list(known_to_providers()), limit=1))
            problem = Problem(message=message, path=use.path, file=run.file, line=use.line, hint=hint)
            missing.setdefault(use.variable, problem)
    awaited = [Finding(kind="unset-variable", problem=problem) for problem in missing.values()]
    return [*awaited, *(Finding(kind="warning", problem=noted) for noted in run.noted)]
