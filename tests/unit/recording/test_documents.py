"""What is recorded is read back as it was, whatever it is; and it can be read by people."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.recording import documents, layout
from runtime.recording.bodies import Held, content_type, readable, written
from runtime.recording.documents import Recording, RecordingError, load, save
from runtime.recording.layout import as_read, laid_out
from runtime.recording.streams import as_events, event_bytes

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
NAMES = TEXTS | st.sampled_from(["$lines", "$file", "$float32", "$number"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(VALUES)
def test_any_value_is_read_as_it_was_laid_out(value: Any) -> None:
    def no_file(_: Any) -> Any:
        raise AssertionError

    assert as_read(json.loads(laid_out(value, no_file)), no_file) == value


def test_what_json_has_not_is_laid_out_as_json_all_the_same() -> None:
    value = {"scores": [float("nan"), float("-inf")], "text": "half \udcff"}
    shown = laid_out(value, str)
    assert repr(as_read(msgspec.json.decode(shown), str)) == repr(value | {"text": "half ?"})


def test_a_vector_of_an_engine_takes_little_room_and_stays_the_same() -> None:
    vector = array("f", [number / 997 for number in range(1024)]).tolist()
    shown = laid_out({"embedding": vector}, str)
    assert len(shown) < len(json.dumps(vector)) / 3 and len(shown.splitlines()) == 3
    assert as_read(json.loads(shown), str) == {"embedding": vector}


@pytest.mark.parametrize("other", [[0.1], [1.0, 1], [1e300], [float("nan")], [1.0, "x"]])
def test_numbers_that_are_not_of_32_bits_are_written_out(other: list[Any]) -> None:
    values = [*other, *([0.5] * 200)]
    assert repr(as_read(json.loads(laid_out(values, str)), str)) == repr(values)


def test_no_one_is_told_to_remove_a_file_that_was_never_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text('{"name": "mine"}')
    with pytest.raises(RecordingError) as caught:
        load(path)
    assert caught.value.hint and caught.value.hint.startswith("give recordings a folder of their own")


def test_a_text_of_several_lines_is_laid_out_line_by_line() -> None:
    shown = laid_out({"content": "one\ntwo\nthree, which makes it long enough to be worth the room"}, str).decode()
    assert shown.splitlines()[3:5] == ['      "one",', '      "two",']


def test_what_is_large_is_not_written_again_for_each_level_that_it_is_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []

    def text(value: Any) -> str:
        found = json.dumps(value, ensure_ascii=False)
        written.append(len(found))
        return found

    monkeypatch.setattr(layout, "_text", text)
    value: Any = [{"text": "llamas " * 20, "kind": "paragraph"}] * 200
    for _ in range(6):
        value = {"inner": value}
    whole = laid_out(value, lambda held: "")
    assert sum(written) < 2 * len(whole)


def test_each_event_of_a_stream_has_a_line() -> None:
    events = [{"data": {"delta": "x" * 200, "index": place}} for place in range(3)]
    lines = laid_out({"events": events}, str).decode().splitlines()
    assert [line for line in lines if '"index"' in line][2] == lines[4] and len(lines) == 7


@given(st.lists(VALUES, max_size=4), st.lists(st.binary(max_size=40), max_size=3))
def test_what_events_are_sent_is_what_comes_back(values: list[Any], noise: list[bytes]) -> None:
    stream = b"".join(b"data: %b\n\n" % json.dumps(value).encode() for value in values)
    once = as_events(stream + b"".join(block + b"\n\n" for block in noise))
    assert as_events(b"".join(map(event_bytes, once))) == once


def test_events_keep_their_names_ids_and_several_lines() -> None:
    stream = b'event: delta\nid: 7\ndata: {"a": 1}\n\n: comment\n\ndata: one\ndata: two\n\ndata: [DONE]\n\n'
    events = as_events(stream)
    assert events == [{"event": "delta", "id": "7", "data": {"a": 1}}, {"data": "one\ntwo"}, {"data": "[DONE]"}]
    assert event_bytes(events[0]) == b'event: delta\nid: 7\ndata: {"a":1}\n\n'
    assert event_bytes(events[1]) == b"data: one\ndata: two\n\n"


def test_a_text_that_looks_like_json_in_quotes_is_sent_again_with_them() -> None:
    stream = b'data: "quoted"\n\n'
    assert b"".join(map(event_bytes, as_events(stream))) == stream


@pytest.mark.parametrize(
    "data, kind, shown",
    [
        (b'{"a": [1.5]}', "application/json; charset=utf-8", {"json": {"a": [1.5]}}),
        (b"a=1&b=x+y", "application/x-www-form-urlencoded", {"fields": [["a", "1"], ["b", "x y"]]}),
        (b"plain", "text/plain", {"text": "plain"}),
        (b"{broken", "application/json", {"text": "{broken"}),
        (b"\x89PNG\0", "image/png", {"bytes": Held(b"\x89PNG\0", ".png")}),
    ],
)
def test_a_body_is_shown_as_what_it_is(data: bytes, kind: str, shown: dict[str, Any]) -> None:
    assert readable(data, kind) == shown
    again = written(shown)
    assert readable(again, kind) == shown


def test_a_form_is_shown_by_its_parts() -> None:
    form = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"content-type: application/octet-stream\r\n\r\n\0\1\2\r\n--b--\r\n"
    )
    [purpose, file] = readable(form, "multipart/form-data; boundary=b")["parts"]
    assert (purpose["name"], purpose["text"]) == ("purpose", "assistants")
    assert (file["filename"], file["bytes"].data) == ("a.bin", b"\0\1\2")


def test_mail_in_a_form_is_kept_as_it_is() -> None:
    head = b'--b\r\ncontent-disposition: form-data; name="file"\r\ncontent-type: message/rfc822\r\n\r\n'
    for mail in (b"Subject: hi\r\n\r\none", b"Subject: hi\r\n\r\nanother\r"):
        [part] = readable(head + mail + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")["parts"]
        assert part["text"].encode() == mail


@pytest.mark.parametrize("name", ['a"b.txt', "\u00fc.txt", "a\r\nx: y", ""])
def test_any_name_of_a_file_stays_within_its_quotes(name: str) -> None:
    shown = {"parts": [{"name": "file", "filename": name, "text": "x"}]}
    [part] = readable(written(shown), content_type(shown, ""))["parts"]
    assert (part["text"], list(part)) == ("x", ["name", "filename", "text"])
    assert part["filename"].replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n") == name


def test_an_event_that_is_no_text_is_shown_as_it_came() -> None:
    events = as_events(b"event: \xff\ndata: 1\n\nid: 3\ndata: 2\n\n")
    assert events == [{"raw": "event: \\xff\ndata: 1"}, {"id": "3", "data": 2}]
    assert as_events(b"".join(map(event_bytes, events)))[1] == events[1]


def recording(**answer: Any) -> Recording:
    return Recording(
        provider="inference/openai",
        request={"method": "POST", "path": "/v1/chat/completions", "json": {"model": "m"}},
        answer=answer or {"status": 200, "json": {"ok": True}},
        scope="tests/test_a.py::test_b",
    )


def test_a_recording_is_read_as_it_was_written_with_its_bytes_beside_it(tmp_path: Path) -> None:
    one = recording(status=200, bytes=Held(b"\0\1", ".wav"))
    save(one, tmp_path / "one.json")
    read = load(tmp_path / "one.json")
    assert (read.provider, read.request, read.answer, read.scope) == (one.provider, one.request, one.answer, one.scope)
    assert [path.suffix for path in documents.files_of(tmp_path / "one.json")] == [".json", ".wav"]
    documents.remove(tmp_path / "one.json")
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_of_a_second_answer_are_not_those_of_the_first(tmp_path: Path) -> None:
    for name in ("one.json", "one-2.json"):
        save(recording(status=200, bytes=Held(name.encode(), ".wav")), tmp_path / name)
    documents.remove(tmp_path / "one.json")
    assert load(tmp_path / "one-2.json").answer["bytes"].data == b"one-2.json"


def test_what_takes_the_place_of_a_recording_leaves_nothing_of_it(tmp_path: Path) -> None:
    for data in (b"before", b"now"):
        save(recording(status=200, bytes=Held(data, ".wav")), tmp_path / "one.json")
    assert load(tmp_path / "one.json").answer["bytes"].data == b"now"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("answer", {"status": "200"}),
        ("answer", {"status": 42}),
        ("answer", {"headers": {"content-type": 5}}),
        ("answer", {"text": 5}),
        ("answer", {"bytes": "one-0123.bin"}),
        ("answer", {"timing": {"began_ms": "soon"}}),
        ("answer", {"timing": {"events_ms": [0, -5]}}),
        ("request", {"fields": [["a", 1]]}),
        ("answer", {"events": {"data": 1}}),
        ("answer", {"events": ["data: 1"]}),
        ("answer", {"status": 99999}),
        ("answer", {"headers": []}),
        ("answer", {"headers": {"content-type": 5}}),
        ("answer", {"timing": {"began_ms": "soon"}}),
        ("answer", {"timing": {"events_ms": 5}}),
        ("answer", {"error": "no"}),
        ("request", {"path": 7}),
        ("request", {"query": ["a=b"]}),
        ("request", {"call": ["x"]}),
    ],
)
def test_a_member_that_is_not_what_it_has_to_be_is_named(part: str, wrong: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    whole = {"schema": 1, "provider": "a/b", "request": {}, "answer": {}}
    path.write_text(json.dumps(whole | {part: wrong}))
    with pytest.raises(RecordingError) as caught:
        load(path)
    assert f"`{part}.{next(iter(wrong))}` is no" in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    "content, said",
    [
        (b"{", "is not JSON"),
        (b"[]", "is no recording: it has no `schema`"),
        (b'{"schema": 1, "provider": "a", "request": {"$lines": ["a"]}, "answer": {}}', "`request` is no object"),
        (b'{"schema": 1, "provider": "a", "request": {}, "answer": {"json": {"$number": "x"}}}', "could not convert"),
        (b'{"schema": 1, "provider": "a", "request": {}, "answer": {"json": {"$float32": "?"}}}', "is damaged: "),
        (b'{"schema": 1, "provider": "a", "request": {}, "answer": {"json": {"$float32": 7}}}', "is damaged: "),
        (b'{"schema": 2}', "has the schema 2; this version of llama reads 1"),
        (b'{"schema": "x"}', "has the schema `x`, which is none"),
        (b'{"schema": 1, "provider": "a/b", "answer": {}}', "lacks `request`"),
        (b'{"schema": 1, "request": {}, "answer": {}}', "lacks `provider`"),
        (b'{"schema": 1, "provider": "a", "request": {}, "answer": {"b": {"$file": "gone"}}}', "`gone` cannot be read"),
        (b'{"schema": 1, "provider": "a", "request": {}, "answer": {"b": {"$file": "../x"}}}', "is not a file beside"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_what_to_do(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        load(path)
    assert said in caught.value.message and str(path) in caught.value.message and caught.value.hint
