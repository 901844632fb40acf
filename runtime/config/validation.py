"""Validates a part of a run config by its pydantic model: returns it, or problems with line, key path and similar
names.

Knows pydantic's errors and our nodes; not which models exist. `plan` also uses it for providers' own config models.
If a model wants text but YAML or substitution made a number or a bool, the text as written is used instead
(`api_key: ${env.KEY:=}` with a key of digits, `distro_name: 0123`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from runtime.config.document import Key, Node, child_path, shortened
from runtime.config.stand_ins import StandIns
from runtime.config.substitution import Use
from runtime.errors import Problem
from runtime.redaction import hides, redact_text
from runtime.similar import did_you_mean

M = TypeVar("M", bound=BaseModel)

_WANTS_TEXT = ("string_type", "path_type")
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "path_type": "a path",
    "string_type": "text",
}


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
    found = [_problem(error, model, node, file) for error in errors]
    problems.extend(sorted(dict.fromkeys(found), key=lambda problem: problem.line or 0))
    return None


def with_origin(problem: Problem, uses: Iterable[Use]) -> Problem:
    """The problem, with a hint that names the variables of the value, since the file does not show the value."""
    variables = [f"`{use.variable}`" for use in uses if use.path == problem.path and use.is_set and use.form != "+"]
    if problem.hint or not variables:
        return problem
    return replace(problem, hint=f"the value comes from {' and '.join(variables)}")


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


def _problem(error: ErrorDetails, model: type[BaseModel], node: Node, file: str | None) -> Problem:
    location = error["loc"]
    at, steps = node.locate(location)
    name = str(location[-1]) if location else ""
    path, hint = at.path, None
    kind = error["type"]
    if kind == "extra_forbidden":
        known = sorted(_known_names(model, location))
        message = f"unknown key `{name}`"
        hint = did_you_mean(name, known) or (f"the keys here are {', '.join(known)}" if known else None)
    elif kind == "missing":
        is_null = bool(steps) and steps[-1] == name and len(steps) == len(location)
        path, message = at.path if is_null else child_path(at.path, name), "is missing"
    elif kind == "union_tag_invalid":
        context = error.get("ctx", {})
        given = str(context.get("tag", ""))
        known = [tag.strip(" '") for tag in str(context.get("expected_tags", "")).split(",")]
        discriminator = str(context.get("discriminator", "type")).strip("'")
        at = at.get(discriminator) or at
        path, message = at.path, f"`{given}` is not a known {discriminator}"
        hint = did_you_mean(given, known) or f"known are {', '.join(known)}"
    elif kind == "union_tag_not_found":
        discriminator = str(error.get("ctx", {}).get("discriminator", "type")).strip("'")
        path, message = child_path(at.path, discriminator), "is missing"
    elif kind == "literal_error":
        allowed = str(error.get("ctx", {}).get("expected", "")).replace("'", "`")
        message = f"expected {allowed}{_got(error['input'], location)}"
    elif kind in _EXPECTED:
        message = f"expected {_EXPECTED[kind]}{_got(error['input'], location)}"
    elif kind in ("value_error", "assertion_error"):
        message = error["msg"].split(", ", 1)[-1]
    else:
        message = error["msg"][:1].lower() + error["msg"][1:] + _got(error["input"], location)
    if at.awaits:
        message, hint = f"`{at.awaits[0]}` is not set", "a build needs it too"
    return Problem(message=message, path=path, file=file, line=at.line, hint=hint)


def _got(value: Any, location: Sequence[Key]) -> str:
    """The value that was there instead, unless it may be a secret."""
    if any(hides(str(step)) for step in location):
        return ""
    if value is None:
        return ", got nothing"
    if isinstance(value, Mapping):
        return ", got a mapping"
    if isinstance(value, list | tuple):
        return ", got a list"
    text = str(value).lower() if isinstance(value, bool) else redact_text(str(value))
    return f", got `{shortened(text)}`"


def _known_names(model: type[BaseModel], location: Sequence[Key]) -> set[str]:
    """The valid keys where `location` ends. Steps that are not fields (indexes, tags) are skipped."""
    models: list[type[BaseModel]] = [model]
    for step in location[:-1]:
        annotations = [found.model_fields[step].annotation for found in models if step in found.model_fields]
        below = [inner for annotation in annotations for inner in _models_in(annotation)]
        tagged = [found for found in models if _tag_of(found) == step]
        models = below or tagged or models
    return {known for found in models for name, field in found.model_fields.items() for known in _names_of(name, field)}


def _names_of(name: str, field: FieldInfo) -> list[str]:
    """The name that a config uses for the field: its own, or the first of its aliases."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias if isinstance(alias, str) else name]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]


def _tag_of(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("type")
    return next(iter(get_args(field.annotation)), None) if field else None
