"""What is to be sent waits in a queue, and nobody waits for it: not for a collector that is down, nor at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from runtime.telemetry.otlp import sending
from runtime.telemetry.otlp.sending import Ending, Outlet, Sender, is_sending
from runtime.telemetry.otlp.settings import Batching

LIMIT_S = 20.0


class Taking:
    """Implements `Outlet`. failures: why it fails, first. gate: what it waits for."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failures: list[str | None] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_asked = threading.Event()
        self.has_been_told = False
        self.trouble: str | None = None

    def send(self, items: Sequence[int]) -> str | None:
        self.is_asked.set()
        self.gate.wait(LIMIT_S)
        assert is_sending()
        if self.failures and (failure := self.failures.pop(0)) is not None:
            return failure
        self.batches.append(list(items))
        return None

    def stop(self) -> None:
        self.has_been_told = True
        self.gate.set()


def sender_by(
    load: Callable[[], Outlet[int]], *, most: int = 100, at_once: int = 3, ending: Ending | None = None
) -> Sender[int]:
    return Sender("traces", "http://collector", load, Batching(0.001, most, at_once), ending or Ending())


def test_all_of_it_is_sent_in_batches_and_the_thread_ends() -> None:
    taking = Taking()
    sender = sender_by(lambda: taking)
    sender.put(range(8))
    sender.close()
    sender.close()
    assert [number for batch in taking.batches for number in batch] == [*range(8)]
    assert max(map(len, taking.batches)) <= 3
    assert taking.has_been_told and not is_sending()


def test_what_is_never_used_starts_no_thread() -> None:
    sender_by(pytest.fail).close()


def test_more_than_the_queue_holds_is_lost_and_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    taking = Taking()
    taking.gate.clear()
    sender = sender_by(lambda: taking, most=5, at_once=5)
    sender.put(range(5))
    assert taking.is_asked.wait(LIMIT_S)
    sender.put(range(5, 100))
    taking.gate.set()
    sender.close()
    assert sorted(number for batch in taking.batches for number in batch) == [*range(10)]
    assert [record.getMessage() for record in caplog.records] == ["more happens than can be sent: some of it is lost"]
    assert caplog.records[0].__dict__["lost"] == 90


def test_a_failure_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    taking = Taking()
    taking.failures = ["refused", "refused", None]
    sender = sender_by(lambda: taking, at_once=1)
    sender.put(range(3))
    sender.close()
    failed, again = caplog.records
    assert (failed.levelname, failed.getMessage()) == ("WARNING", "what has happened cannot be sent")
    assert {"signal": "traces", "collector": "http://collector", "error": "refused"}.items() <= failed.__dict__.items()
    assert failed.__dict__["hint"] == "`OTEL_TRACES_EXPORTER=none` turns it off"
    assert (again.levelname, again.getMessage(), again.__dict__["lost"]) == (
        *("INFO", "what has happened is sent again"),
        2,
    )


def test_what_cannot_be_loaded_is_said_and_nothing_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Outlet[int]:
        raise ImportError("no such package")

    sender = sender_by(load)
    sender.put([1])
    sender.close()
    sender.put([2])
    assert [record.__dict__["error"] for record in caplog.records] == ["no such package"]


@pytest.mark.parametrize("trouble", [None, "refused"])
def test_the_end_waits_only_a_moment_for_a_collector_that_does_not_answer(
    trouble: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "LAST_S", LIMIT_S if trouble else 0.05)
    taking = Taking()
    taking.trouble = trouble
    taking.gate.clear()
    sender = sender_by(lambda: taking)
    sender.put([1])
    assert taking.is_asked.wait(LIMIT_S)
    began = time.monotonic()
    sender.close()
    assert time.monotonic() - began < LIMIT_S / 2
    assert taking.has_been_told
    assert [record.getMessage() for record in caplog.records] == ["the last of what has happened was not sent in time"]
    assert caplog.records[0].__dict__.get("error") == trouble


def test_the_end_of_all_of_them_together_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces, metrics and logs of one server end one after another, and have 3 seconds with all else."""
    monkeypatch.setattr(sending, "LAST_S", 0.5)
    monkeypatch.setattr(sending, "_LAST_FAILING_S", 0.01)
    ending, taken_s = Ending(), []
    for _ in range(3):
        taking = Taking()
        taking.gate.clear()
        sender = sender_by(lambda taking=taking: taking, ending=ending)  # type: ignore[misc]
        sender.put([1])
        assert taking.is_asked.wait(LIMIT_S)
        began = time.monotonic()
        sender.close()
        taken_s.append(time.monotonic() - began)
        assert taking.has_been_told
    assert taken_s[0] >= 0.5
    assert max(taken_s[1:]) < 0.5, taken_s
