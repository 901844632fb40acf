"""Log lines: their shape in a file and on a terminal, and the request they belong to."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.context import RequestContext, serving
from runtime.server import log_targets
from runtime.server.access import AccessLine
from runtime.server.log_writer import LogWriter
from runtime.server.logs import JsonLines, Readable, set_up
from runtime.server.masking import Hidden
from runtime.telemetry.spans import inside
from tests.unit.telemetry._seen import Seen


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
    line = Readable().format(record(request_id="req_1", trace_id="0af7", provider_id="openai"))
    assert line.endswith(" provider started request_id=req_1 provider_id=openai")
    assert Readable().format(record(request_id=None)).endswith(" provider started")
    access = AccessLine(method="GET", path="/", request_id="a\x1b", status=200, created=0, duration_ms=1, overhead_ms=1)
    assert r"GET / request_id=a\x1b status=200" in Readable().format(access)


def test_a_failure_brings_its_traceback() -> None:
    made = record(exc_text="Traceback ...\nValueError: x")
    assert json.loads(JsonLines().format(made))["exception"] == "Traceback ...\nValueError: x"
    assert Readable().format(made).endswith("\nTraceback ...\nValueError: x")


def test_a_readable_line_has_the_fields_behind_the_message() -> None:
    assert Readable().format(record(provider_id="openai")).endswith(" info    provider started provider_id=openai")


def test_nothing_in_a_readable_line_can_steer_a_terminal() -> None:
    made = record(
        "GET /a\x1b[2J\n12:00:00 error forged\u202e", path="\x9b1m\r\u2028", exc_text="Traceback\n\x1b]0;x\x07\tat é"
    )
    assert Readable().format(made).split(" ", 2)[2] == (
        r"info    GET /a\x1b[2J\n12:00:00 error forged\u202e path=\x9b1m\r\u2028" + "\nTraceback\n\\x1b]0;x\\x07\tat é"
    )


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
    writer = set_up("info", file=file, stderr=False, hidden=Hidden())
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
    writer.stop()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["message"], line.get("request_id")) for line in lines] == [
        *(("inside", "req_1"), ("failed", "req_1")),
        *(("outside", None), ("loud enough", None)),
    ]
    assert lines[1]["exception"].endswith("ValueError: x")


@pytest.mark.usefixtures("logging_as_it_was")
def test_without_a_terminal_stderr_has_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    writer = set_up("debug", file=None, stderr=True, hidden=Hidden())
    logging.getLogger("runtime.x").debug("said")
    writer.stop()
    assert json.loads(capsys.readouterr().err)["message"] == "said"


def written(file: Path, writer: LogWriter) -> list[dict[str, Any]]:
    """The lines of the file, once all that was said is in it."""
    writer.stop()
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.usefixtures("logging_as_it_was")
def test_no_line_shows_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "of-the-environment")
    monkeypatch.setenv("PWD", "/a/folder/that/is/no/secret")
    monkeypatch.setenv("SHORT_TOKEN", "disable")
    monkeypatch.setenv("ACME_URL", "http://acme.test")
    hidden = Hidden(['of "the" config\\é', "of-the-environment-and-more", "EMPTY"])
    writer = set_up("info", file=tmp_path / "server.log", stderr=False, hidden=hidden)
    log = logging.getLogger("runtime.anything")
    log.info("sent %s to %s", "of-the-environment", "http://acme.test", extra={"key": 'of "the" config\\é', "n": 5})
    log.info(
        "deep",
        extra={
            "inner": [{"of-the-environment": ("x of-the-environment-and-more",)}],
            "path": Path("of-the-environment"),
        },
    )
    log.info("in an address: postgresql://me:of%20%22the%22%20config%5C%C3%A9@db")
    try:
        raise ValueError('refused of "the" config\\é')
    except ValueError:
        log.exception("disable EMPTY /a/folder/that/is/no/secret")
    plain, deep, address, failed = written(tmp_path / "server.log", writer)
    assert (plain["message"], plain["key"], plain["n"]) == ("sent ******** to http://acme.test", "********", 5)
    assert (deep["inner"], deep["path"]) == ([{"********": ["x ********"]}], "********")
    assert address["message"] == "in an address: postgresql://me:********@db"
    assert failed["message"] == "disable EMPTY /a/folder/that/is/no/secret"
    assert failed["exception"].endswith("ValueError: refused ********")


@pytest.mark.usefixtures("logging_as_it_was")
def test_only_its_owner_may_read_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_targets, "_FILE_BYTES", 1000)
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    for file in (tmp_path / "home" / "logs" / "server.log", shared / "server.log"):
        if file.parent == shared:
            file.write_text("from before\n")
            file.chmod(0o644)
        before = os.umask(0)
        try:
            writer = set_up("info", file=file, stderr=False, hidden=Hidden())
            for _ in range(3):
                logging.getLogger("runtime.anything").info("x" * 900)
            writer.stop()
        finally:
            os.umask(before)
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
        assert set(modes.values()) == {0o600} and {"server.log", "server.log.1"} <= modes.keys()
    assert (tmp_path / "home" / "logs").stat().st_mode & 0o777 == 0o700
    assert shared.stat().st_mode & 0o777 == 0o755  # somebody else's, which we must not shut


@pytest.mark.usefixtures("logging_as_it_was")
def test_what_no_file_can_hold_is_escaped(tmp_path: Path) -> None:
    writer = set_up("info", file=tmp_path / "server.log", stderr=False, hidden=Hidden())
    logging.getLogger("runtime.anything").info("half \udc80")
    (line,) = written(tmp_path / "server.log", writer)
    assert line["message"] == "half \udc80"


class Textless:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.usefixtures("logging_as_it_was")
@pytest.mark.parametrize("secrets", [[], ["a-secret-of-ours"]])
def test_a_line_that_cannot_be_put_together_is_told_and_the_next_ones_are_written(
    tmp_path: Path, secrets: list[str]
) -> None:
    writer = set_up("info", file=tmp_path / "server.log", stderr=False, hidden=Hidden(secrets))
    log = logging.getLogger("somebody.else")
    log.warning("%d models", "a-secret-of-ours")
    log.warning("a field", extra={"of": Textless()})
    log.warning("afterwards")
    lines = written(tmp_path / "server.log", writer)
    assert [line["message"].split(",")[0] for line in lines] == [
        "a log line failed with TypeError", "a log line failed with RuntimeError", "afterwards",
    ]  # fmt: skip
    assert "test_logs.py:" in lines[0]["message"] and lines[0]["logger"] == "somebody.else"


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_line_inside_a_request_has_its_trace(tmp_path: Path) -> None:
    writer = set_up("info", file=tmp_path / "log", stderr=False, hidden=Hidden())
    with inside(span := Seen().begin()):
        logging.getLogger("runtime.stack").info("inside")
    logging.getLogger("runtime.stack").info("outside")
    logging.getLogger("runtime.server.access").handle(access_line(trace_id=span.trace.id))
    writer.stop()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line.get("trace_id") for line in lines] == [span.trace.id, None, span.trace.id]
    assert not any("span_id" in line for line in lines)


def access_line(
    path: str = "/v1/models", request_id: str = "req_1", retries: int = 0, trace_id: str | None = None
) -> AccessLine:
    return AccessLine(
        method="GET", path=path, request_id=request_id, status=200, created=1_700_000_000.25, duration_ms=3.5,
        overhead_ms=0.4, retries=retries, trace_id=trace_id,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/models", '/v1/"quoted"\\', "/v1/é", "/v1/\x1b[2J\u2028", "/v1/\udc80"])
def test_an_access_line_is_the_same_json_as_any_other(path: str) -> None:
    fields = json.loads(JsonLines().format(access_line(path, request_id=path)))
    assert fields == {
        "time": "2023-11-14T22:13:20.250Z", "level": "info", "logger": "runtime.server.access",
        "message": f"GET {path}", "request_id": path, "status": 200, "duration_ms": 3.5, "overhead_ms": 0.4,
    }  # fmt: skip


def test_an_access_line_says_how_often_the_call_was_sent_again() -> None:
    assert json.loads(JsonLines().format(access_line(retries=2)))["retries"] == 2


def test_an_access_line_has_what_other_handlers_ask_of_a_record() -> None:
    layout = "%(levelname)s %(name)s %(lineno)d %(status)d %(message)s"
    assert logging.Formatter(layout).format(access_line()) == "INFO runtime.server.access 0 200 GET /v1/models"


@pytest.mark.usefixtures("logging_as_it_was")
def test_an_access_line_shows_no_secret(tmp_path: Path) -> None:
    writer = set_up("info", file=tmp_path / "server.log", stderr=False, hidden=Hidden(["sk-of-somebody"]))
    logging.getLogger("runtime.server.access").handle(access_line("/v1/models/sk-of-somebody", "sk-of-somebody"))
    (line,) = written(tmp_path / "server.log", writer)
    assert (line["message"], line["request_id"], line["status"]) == ("GET /v1/models/********", "********", 200)


def test_what_is_hidden_is_told_in_its_forms_and_in_those_alone() -> None:
    hidden = Hidden(["a/long secret"])
    for _ in range(3):
        hidden.add(['another "long" one'])
    assert hidden.values == {
        *("a/long secret", "a%2Flong%20secret"),
        *('another "long" one', "another%20%22long%22%20one", r"another \"long\" one"),
    }
