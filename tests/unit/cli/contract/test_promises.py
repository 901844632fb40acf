"""Every promise of the command line, in promises.toml, has a test, or says why it has none."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[4]
SECTIONS = ["output", "exit codes", "errors", "input", "help", "speed", "changing", "servers", "ci", "trust"]
STATED = tomllib.loads(Path(__file__).with_name("promises.toml").read_text())


class Promise(NamedTuple):
    """One promise. tests: names of test functions; why: why nothing holds it."""

    says: str
    tests: tuple[str, ...] = ()
    why: str = ""


PROMISES = [
    Promise(says, **held) if isinstance(held, dict) else Promise(says, tuple(held))
    for section in STATED.values()
    for says, held in section.items()
]


_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


@cache
def known_tests() -> frozenset[str]:
    """The names of all test functions, wherever they lie."""
    files = (ROOT / "tests").rglob("test_*.py")
    return frozenset(name for file in files for name in _TEST.findall(file.read_text()))


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.says)
def test_a_promise_has_a_test(promise: Promise) -> None:
    if promise.why:
        pytest.skip(f"{promise.says}: {promise.why}")
    assert promise.tests, "it names a test, or says `why`"
    assert set(promise.tests) <= known_tests(), f"renamed? {set(promise.tests) - known_tests()}"


def test_every_section_is_there() -> None:
    assert list(STATED) == SECTIONS
    assert all(STATED.values())
