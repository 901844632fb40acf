"""A command line, and a server of evaluations for it to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llama_cli.asking import evaluations
from tests.support.command_runner import cli
from tests.support.evaluation_server import Evaluations, evaluation_server

__all__ = ["cli"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, cli: object) -> Iterator[Evaluations]:
    monkeypatch.setattr(evaluations, "_POLL_S", 0)
    with evaluation_server() as running:
        monkeypatch.setenv("LLAMA_STACK_URL", running.url)
        yield running
