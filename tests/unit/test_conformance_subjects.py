"""What the module of a suite states: subjects, and which tests each of them is held to."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.subjects import Kind, pytest_generate_tests, subjects_of


class Asking:
    """What pytest asks about a test. given: the names of the subjects that it is run for, with their marks. on_empty:
    what pytest is told to do with a test for none.
    """

    fixturenames = ("subject",)
    on_empty = ""

    def __init__(self, module: ModuleType, function: Any) -> None:
        self.module, self.function = module, function
        self.given: list[Any] = []
        self.config = self

    def getini(self, name: str) -> str:
        assert name == "empty_parameter_set_mark"
        return self.on_empty

    def parametrize(self, name: str, values: list[Any], *, indirect: bool) -> None:
        assert (name, indirect) == ("subject", True)
        self.given = [(*value.values, *(mark.name for mark in value.marks)) for value in values]


def module(**subjects: Kind) -> ModuleType:
    made = ModuleType("test_acme")
    made.__file__ = "tests/test_acme.py"
    made.__dict__["SUBJECTS"] = subjects
    return made


def made(*args: object) -> Any:
    raise AssertionError("nobody runs it")


def test_a_module_without_subjects_is_told_what_to_state() -> None:
    for empty in (module(), ModuleType("test_acme")):
        with pytest.raises(pytest.Collector.CollectError, match=r"nothing that they are for: state it there, as `SUBJ"):
            empty.__file__ = "tests/test_acme.py"
            subjects_of(empty)


def test_a_test_is_run_for_each_subject_that_claims_all_that_it_needs() -> None:
    slow = Kind(make=made, abilities=frozenset({"chat", "tools"}), marks=(pytest.mark.e2e,))
    stated = module(plain=Kind(make=made, abilities=frozenset({"chat"})), all=slow, nothing=Kind(make=made))

    @needs("chat", "tools")
    def with_tools() -> None: ...

    def whatever() -> None: ...

    asking = Asking(stated, with_tools)
    pytest_generate_tests(asking)  # type: ignore[arg-type]
    assert asking.given == [("all", "e2e")]
    asking = Asking(stated, whatever)
    pytest_generate_tests(asking)  # type: ignore[arg-type]
    assert asking.given == [("plain",), ("all", "e2e"), ("nothing",)]


def test_a_test_that_nobody_claims_says_so_or_fails_where_that_is_wanted() -> None:
    @needs("rerank", "embeddings")
    def reranking() -> None: ...

    asking = Asking(module(plain=Kind(make=made)), reranking)
    pytest_generate_tests(asking)  # type: ignore[arg-type]
    assert asking.given == [("none", "skip")]
    asking.on_empty = "fail_at_collect"
    pytest_generate_tests(asking)  # type: ignore[arg-type]
    assert asking.given == []
