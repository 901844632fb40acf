"""What docstrings and descriptions owe their readers: what a field holds, the shapes of tensors, the errors raised.

Fields are asked of pydantic, as the API's document is; functions are read from the source with `ast`. Each rule stands
next to a snippet that breaks it.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args, get_origin

import pytest
from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

import runtime.apis
import runtime.errors
from runtime.apis._request import Request, Response
from tests.support.sources import tree_of

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    {f"runtime.{path.stem}" for path in (ROOT / "runtime").iterdir() if path.is_dir() or path.suffix == ".py"}
    - {"runtime.__init__", "runtime.__pycache__"}
    | {"llama_cli"}
)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """A function or method at the top of a module or class. owner: its class, if it has one."""

    node: FunctionNode
    owner: ast.ClassDef | None = None

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name

    @property
    def is_public(self) -> bool:
        return not any(part.startswith("_") for part in self.name.split("."))

    @property
    def docstrings(self) -> list[str]:
        """Its own and its class's: what holds for all methods is said once."""
        return [ast.get_docstring(node) or "" for node in (self.node, self.owner) if node]


def functions_of(node: ast.AST, owner: ast.ClassDef | None = None) -> Iterator[Function]:
    """Those of a module and its classes, also under `if` and `try`; not those inside functions."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, FunctionNode):
            yield Function(inner, owner)
        elif not isinstance(inner, ast.expr):
            yield from functions_of(inner, inner if isinstance(inner, ast.ClassDef) else owner)


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Every file of a package or module, by its path from the root."""
    place = ROOT.joinpath(*package.split("."))
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
        yield str(path.relative_to(ROOT)), tree_of(path)


# 1: every field of every API model has a description; an optional one of a request says its default

T = TypeVar("T")


def subclasses(parent: type[T]) -> Iterator[type[T]]:
    """All of them that are imported, at any depth."""
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


def fields_not_described(model: type[BaseModel]) -> list[str]:
    """Those without description, and of a request those that may be left out and do not say what it is then. One that
    has only one value needs none.
    """
    return [
        f"{model.__name__}.{name}"
        for name, field in model.model_fields.items()
        if not (field.description or _has_one_value(field))
        or (issubclass(model, Request) and not field.is_required() and "default" not in str(field.description).lower())
    ]


