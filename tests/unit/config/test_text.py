"""Text files as users have them: streams, encodings, and what is no text at all."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from runtime.config.text import is_stdin, is_stream, read_text, shown
from runtime.errors import AccessDenied, ConfigInvalid, NotFound

TEXT = "distro_name: é\nproviders: {}\n"


def refused(path: Path) -> tuple[int | None, str]:
    with pytest.raises(ConfigInvalid) as raised:
        read_text(path)
    [problem] = raised.value.problems
    assert problem.file == str(path)
    return problem.line, problem.message


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode("utf-8-sig"),
    ],
)
def test_a_mark_and_line_ends_of_other_systems_change_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read_text(tmp_path / "f") == TEXT


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (TEXT.encode("utf-16"), None, "is UTF-16, not UTF-8"),
        (TEXT.encode("utf-16-le"), None, "is UTF-16LE, not UTF-8"),
        (TEXT.encode("utf-16-be"), None, "is UTF-16BE, not UTF-8"),
        (
            b"\x7fELF\x02\x01\x01" + bytes(200),
            1,
            "contains a null character, so it is not text or was damaged",
        ),  # a program is no UTF-16
        (TEXT.encode("utf-32"), None, "is UTF-32, not UTF-8"),
        (b"a: 1\r\nb: " + "é\n".encode("latin-1"), 2, "is not UTF-8: byte 0xe9 is not valid there"),
        (b"a: 1\nb: 2\nc: \0\n", 3, "contains a null character, so it is not text or was damaged"),
        (b"x" * (16 * 2**20 + 1), None, "is larger than 16 MiB"),
    ],
)
def test_what_is_no_utf_8_is_named_with_its_line(
    content: bytes, line: int | None, message: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(content)
    assert refused(tmp_path / "f") == (line, message)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert refused(tmp_path) == (None, "cannot be read: Is a directory")
    with pytest.raises(NotFound):
        read_text(tmp_path / "nowhere")
    with pytest.raises(ConfigInvalid, match="cannot be read: Bad file descriptor"):
        read_text("/dev/fd/987")


def test_a_pipe_is_read_by_its_descriptor() -> None:
    reader, writer = os.pipe()
    os.write(writer, TEXT.encode("utf-8-sig"))
    os.close(writer)
    assert read_text(f"/dev/fd/{reader}") == TEXT
    assert read_text(f"/dev/fd/{reader}") == "", "the descriptor stays open, and what was in it is read"
    os.close(reader)


def test_a_named_pipe_is_read_once_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(TEXT, "utf-8"))
    writing.start()
    assert is_stream(str(pipe))
    assert read_text(pipe) == TEXT
    writing.join(10)
    assert pipe.is_fifo()


def test_standard_input_has_a_name_and_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-8-sig")), encoding="ascii"))
    assert read_text("-") == TEXT
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ConfigInvalid, match="standard input: cannot be read: it is closed"):
        read_text("-")


def test_what_is_not_ours_to_read_is_no_fault_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions stop nobody who is root, as tests in containers are.
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    with pytest.raises(AccessDenied, match=r"you may not read `run\.yaml`"):
        read_text("run.yaml")


def test_names_of_streams(tmp_path: Path) -> None:
    assert all(is_stdin(name) for name in ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"))
    assert [is_stream(name) for name in ("/dev/fd/63", "/proc/self/fd/7", "./-", str(tmp_path), "a\0b")] == [
        *(True, True, False, False, False)
    ]
    assert (shown("/dev/stdin"), shown("run.yaml")) == ("standard input", "run.yaml")
