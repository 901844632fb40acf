"""The shapes that an `--env-file` has in the wild."""

from __future__ import annotations

import pytest

from llama_cli.servers.variables import parse_env_file
from runtime.errors import Problem


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("export\tK=v", "v"),
        ("export   K='a # b'  # why", "a # b"),
        ('K="a" # why', "a"),
        ('K="it\'s"', "it's"),
        ("K=it's", "it's"),
        ("K=a=b==", "a=b=="),
        ("K=a#b", "a#b"),
        ("K=a\t# why", "a"),
        ("K= # why", ""),
        ("K=a\u2028b\x85c\x0cd", "a\u2028b\x85c\x0cd"),
        ("K=1\nK=2", "2"),
        ("export_K=1\nK=2", "2"),
        ("# comment\n\nK=plain", "plain"),
        ("export K = spaced ", "spaced"),
        ("K='quoted # not a comment'", "quoted # not a comment"),
        ('K="a b"', "a b"),
        ("K=value # comment", "value"),
        ('K="two\\nlines"', "two\nlines"),
        (r"K='two\nlines'", r"two\nlines"),
    ],
)
def test_a_line_is_read_as_it_is_meant(line: str, value: str) -> None:
    problems: list[Problem] = []
    assert (parse_env_file("f", line, {}, problems)["K"], problems) == (value, [])


@pytest.mark.parametrize(
    "line", ["K='-----BEGIN KEY-----", "K='secret\nsecret'", 'K="secret', "K='secret\"", "K='a'secret", 'K="a"b\'']
)
def test_a_quote_that_is_not_closed_is_named_and_not_shown(line: str) -> None:
    problems: list[Problem] = []
    assert parse_env_file("f", f"A=1\n{line}\n", {}, problems) == {"A": "1"}
    [problem] = problems
    assert (problem.line, "the quote that opens the value is not closed" in problem.message) == (2, True)
    assert "secret" not in str(problem)