def _has_one_value(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def test_every_field_of_an_api_model_is_described() -> None:
    for module in pkgutil.walk_packages(runtime.apis.__path__, "runtime.apis."):
        importlib.import_module(module.name)
    models = [
        model
        for base in (Request, Response)
        for model in subclasses(base)
        if model.__module__.startswith("runtime.apis.")
    ]
    assert models
    found = sorted({field for model in models for field in fields_not_described(model)})
    assert not found, "\n".join(found)


def test_a_field_that_is_not_described_is_found() -> None:
    class Thing(Request):
        described: int = Field(description="How many.")
        optional: int = Field(1, description="How many. Default 1.")
        vague: int = Field(1, description="How many.")
        silent: int = Field(ge=0)
        one: Literal["thing"]
        other: Literal["thing", "none"]
        unsaid: Literal["thing"] = "thing"

    assert fields_not_described(Thing) == ["Thing.vague", "Thing.silent", "Thing.other", "Thing.unsaid"]


# 2: every function of the engine that takes or returns tensors says their shapes and dtypes

TENSORS = {"Tensor", "ndarray", "NDArray"}
SHAPE = re.compile(r"\[[\w.,*+/ -]*\]")
DTYPE = re.compile(r"\b(float(16|32|64)|bfloat16|u?int(8|16|32|64)|bool|dtype)\b")


def names_in(node: ast.AST | None) -> set[str]:
    """The names in an annotation, also in one that is written as a string."""
    found: set[str] = set()
    for inner in ast.walk(node) if node else ():
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            found.update(re.findall(r"\w+", inner.value))
    return found


def tensor_types(modules: list[ast.Module]) -> set[str]:
    """`Tensor` and the like, and aliases such as `Floats = NDArray[np.float32]`."""
    aliases = {
        target.id
        for module in modules
        for statement in module.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Subscript)
        if names_in(statement.value) & TENSORS
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return TENSORS | aliases


def lacks_of_shapes(docstrings: list[str], tensors: list[str]) -> list[str]:
    """What is missing in the docstrings of something with these tensors by name."""
    text = "\n".join(docstrings)
    lacks = [f"`{name}`" for name in tensors if not re.search(rf"\b{name}\b", text)]
    if not SHAPE.search(text):
        lacks.append("shapes such as [tokens, heads]")
    if not DTYPE.search(text):
        lacks.append("dtypes")
    return lacks


def functions_without_shapes(module: ast.Module, types: set[str]) -> Iterator[tuple[int, str]]:
    """Line, and name with what is missing; also of dataclasses and the like that have tensors as fields."""
    for function in functions_of(module):
        arguments = function.node.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        tensors = [argument.arg for argument in given if names_in(argument.annotation) & types]
        lacks = lacks_of_shapes(function.docstrings, tensors)
        if lacks and (tensors or names_in(function.node.returns) & types):
            yield function.node.lineno, f"{function.name}: {', '.join(lacks)}"
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
            tensors = [ast.unparse(field.target) for field in fields if names_in(field.annotation) & types]
            if tensors and (lacks := lacks_of_shapes([ast.get_docstring(node) or ""], tensors)):
                yield node.lineno, f"{node.name}: {', '.join(lacks)}"


def test_every_engine_function_with_tensors_says_shapes_and_dtypes() -> None:
    engine = list(sources("runtime.engine"))
    types = tensor_types([module for _, module in engine])
    found = [
        f"{path}:{line} {what}" for path, module in engine for line, what in functions_without_shapes(module, types)
    ]
    assert not found, "\n".join(found)


SHAPELESS = '''
Rows = npt.NDArray[np.int64]

def silent(x: Tensor) -> int: ...

def vague(x: Tensor) -> Tensor:
    """The same, but larger."""

def half(x: Tensor, mask: Tensor | None) -> Tensor:
    """x: [rows, n], float32."""

def by_alias(count: int) -> Rows:
    """As many as there are."""

def whole(x: Tensor, mask: Tensor | None) -> Tensor:
    """x: [rows, n], float32; mask: [rows], bool. Returns x's shape and dtype."""

@dataclass
class Pair:
    left: Tensor

class Module:
    """x: [tokens, hidden_size]; the same shape and dtype out."""
    def forward(self, x: Tensor) -> Tensor: ...
'''


def test_a_function_without_shapes_is_found() -> None:
    module = ast.parse(SHAPELESS)
    found = [what.split(":")[0] for _, what in functions_without_shapes(module, tensor_types([module]))]
    assert found == ["silent", "vague", "half", "by_alias", "Pair"]


# 3: every public function that raises an error says which

NOT_ERRORS = {
    "NotImplementedError",
    "StopIteration",
    "StopAsyncIteration",
    "AssertionError",
    "SystemExit",
    "Exit",
    "Self",
}
"""Ways to end, what only a bug of ours raises, and an error's own copy: `raise failure.for_another()`."""


def raises_of(node: ast.AST, caught: frozenset[str] = frozenset()) -> Iterator[tuple[ast.expr, frozenset[str]]]:
    """What a function's own body raises, not what functions inside it do; with the errors that it catches there."""
    if isinstance(node, ast.Raise) and node.exc:
        yield node.exc, caught
    tried = node.body if isinstance(node, ast.Try) else []
    handled = {name for handler in node.handlers for name in names_in(handler.type)} if tried else set()
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, FunctionNode | ast.ClassDef | ast.expr):
            yield from raises_of(inner, caught | handled if inner in tried else caught)


def returned_by(modules: Iterable[ast.Module]) -> dict[str, str]:
    """What each function returns, by name: some return an error, for `raise refused(...)`."""
    return {
        function.node.name: ast.unparse(function.node.returns).split(".")[-1]
        for module in modules
        for function in functions_of(module)
        if function.node.returns
    }


@cache
def returned_anywhere() -> dict[str, str]:
    """Read once, and only by a worker that has such a test: it takes a second."""
    return returned_by(module for package in PACKAGES for _, module in sources(package))


def raised_in(function: Function, returned: dict[str, str]) -> list[str]:
    """Names of the errors that leave it; not those that are raised again from a variable."""
    found = []
    for raised, caught in raises_of(function.node):
        is_call = isinstance(raised, ast.Call)
        name = ast.unparse(raised.func if is_call else raised).split(".")[-1]
        name = returned.get(name, name) if is_call else name
        if name[:1].isupper() and name not in NOT_ERRORS | caught:
            found.append(name)
    return list(dict.fromkeys(found))


