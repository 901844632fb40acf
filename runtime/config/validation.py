"""Validates a part of a run config by its pydantic model: returns it, or problems with line, key path and similar
names.

Knows our nodes; not which models exist, and not pydantic's words. `plan` also uses it for providers' own config models.
If a model wants text but YAML or substitution made a number or a bool, the text as written is used instead
(`api_key: ${env.KEY:=}` with a key of digits, `distro_name: 0123`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from runtime.config.document import Node, child_path
from runtime.config.stand_ins import StandIns
from runtime.config.substitution import Use
from runtime.errors import Problem

if TYPE_CHECKING:
    from runtime.invalid.describing import Wrong

M = TypeVar("M", bound=BaseModel)

_WANTS_TEXT = ("string_type", "path_type")


def check(model: type[M], node: Node, *, problems: list[Problem], file: str | None = None) -> M | None:
    """The node as an instance of `model`, or None with the reasons added to `problems`, in the order of the file."""
    plain = node.plain()
    stand_ins = StandIns(node, plain)
    while True:
        try:
            return model.model_validate(plain)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False)
        if not any([_restore_text(plain, node, errors), stand_ins.next(errors)]):
            break
    from runtime.invalid.describing import described  # not above: nearly all run configs are valid
    from runtime.invalid.vocabulary import YAML

    found = [_problem(wrong, node, file) for wrong in described(errors, model, plain, YAML)]
    problems.extend(sorted(dict.fromkeys(found), key=lambda problem: problem.line or 0))
    return None


def with_origin(problem: Problem, uses: Iterable[Use]) -> Problem:
    """The problem, with a hint that names the variables of the value, since the file does not show the value."""
    variables = [f"`{use.variable}`" for use in uses if use.path == problem.path and use.is_set and use.form != "+"]
    origin = f"the value comes from {' and '.join(variables)}"
    if not variables or origin in (problem.hint or ""):
        return problem
    return replace(problem, hint=f"{problem.hint}; {origin}" if problem.hint else origin)


def _restore_text(plain: Any, node: Node, errors: Sequence[ErrorDetails]) -> bool:
    changed = False
    for error in errors:
        if error["type"] not in _WANTS_TEXT:
            continue
        at, steps = node.locate(error["loc"])
        if steps and at.text is not None and isinstance(at.value, bool | int | float):
            holder = plain
            for step in steps[:-1]:
                holder = holder[step]
            changed = changed or not isinstance(holder[steps[-1]], str)
            holder[steps[-1]] = at.text
    return changed


def _problem(wrong: Wrong, node: Node, file: str | None) -> Problem:
    at, steps = node.locate(wrong.steps)
    path, message, hint = at.path, wrong.message, wrong.hint
    if wrong.is_absent:
        for step in wrong.steps[len(steps) :]:
            path = child_path(path, step)
    if at.awaits:
        message, hint = f"`{at.awaits[0]}` is not set", "a build needs it too"
    return Problem(message=message, path=path, file=file, line=at.line, hint=hint)
