"""Documents to search in, from what every Python brings: the language reference of `pydoc_data.topics`, and the
docstrings of the standard library. Needs no network and no package.

Python's documentation is under the PSF license; it is read where it lies, and only a few words of each answer are kept
here (`questions.toml`).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from types import ModuleType

_LEFT_OUT = {
    "antigravity",
    "distutils",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "test",
    "this",
    "tkinter",
    "turtle",
    "turtledemo",
}
_IN_C = ("builtins", "itertools", "math", "posix", "time")
_MIN_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class SourceDocument:
    """name: unique, such as `shutil` or `topic: with`. text: plain, with blank lines between paragraphs."""

    name: str
    text: str


def documents() -> list[SourceDocument]:
    """All of them, by name; those of other Python versions differ in details."""
    made = [SourceDocument(name=f"topic: {name}", text=text) for name, text in topics.items()]
    made += [SourceDocument(name=name, text=text) for name, text in _of_sources()]
    made += [SourceDocument(name=name, text=_of_module(importlib.import_module(name))) for name in _IN_C]
    return sorted((one for one in made if len(one.text) >= _MIN_CHARACTERS), key=lambda one: one.name)


def _of_sources() -> Iterator[tuple[str, str]]:
    """The modules that are written in Python, by their dotted names. They are not imported."""
    library = Path(sysconfig.get_path("stdlib"))
    for top in sorted(sys.stdlib_module_names - _LEFT_OUT):
        if top.startswith("_"):
            continue
        paths = [library / f"{top}.py", *(library / top).rglob("*.py")]
        for path in paths:
            parts = path.relative_to(library).with_suffix("").parts
            if path.is_file() and not any(_is_private(part) or part in _LEFT_OUT for part in parts):
                yield ".".join(part for part in parts if part != "__init__"), _of_source(path)


def _of_source(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return "\n\n".join([ast.get_docstring(tree) or "", *_of_body(tree, "")])


def _of_body(node: ast.Module | ast.ClassDef | ast.If | ast.Try, prefix: str) -> Iterator[str]:
    """The head and the docstring of each public class and function, with those inside classes and under conditions."""
    for one in node.body:
        if isinstance(one, ast.If | ast.Try):
            yield from _of_body(one, prefix)
        if not isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or _is_private(one.name):
            continue
        text = ast.get_docstring(one)
        if isinstance(one, ast.ClassDef):
            if text:
                yield f"class {prefix}{one.name}\n{text}"
            yield from _of_body(one, f"{prefix}{one.name}.")
        elif text:
            yield f"{prefix}{one.name}({ast.unparse(one.args)})\n{text}"


def _of_module(module: ModuleType) -> str:
    entries = [f"{name}\n{inspect.getdoc(value)}" for name, value in sorted(vars(module).items()) if callable(value)]
    return "\n\n".join([inspect.getdoc(module) or "", *entries])


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "__init__"
