"""What a command line can be given that nobody would give it on purpose, and what holds of its end nevertheless.

Command lines are made from the tree of commands, so that a new one is fuzzed as it comes. Knows no command by name but
those in GUARDS and STREAMS.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import strategies as st

from llama_cli.exits import ExitCode
from tests.support.command_tree import EVERYTHING
from tests.support.contained import Ended

GUARDS = {
    "llama stack wait": ("--timeout", "20ms"),  # what does not run is waited for, for ever
}
"""Options that bound a command that has no end of its own; no other value is made up for them."""

STREAMS = {"llama stack logs"}
"""Commands whose `--json` is one object a line."""

_ELSEWHERE = ("--debug",)
"""It asks for the traceback that must not come without it."""

SECRET = "sk-fuzz-0123456789abcdef"  # looks like a key, so that it is looked for everywhere
ENVIRONMENT = {"OPENAI_API_KEY": SECRET}

_NAMES = [
    *(
        "starter",
        "remote",
        "mine",
        "x",
        "inference",
        "remote::ollama",
        "exit-codes",
        "stack",
        "run.yaml",
        "broken.yaml",
    ),
    *(
        "inference=remote::ollama",
        "a=b",
        "A=B",
        "OPENAI_API_KEY",
        "http://127.0.0.1:9",
        "127.0.0.1",
        "llama3",
        "warning",
    ),
]
_ODD = [
    *("", " ", "-", "--", "-x", "--no-such", ".", "..", "/", "~", "~nobody_here/x", "a/../../b", "a\nb", "\x1b[2Jx"),
    *("\u202ex", "\udcff", "\N{LLAMA}", "a" * 5000, "${env.X}", "{{x}}", "[x]", "'", '"', "=", "a=", "=a", "%s", "*"),
    *(
        "-1",
        "0",
        "1e999",
        "nan",
        "9" * 400,
        "1h",
        "0.5s",
        "true",
        "null",
        "[]",
        "{}",
        "http://",
        "http://[",
        "file:///x",
    ),
    *("/dev/null", "/dev/full", "/proc/self/mem", "/dev/fd/999", "missing/run.yaml", "folder", "empty", "binary"),
]

# No system passes a NUL on, or half a surrogate pair that stands for no byte.
words = st.one_of(
    st.sampled_from(_NAMES),
    st.sampled_from(_ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command of the tree with arguments and options: some that it has, with values of any kind, some that it has
    not. `--json` comes first, where no other option can take it for its value.
    """
    node = draw(st.sampled_from(EVERYTHING))
    line, guard = list(node.words), GUARDS.get(node.path, ())
    options = {name: option for name, option in node.options.items() if name not in (*_ELSEWHERE, *guard)}
    if "--json" in options and draw(st.booleans()):
        line.append("--json")
    line += guard
    for name in draw(st.lists(st.sampled_from(sorted(options)), max_size=4)):
        line.append(name)
        if not options[name].is_flag:
            line.append(draw(words))
        elif draw(st.integers(0, 19)) == 0:
            line[-1] += f"={draw(words)}"
    return line + draw(st.lists(words, max_size=1 + len(node.arguments)))


def checked(ended: Ended, command: str = "") -> None:
    """What holds however a command line ends; fails the test where it does not."""
    said = f"{ended.arguments}\ncode {ended.code}\n{ended.out[-2000:]}\n{ended.err[-2000:]}"
    assert ended.code in list(ExitCode), said
    for text in (ended.out, ended.err):
        assert "Traceback" not in text and "a bug of ours" not in text, said
        assert SECRET not in text, said
    if _wants_json(ended.arguments) and ended.out:
        assert _is_json(ended.out) or (_is_stream(ended.arguments) and all(map(_is_json, ended.out.splitlines()))), said
    if ended.code != ExitCode.DONE and not ended.out:
        assert ended.err.strip(), f"it has failed without a word: {said}"


def _wants_json(arguments: tuple[str, ...]) -> bool:
    """Whether `--json` stands where `command_lines` puts it."""
    rest = [argument for argument in arguments if not re.fullmatch(r"[a-z][a-z-]*", argument)]
    return rest[:1] == ["--json"]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _is_stream(arguments: tuple[str, ...]) -> bool:
    return any(command.split()[1:] == list(arguments[: len(command.split()) - 1]) for command in STREAMS)


