"""Whatever stands on the command line or around it, a command ends with words and a code that is documented: never with
a traceback, nor as if it were a bug of ours.
"""

from __future__ import annotations

import io
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cli.exits import ExitCode
from llama_cli.main import run

PLAIN = [
    *("", "--json", "--version --json", "help", "stack ps --all", "stack ps --json", "stack list", "stack list-apis"),
    *("stack list-providers -q", "stack logs", "stack stop", "stack restart", "chat hi"),
]
NAMING = [
    *("{}", "help {}", "stack {}", "--color {}", "stack logs {}", "stack status {}", "stack stop {}"),
    *("stack restart {}", "stack show {}", "stack show {}.yaml", "stack list-deps {}", "stack list-providers {}"),
    *("stack logs --since {}", "stack logs --tail {}", "stack run {} --dry-run", "stack build {} --dry-run"),
    *("stack build --dry-run --config {}", "stack build starter --dry-run --name {}"),
    *("chat {} --url http://127.0.0.1:9", "chat hi --url {}", "chat hi --url http://{}", "chat -m {} {}"),
    "chat hi --url http://127.0.0.1:9/{}",
    *(
        f"stack run starter --dry-run --{option} {{}}"
        for option in (
            *("state", "ready-file", "model", "env-file", "env", "providers", "host", "require", "alias"),
            *("log-level", "timeout", "port"),
        )
    ),
]
NAMES = {
    "not text": b"\xff\x80x".decode(errors="surrogateescape"),
    "far too long": "a" * 5000,
    "for a terminal": "\x1b]0;t\x07\x1b[2Jx",
    "turned around": "\u202ex\u2028",
    "nobody's home": "~nobody_here/x",
    "a huge number": "9" * 400,
    "a blank": " ",
    "the root": "/",
    "half an address": "a:b@[::",
    "an empty label": "a..b",
}


class Ended:
    def __init__(self, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        # As real ones are: they refuse what is no UTF-8.
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        monkeypatch.setattr("sys.stdin", io.StringIO())
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        self.code = run(arguments)
        self.text = "".join(stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]


def check(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Ended(arguments, monkeypatch)
    assert ended.code in list(ExitCode)
    assert "Traceback" not in ended.text and "a bug of ours" not in ended.text, (arguments, ended.text)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to be in, with a Llama home in it that is not there yet."""
    for name in ("CI", "LLAMA_STACK_PORT", "OGX_PORT", "LLAMA_STACK_URL", "LLAMA_STACK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.chdir("/")  # the folder may be gone


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_may_be_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in NAMING:
        check([word.replace("{}", name) for word in line.split()], monkeypatch)


@pytest.mark.parametrize(
    "home", ["file", "file/below", "dangling", "circle", "x" * 5000, "/proc/none", "~nobody_here/x", "rel", "\udcff"]
)
def test_the_llama_home_may_be_anything(home: str, surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (surroundings / "file").write_text("x")
    (surroundings / "dangling").symlink_to("nowhere")
    (surroundings / "circle").symlink_to("circle")
    monkeypatch.setenv("LLAMA_HOME", home)
    for line in (*PLAIN, *(line.replace("{}", "starter") for line in NAMING)):
        check(line.split(), monkeypatch)


@pytest.mark.parametrize("home", [None, "", "file", "file/below"])
def test_the_user_may_have_no_home(home: str | None, surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    (surroundings / "file").write_text("x")
    monkeypatch.delenv("LLAMA_HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if home is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", home)
    for line in (*PLAIN, *(line.replace("{}", "starter") for line in NAMING)):
        check(line.split(), monkeypatch)


@pytest.mark.parametrize("home", [None, "rel"])
def test_the_current_folder_may_be_gone(home: str | None, surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if home is not None:
        monkeypatch.setenv("LLAMA_HOME", home)
    gone = surroundings / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    for line in (*PLAIN, *(line.replace("{}", "starter") for line in NAMING)):
        check(line.split(), monkeypatch)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TERM", "dumb"),
        ("COLUMNS", "0"),
        ("COLUMNS", "wide"),
        ("LLAMA_STACK_PORT", "\udcff"),
        ("LLAMA_STACK_URL", "\udcff"),
        ("LLAMA_STACK_API_KEY", "two\nlines"),
        ("LLAMA_STACK_API_KEY", "cl\u00e9\udcff"),
        ("PATH", ""),
    ],
)
def test_a_variable_may_hold_anything(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_STACK_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    for line in (*PLAIN, "stack run starter --dry-run"):
        check(line.split(), monkeypatch)