def says_raises(docstring: str, error: str) -> bool:
    """Whether it names the error, or a more precise one of ours, after the word `Raises`."""
    _, raises, named = docstring.partition("Raises")
    ours = getattr(runtime.errors, error, None)
    names = [error, *(child.__name__ for child in subclasses(ours))] if isinstance(ours, type) else [error]
    return bool(raises) and any(re.search(rf"\b{name}\b", named) for name in names)


def silent_about_errors(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line, and name with the errors that no docstring names. A command is left out: its docstring is its help."""
    returned = returned_anywhere() | returned_by([module])
    for function in functions_of(module):
        silent = [
            error
            for error in raised_in(function, returned)
            if not any(says_raises(docstring, error) for docstring in function.docstrings)
        ]
        if silent and function.is_public and function.name != "command":
            yield function.node.lineno, f"{function.name} raises {', '.join(silent)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_that_raises_says_what(package: str) -> None:
    found = [f"{path}:{line} {what}" for path, module in sources(package) for line, what in silent_about_errors(module)]
    assert not found, "\n".join(found)


RAISING = '''
def silent():
    raise ValueError("no")

def names_another():
    """Raises KeyError."""
    raise errors.NotFound("no")

def by_helper():
    """Does it."""
    raise _refused("no")

def _refused(why) -> NotFound: ...

def names_a_child():
    """Raises NotFound where there is none."""
    raise StackError("no")

def says():
    """Does it. Raises NotFound where there is none."""
    raise errors.NotFound("no")

def raises_again():
    try:
        go()
    except ValueError as error:
        log(error)
        raise

def catches_its_own():
    try:
        raise OSError("no")
    except (OSError, KeyError):
        pass

def has_one_inside():
    def inner():
        raise ValueError("no")

class Shelf:
    """Raises Gone from every method after `close`."""

    def take(self):
        raise Gone("no")

    @property
    def top(self):
        raise Empty("no")

class _Private:
    def take(self):
        raise Gone("no")
'''


def test_a_function_silent_about_its_errors_is_found() -> None:
    found = [what for _, what in silent_about_errors(ast.parse(RAISING))]
    assert found == [
        "silent raises ValueError",
        "names_another raises NotFound",
        "by_helper raises NotFound",
        "Shelf.top raises Empty",
    ]


# 4: what the command line says calls one thing by one name

SYNONYMS = {
    r"config(uration)? files?": "run config, or run.yaml",
    r"daemons?|background process(es)?": "detached server",
    r"end-?points?": "address of a server, route of an API",
    r"virtual-?envs?|venvs? folder": "environment",
    r"director(y|ies)": "folder",
    r"delet(e|es|ed|ing)|eras(e|es|ed|ing)|purg(e|es|ed|ing)": "remove",
    r"env(ironment)? var(iable)?s?": "variable",
    r"URLs?": "address",
    r"port numbers?": "port",
    r"api[ -]tokens?|access keys?": "key",
    r"log ?files?": "log",
}
"""What no message says -> what it says instead."""
OTHERS_WORDS = "llama_cli/clients/"
"""What stands in other programs' settings is called what they call it."""


def said_to_users(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of what can be read by a user: texts of several words, and the docstrings of commands, which are
    their help. What stands between backticks is typed, and left out.
    """
    unsaid = {id(statement.value) for statement in ast.walk(module) if isinstance(statement, ast.Expr)}
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef) and function.name == "command":
            unsaid.discard(id(getattr(function.body[0], "value", None)))
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unsaid:
            text = re.sub("`[^`]*`", "", node.value)
            if " " in text.strip():
                yield node.lineno, text


def second_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    for line, text in said_to_users(module):
        for words, instead in SYNONYMS.items():
            for found in re.finditer(rf"\b({words})\b", text):
                yield line, f"says `{found[0]}`: {instead}"


def test_the_command_line_calls_one_thing_by_one_name() -> None:
    found = [
        f"{path}:{line} {what}"
        for path, module in sources("llama_cli")
        if not path.startswith(OTHERS_WORDS)
        for line, what in second_names(module)
    ]
    assert not found, "\n".join(found)


SAYING = '''
"""Knows directories."""

def command(folder):
    """Delete a directory."""
    say(f"no endpoint at {folder} directory, see `llama delete`")
    return "URL"

def other():
    """Of environment variables."""
'''


def test_a_second_name_is_found() -> None:
    found = [what.partition(":")[0] for _, what in second_names(ast.parse(SAYING.replace("Delete", "delete")))]
    assert sorted(found) == ["says `delete`", "says `directory`", "says `directory`", "says `endpoint`"]