DOCUMENTS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\n",
    "no text": b"\xff\xfe\x00\x80\x9b",
    "NUL": b"\0" * 64,
    "not closed": b'{"id": "starter", "state": "rea',
    "list": b"[]",
    "null": b"null",
    "number": b"1e400",
    "words": b"hello\n",
    "deep": b"[" * 100_000,
    "own kinds": b'{"id": 1, "name": [], "state": {}, "pid": "x", "options": null, "port": 1e99, "started_at": "soon"}',
    "from later": b'{"version": 99, "id": "starter", "state": "hibernating", "pid": 1, "options": {"target": 3}}',
    "a server": b'{"id": "starter", "name": "starter", "state": "ready", "pid": 999999999, '
    b'"url": "http://127.0.0.1:9", "log_file": "/nowhere/x.log", '
    b'"options": {"target": "starter", "models": 3, "environment_names": [1]}}',
    "a run config": b"version: 2\ndistro_name: mine\napis: [inspect]\nproviders: {}\n",
    "a run config from later": b"version: 99\ndistro_name: mine\nproviders: {}\n",
    "a run config with a key": b"version: 2\ndistro_name: mine\nproviders:\n  inference:\n  - provider_id: openai\n"
    b"    provider_type: remote::openai\n    config: {api_key: " + SECRET.encode() + b"}\n",
    "a run config of other kinds": b"version: two\ndistro_name: [x]\napis: 3\nproviders: [1, {a: b}]\nserver: no\n",
    "recursive": b"a: &a\n  b: *a\n",
    "tabs": b"a:\n\t- b\n",
    "a class": b"!!python/object/apply:os.system ['true']\n",
    "variables": b"A=1\nB\n=C\nexport D='x\n\xff=\xff\nOPENAI_API_KEY=" + SECRET.encode() + b"\n",
    "log": b'{"time": "soon", "level": 3}\n{"time": "2026-01-01T00:00:00Z", "level": "info", "message": "m"}\n{"ti',
}
"""What a file may hold instead of what we wrote."""
_FOLDER, _DANGLING, _CIRCLE = "a folder", "a dangling link", "a link to itself"

PLACES = [
    *("servers/starter.json", "servers/x.json", "servers/.lock", "servers", "distributions", "distributions/mine"),
    *("distributions/starter/run.yaml", "distributions/starter/pylock.toml", "distributions/starter/.venv"),
    *("distributions/mine/run.yaml", "distributions/mine/.source", "distributions/mine/.rendered"),
    *(
        "distributions/starter/logs/starter.log",
        "distributions/x/run.yaml",
        "chat/history",
        "history",
        "models",
        "cache",
    ),
]
"""Below a Llama home."""

broken_homes = st.dictionaries(
    st.sampled_from(PLACES), st.sampled_from([*DOCUMENTS, _FOLDER, _DANGLING, _CIRCLE]), max_size=4
)


def lay(home: Path, places: dict[str, str]) -> None:
    """Make a home like that. A place below one that is no folder is left out."""
    for place, kind in sorted(places.items()):
        path = home / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError, OSError):
            continue
        if path.exists() or path.is_symlink():
            continue
        if kind == _FOLDER:
            path.mkdir()
        elif kind in (_DANGLING, _CIRCLE):
            path.symlink_to("nowhere" if kind == _DANGLING else path.name)
        else:
            path.write_bytes(DOCUMENTS[kind])


def lay_work(folder: Path) -> None:
    """Files in the current folder, for those that take a path."""
    (folder / "folder").mkdir(exist_ok=True)
    for name, kind in {"empty": "empty", "binary": "no text", "broken.yaml": "not closed"}.items():
        (folder / name).write_bytes(DOCUMENTS[kind])
    (folder / "run.yaml").write_bytes(DOCUMENTS["a run config"])


def half_written(folder: Path) -> list[str]:
    """What is left in it of files that were being written."""
    return [str(path) for path in folder.rglob(".*") if is_half_written(path)]


def is_half_written(path: Path) -> bool:
    """Whether it is called as `atomic_write` calls a file before it is whole."""
    return re.fullmatch(r"\..+\.[0-9a-f]{12}", path.name) is not None
