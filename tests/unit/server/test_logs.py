"""Log lines: their shape in a file and on a terminal, and the request they belong to."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.context import RequestContext, serving
from runtime.server.logs import JsonLines, Readable, set_up


def record(message: str = "provider started", *arguments: Any, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("runtime.stack", logging.INFO, __file__, 1, message, arguments, None)
    made.created = 1_700_000_000.25
    made.__dict__.update(fields)
    return made


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    line = JsonLines().format(record("%s is\nup", "é", provider_id="openai", count=2, path=Path("x")))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "runtime.stack",
        "message": "é is\nup",
        "provider_id": "openai",
        "count": 2,
        "path": "x",
    }


def test_a_request_s_id_stands_in_its_lines_only() -> None:
    assert json.loads(JsonLines().format(record(request_id="req_1")))["request_id"] == "req_1"
    assert "request_id" not in json.loads(JsonLines().format(record(request_id=None)))


def test_a_failure_brings_its_traceback() -> None:
    made = record(exc_text="Traceback ...\nValueError: x")
    assert json.loads(JsonLines().format(made))["exception"] == "Traceback ...\nValueError: x"
    assert Readable().format(made).endswith("\nTraceback ...\nValueError: x")


def test_a_readable_line_has_the_fields_behind_the_message() -> None:
    assert Readable().format(record(provider_id="openai")).endswith(" info    provider started provider_id=openai")


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("runtime")
    before = root.handlers, root.level, ours.level
    yield
    logging.captureWarnings(False)
    root.handlers, root.level = before[0], before[1]
    ours.setLevel(before[2])


@pytest.mark.usefixtures("logging_as_it_was")
def test_lines_reach_the_file_with_the_request_they_were_said_in(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "server.log"
    listener = set_up("info", file=file, stderr=False)
    log = logging.getLogger("runtime.anything")
    with serving(RequestContext(request_id="req_1")):
        log.info("inside", extra={"n": 1})
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("failed")
    log.info("outside")
    log.debug("too quiet")
    logging.getLogger("somebody.else").info("too quiet")
    logging.getLogger("somebody.else").warning("loud enough")
    listener.stop()
    for handler in listener.handlers:
        handler.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["message"], line.get("request_id")) for line in lines] == [
        *(("inside", "req_1"), ("failed", "req_1")),
        *(("outside", None), ("loud enough", None)),
    ]
    assert lines[1]["exception"].endswith("ValueError: x")


@pytest.mark.usefixtures("logging_as_it_was")
def test_without_a_terminal_stderr_has_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    listener = set_up("debug", file=None, stderr=True)
    logging.getLogger("runtime.x").debug("said")
    listener.stop()
    assert json.loads(capsys.readouterr().err)["message"] == "said"
