"""The command line in a Llama home of its own, as if in a pipe; asked servers get no key."""

import pytest

from llama_cli.asking import ask
from tests.support.command_runner import cli

__all__ = ["cli"]


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ask.KEY_VARIABLE, raising=False)
