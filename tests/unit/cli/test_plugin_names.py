"""What a test is called to its stack: any id of pytest's is a name that a server takes."""

from __future__ import annotations

import pytest

from llama_cli.testing.asked import Asked
from llama_cli.testing.served import Recorded, RunningStack


class Heard(RunningStack):
    """A stack that only hears which tests begin."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.begun: list[str] = []

    def begin(self, test: str) -> None:
        self.begun.append(test)

    def recorded(self, test: str) -> Recorded | None:
        return None


@pytest.mark.parametrize("test", ["test_a.py::test_b[a/b]", "test_ü.py::test", ""])
def test_a_name_is_kept(test: str) -> None:
    assert named(test) == test


def test_long_names_are_short_and_differ() -> None:
    names = {named(f"test_a.py::test_b[{'é' * 5_000}{end}]") for end in "xy"}
    assert len(names) == 2 and all(len(name) < 1_100 and name.startswith("test_a.py::test_b[é") for name in names)


def test_a_file_whose_name_is_no_text_has_one() -> None:
    assert named("test_\udcff.py::test") == "test_\\udcff.py::test"


def named(test: str) -> str:
    stack = Heard()
    Asked(stack, test).begin()
    return stack.begun[0]
