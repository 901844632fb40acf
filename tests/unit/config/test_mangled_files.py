"""Files that were damaged, cut off or written by hand in a hurry: read, or refused in our words, and nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_cli.servers.variables import parse_env_file
from runtime.config.loading import parse_run_config
from runtime.config.older.build_config import is_build_config, parse_build_config
from runtime.config.text import read_text
from runtime.errors import ConfigInvalid, NotFound, Problem, RequestError
from runtime.stack.plan import plan, read_run_config

RUN_YAML = """\
version: 2
distro_name: &name starter
apis: [inference, infrence]
providers:
  inference:
  - provider_id: ${env.OPENAI_API_KEY:+openai}
    provider_type: remote::openai
    config: {api_key: "${env.OPENAI_API_KEY:=}", base_url: '${env.X:http://h{1}/v1}'}
  - provider_id: own
    provider_type: inline::meta-reference
models:
- {model_id: a, provider_id: all}
metadata_store: {type: sqlite, db_path: ~/x.db}
storage:
  backends: {kv_default: {type: kv_sqlite}}
server: {port: "${env.PORT:=8321}", cors: true, workers: 1}
container_image: *name
"""
BUILD_YAML = """\
distribution_spec:
  description: Quick
  providers: {inference: [remote::ollama, {provider_type: inline::meta-reference}], safety: []}
additional_pip_packages: [aiosqlite]
image_type: venv
"""
PIECES = [
    *(
        "\0",
        "\t",
        "\r",
        "\n---\n",
        "\ufeff",
        "\x1b[31m",
        "&a",
        "*a",
        "*name",
        "!!python/name:os.system",
        "!!int ''",
        "!x",
    ),
    *("<<: ", "${env.", "${env.A:=", "}", "{", "[", "]", "'", '"', '"\\ud800"', "? ", "- ", ": ", "#", "%YAML 9.9\n"),
    *("0x" + "f" * 20_000, "1:" * 200 + "0.5", ".nan", "~", "=", "null", "__disabled__", "9" * 5000, "[" * 200, "é"),
]
fast = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def mangled(draw: st.DrawFn, text: str) -> bytes:
    """The text with up to three places cut out, replaced or moved."""
    for _ in range(draw(st.integers(0, 3))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        if draw(st.booleans()):
            end = min(end, start + 5)
        text = text[:start] + draw(st.sampled_from([*PIECES, text[start:end], ""])) + text[end:]
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "latin-1"])), "replace")
    return content + draw(st.sampled_from([b"", b"", b"\xff", b"\x80"]))


@fast
@given(content=mangled(RUN_YAML), to_build=st.booleans())
def test_a_mangled_run_config_is_read_or_refused(content: bytes, to_build: bool, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigInvalid, NotFound, RequestError):
        plan(read_run_config(file, {"A": "1", "PORT": "tcp://10.0.0.1:1"}, to_build=to_build))


@fast
@given(content=mangled(BUILD_YAML))
def test_a_mangled_build_config_is_read_or_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "build.yaml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigInvalid, NotFound, RequestError):
        text = read_text(file)
        is_build_config(text)
        parse_build_config(text)


@fast
@given(content=mangled("# keys\nexport A='a b'\nB=\"c\" # why\nC\nD=e=f\r\nE=\n"))
def test_a_mangled_env_file_is_read_or_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_bytes(content)
    problems: list[Problem] = []
    with contextlib.suppress(ConfigInvalid):
        found = parse_env_file("keys.env", read_text(file), {"C": "c"}, problems)
        assert all(name.isidentifier() and "\n" not in value for name, value in found.items())
    assert all(problem.line for problem in problems)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: x\x01\n", 2, "not valid YAML: unacceptable character"),
        ("a:\n\tb: 1\n", 2, "not valid YAML: "),
        ("a: 1\n---\nb: 1\n", 2, "not valid YAML: expected a single document"),
        ("\n".join(" " * depth + "a:" for depth in range(120)), 101, "the document is nested too deeply"),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, "the tag `tag:yaml.org,2002:python/object/apply:os.sys"),
        ("a: 1\nb: !!set {x}\n", 2, "the tag `tag:yaml.org,2002:set` is not supported"),
        ("a: 1\nb: !!int ''\n", 2, "is not of the type that its tag `int` says"),
        ("a: 1\nb: 0x" + "f" * 5000, 2, "is too large a number"),
        ("a: 1\nb: .inf\n", 2, "is not a finite number"),
        ("a: 1\nb: -1.0e+999\n", 2, "is not a finite number"),
        ('a: 1\nb: "\\ude00\\ud83d"\n', 2, "contains half of a surrogate pair"),
        ('a: 1\nb: "\\ud800"\n', 2, "contains half of a surrogate pair"),
        ('a: 1\n"\\ud800": 1\n', 2, "a key contains half of a surrogate pair"),
        ("a: 1\na: 2\n", 2, "`a` is given twice, first in line 1"),
    ],
)
def test_what_a_config_must_not_hold_is_named_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(text, file="run.yaml", env={})
    assert [problem.line for problem in raised.value.problems if problem.message.startswith(message)] == [line]
