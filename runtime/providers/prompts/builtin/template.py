"""The text of a prompt: which variables it has, and what it is with values in their places. Keeps nothing.

`{{ name }}` is a variable. Other braces are text: `{{}}`, `{{ a + b }}` and `{{"a": 1}}` too. A name that a variable
cannot have, as in `{{ user.name }}`, is refused, since it would stay in the text for the model to read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis.prompts.protocol import is_variable_name
from runtime.errors import RequestError, TooLarge
from runtime.similar import names_for
from runtime.sse import encode

Value = str | dict[str, Any]
Content = str | list[dict[str, Any]]
_VARIABLE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_PARTS = ("input_text", "input_image", "input_file")
_MOST_REPEATED = 16 * 1024 * 1024
"""Characters of values beyond the first place of each: a prompt can make very much of little."""


def variables_in(text: str) -> list[str]:
    """The names in a text, each once, in its order."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def check_variables(text: str, declared: Sequence[str]) -> None:
    """Raises RequestError unless the variables of a text are those that are declared."""
    found, known = dict.fromkeys(variables_in(text)), {*declared}
    if wrong := [name for name in found if not is_variable_name(name)]:
        raise RequestError(
            f"A variable cannot be called {_listed(wrong)}",
            hint="a name has only letters, digits and underscores, at most 64",
            param="prompt",
            code="invalid_variable_name",
        )
    if undeclared := [name for name in found if name not in known]:
        raise RequestError(
            f"The prompt has {_called(undeclared)}, which `variables` does not have",
            hint=f"add {_listed(undeclared)} to `variables`",
            param="variables",
            code="undeclared_variable",
        )
    if unused := [name for name in declared if name not in found]:
        raise RequestError(
            f"`variables` has {_listed(unused)}, which the prompt does not have",
            hint="write it as `{{ name }}` where its value belongs, or leave it out of `variables`",
            param="variables",
            code="unused_variable",
        )


def filled(text: str, values: Mapping[str, Value], *, variables: Sequence[str]) -> Content:
    """A text with values in the places of its variables: a text if all of them are; else the parts of a message in
    their order, texts as `input_text`. What a value says is never read as a variable.

    Raises RequestError for a variable without a value, a value without a variable and a part of another type, TooLarge.
    """
    if missing := [name for name in variables if name not in values]:
        raise RequestError(
            f"The prompt needs a value for {_called(missing)}",
            hint=f"give {_listed(missing)} in `prompt.variables`",
            param=f"prompt.variables.{missing[0]}",
            code="missing_variable",
        )
    known = {*variables}
    if unknown := [name for name in values if name not in known]:
        raise RequestError(
            f"The prompt has no variable {_listed(unknown)}",
            hint=names_for(unknown[0], variables) or "it has no variables: leave `prompt.variables` out",
            param="prompt.variables",
            code="unknown_variable",
        )
    given = {name: _as_text(name, value) for name, value in values.items()}
    _check_repeats(text, given)
    pieces: list[Value] = [given[piece] if number % 2 else piece for number, piece in enumerate(_VARIABLE.split(text))]
    if not any(isinstance(piece, dict) for piece in pieces):
        return "".join(map(str, pieces))
    return _joined(pieces)


def _as_text(name: str, value: Value) -> Value:
    """A value, of a text the text alone. Raises RequestError for what is no part of a message."""
    if isinstance(value, str):
        return value
    kind, said = value.get("type"), value.get("text")
    if kind not in _PARTS or (kind == "input_text" and not isinstance(said, str)):
        raise RequestError(
            f"The value of the variable `{name}` is no part of a message",
            hint="give a text, or an object whose `type` is `input_text` (with `text`), `input_image` or `input_file`",
            param=f"prompt.variables.{name}",
            code="invalid_variable",
        )
    return str(said) if kind == "input_text" else value


def _check_repeats(text: str, given: Mapping[str, Value]) -> None:
    """Raises TooLarge. A value that stands in one place is as large as it came, which the server bounds."""
    repeats = 0
    for name, count in Counter(_VARIABLE.findall(text)).items():
        if count > 1:
            value = given[name]
            repeats += (count - 1) * (len(value) if isinstance(value, str) else len(encode(value)))
    if repeats > _MOST_REPEATED:
        raise TooLarge(
            f"The prompt repeats the values of its variables: that would be more than {_MOST_REPEATED} characters",
            hint="give shorter values, or have each variable once in the prompt",
            param="prompt.variables",
        )


def _joined(pieces: Sequence[Value]) -> list[dict[str, Any]]:
    """Parts of a message, with texts that follow each other in one."""
    parts: list[dict[str, Any]] = []
    texts: list[str] = []
    for piece in [*pieces, {}]:
        if isinstance(piece, str):
            texts.append(piece)
            continue
        if any(texts):
            parts.append({"type": "input_text", "text": "".join(texts)})
        texts = []
        if piece:
            parts.append(piece)
    return parts


def _called(names: Sequence[str]) -> str:
    return f"the variable{'s' if len(names) > 1 else ''} {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    """Some names for a message, the first few of many."""
    few = ", ".join(f"`{name[:64]}`" for name in names[:10])
    return few if len(names) <= 10 else f"{few} and {len(names) - 10} more"
