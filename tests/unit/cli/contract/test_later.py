"""Promises about commands that are still to come, and what each has to do from its first day on."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import llama_cli
import runtime
from tests.support.command_tree import calls_in, needed

ROOT = Path(__file__).parents[4]
HOSTS = {
    *(
        "127.0.0.1",
        "app.example",
        "proxy.example",
        "weather.example",
        "json.schemastore.org",
    ),  # in messages and examples, and a schema
    *("huggingface.co", "www.llama.com"),  # for `model download`
}
"""What our own code names of the network."""


@pytest.mark.parametrize("path", ["llama stack diff", "llama stack lock", "llama stack eval compare"])
def test_differences_and_thresholds_have_a_code_of_their_own(path: str) -> None:
    node = needed(path)
    source = Path(sys.modules[node.module].__file__ or "").read_text()
    assert "ExitCode.DIFFERENT" in source, f"`{path}` ends with 9 where it finds differences"


@pytest.mark.parametrize("path", ["llama stack logs", "llama stack traces show"])
def test_what_is_followed_is_an_object_a_line(path: str) -> None:
    node = needed(path, "--follow", "--json")
    assert calls_in(node.module, "event")


@pytest.mark.parametrize(
    ("path", "formats"),
    [
        ("llama stack validate", {"sarif", "markdown"}),
        ("llama conformance", {"junit", "markdown"}),
    ],
)
def test_pipelines_get_their_own_formats(path: str, formats: set[str]) -> None:
    node = needed(path, "--format")
    assert formats <= set(getattr(node.options["--format"].type, "choices", ()))


def test_evaluations_are_reported_in_files_beside_their_output() -> None:
    """One run, several readers: a pipeline that shows tests, a colleague, and whoever started it."""
    assert {"--junit", "--markdown", "--plot", "--json"} <= needed("llama stack eval run").options.keys()


def files_of_ours() -> Iterator[Path]:
    """Not those of environments, which are many times as many."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", ".venv", "node_modules")]
        yield from (Path(folder, name) for name in files)


@pytest.mark.parametrize("file", ["Dockerfile", "action.yml"])
def test_the_image_and_the_action_call_the_same_commands(file: str) -> None:
    found = [path for path in files_of_ours() if path.name == file]
    if not found:
        pytest.skip(f"there is no {file} yet")
    assert any(re.search(r"\bllama\b", path.read_text()) for path in found)


def test_no_host_of_ours_is_known() -> None:
    """Neither usage nor a question about updates is sent anywhere: outside of providers and of other programs'
    settings, which name what users have chosen, there is no address to send it to.
    """
    for package in (llama_cli, runtime):
        for file in Path(package.__file__ or "").parent.rglob("*.py"):
            if {"providers", "clients"} & set(file.parts):
                continue
            source = file.read_text()
            texts = "\n".join(texts_in(source)) if "://" in source else ""
            hosts = set(re.findall(r"https?://([\w-]+(?:\.[\w-]+)+)", texts))
            assert hosts <= HOSTS, f"{file} knows {hosts - HOSTS}: what for? Enter it in HOSTS if a user asks for it"


def texts_in(source: str) -> Iterator[str]:
    """The texts of a source file that a program can use: no docstrings, no comments."""
    tree = ast.parse(source)
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield node.value
