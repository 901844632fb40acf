"""Whoever stops an answer stops the engine that makes it: `llama chat` and `llama complete` with the embedded model."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.stack_home import Home, Served

pytestmark = pytest.mark.e2e
LIMIT_S = 60.0
TOKENS = 1500
"""More than come before the answer is stopped, and fewer than the model's context holds."""


def engine(stack: Served) -> dict[str, Any]:
    [metrics] = stack.health("meta-reference")["metrics"].values()
    assert isinstance(metrics, dict)
    return metrics


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "words",
    [["chat"], ["chat", "--json"], ["complete"]],
    ids=["chat", "chat as a whole", "complete"],
)
def test_the_engine_stops_with_the_answer(home: Home, own_stack: Served, words: list[str]) -> None:
    model = own_stack.model_of_type("llm")
    assert model is not None and own_stack.chat(model), "it is loaded"
    before = engine(own_stack)
    wanted = ("Tell a long story", "-F", "ignore_eos=true", "--max-tokens", str(TOKENS), "--url", own_stack.url)
    process = home.start(*words, *wanted)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdin = None
    if "--json" in words:
        until(lambda: engine(own_stack)["running"] == 1)
    else:
        assert os.read(process.stdout.fileno(), 100), process.communicate()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    until(lambda: engine(own_stack)["running"] == 0)
    assert engine(own_stack)["generated_tokens"] - before["generated_tokens"] < TOKENS
