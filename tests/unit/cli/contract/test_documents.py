"""Man pages, the reference in docs/cli and `help --json` say what `--help` says, from the same commands; the pages of
settings say what the models say that check them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import llama_cli
from llama_cli.helping import settings
from llama_cli.helping.documents import page_name
from llama_cli.helping.topics import environment
from tests.support.command_runner import Cli
from tests.support.command_tree import EVERYTHING, Node, every

ROOT = Path(llama_cli.__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = DOCS / "cli"
HOW = "`scripts/reference` writes it anew"
NOT_OURS = {
    *("PATH", "HOME", "USER", "SUDO_USER", "SHELL", "BASH_COMPLETION_USER_DIR", "ZDOTDIR"),
    *("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"),
}
"""What every program reads, or a shell or a desktop says."""


@every
def test_the_reference_is_as_the_command_is(node: Node, cli: Cli) -> None:
    page = PAGES / page_name(node.context)
    assert page.is_file(), f"`{node.path}` has no page: {HOW}"
    assert page.read_text() == cli("help", *node.words, "--format", "markdown").out, f"{page} is stale: {HOW}"


def test_the_reference_has_no_other_pages() -> None:
    assert {page.name for page in PAGES.iterdir()} == {page_name(node.context) for node in EVERYTHING}, HOW


def test_the_pages_of_settings_are_as_the_models_are() -> None:
    made = settings.pages()
    for name, text in made.items():
        assert (DOCS / name).is_file() and (DOCS / name).read_text() == text, f"docs/{name} is stale: {HOW}"
    assert {f"providers/{page.name}" for page in (DOCS / "providers").iterdir()} == made.keys() - {"configuration.md"}


def test_every_setting_is_described() -> None:
    for name, text in settings.pages().items():
        for row in re.findall(r"^\| `.*$", text, re.M):
            assert row.count("|") < 5 or not row.endswith("|  |"), f"docs/{name}: {row}"


@every
def test_a_man_page_says_what_help_says(node: Node, cli: Cli) -> None:
    page = cli("help", *node.words, "--format", "man").out
    for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", '"EXIT STATUS"', "ENVIRONMENT"):
        assert f"\n.SH {part}\n" in page
    [name] = re.findall(r"^\.SH NAME\n(.*)\n\.SH ", page, re.M)
    assert ". " not in name, "what `whatis` shows is one sentence"
    plain = page.replace("\\-", "-").replace("\\(aq", "'").replace("\\(ga", "`").replace("\\&", "")
    for option in node.options.values():
        assert f".B {', '.join(sorted(option.opts, key=len))}" in plain
        assert (option.help or "") in plain
    for example in node.command.examples:
        assert f"\n{example}\n" in plain.replace("\\e", "\\")


def test_every_variable_that_we_read_is_explained(cli: Cli) -> None:
    known = " ".join(f"{row['name']} {row['meaning']}" for row in environment())
    for node in EVERYTHING:
        for option in node.options.values():
            for name in [option.envvar] if isinstance(option.envvar, str) else option.envvar or ():
                assert name in known, f"{node.path} {option.opts[0]}: explain {name} in llama_cli/helping/topics.py"
    for file in sorted((ROOT / "llama_cli").rglob("*.py")):
        for name in variables_read(file):
            if "clients" in file.parts:  # which write what other programs read, where those say
                continue
            ours = not name.startswith(("UV_", "PIP_", "XDG_")) and name not in NOT_OURS
            assert not ours or name in known, f"{file} reads {name}: explain it in llama_cli/helping/topics.py"
    assert cli("help", "environment", "--json").json() == environment()


def variables_read(file: Path) -> set[str]:
    """The names that are taken from something called environment."""
    found = set()
    source = file.read_text()
    for node in ast.walk(ast.parse(source)) if "env" in source else ():
        place, key = None, None
        if isinstance(node, ast.Subscript):
            place, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            place, key = node.func.value, node.args[0] if node.args else None
        name = getattr(place, "attr", getattr(place, "id", ""))
        if name in ("environ", "env", "environment") and isinstance(key, ast.Constant) and isinstance(key.value, str):
            found.add(key.value)
    return found
