"""Which recording answers a request, what is said where none does, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.recording.documents import Recording
from runtime.recording.hiding import HIDDEN
from runtime.recording.library import Library
from runtime.recording.rules import asked


def request(content: str = "Hi", **body: Any) -> dict[str, Any]:
    json = {"model": "m", "messages": [{"role": "user", "content": content}], **body}
    return {"method": "POST", "server": "http://one", "path": "/v1/chat/completions", "json": json}


def answered(text: str) -> dict[str, Any]:
    return {"status": 200, "json": {"text": text}}


def kept(library: Library, text: str, *, scope: str = "", provider: str = "inference/a", **how: Any) -> Path | None:
    return library.keep(
        Recording(provider=provider, request=request(**how), answer=answered(text), scope=scope), instead=None
    )


def found(library: Library, scope: str = "", provider: str = "inference/a", **how: Any) -> str | None:
    one = library.find(scope, provider, request(**how))
    return None if one is None else one.recording.answer["json"]["text"]


@pytest.mark.parametrize(
    "one, other",
    [
        (request(), request(user="me", metadata={"run": "7"}, store=True)),
        (request(stream=False, n=1, parallel_tool_calls=True, tool_choice="auto"), request()),
        (request(seed=None, tools=None), request()),
        (request(stream=True, stream_options={"include_usage": True}), request(stream=True)),
        (request(temperature=0.7), request(temperature=0.70000004)),
        (request(n=1.0), request(n=1)),
        (request("see file-0123456789abcdef01234567"), request("see file-fedcba987654321001234567")),
        (request("at 2026-11-28T09:00:00Z"), request("at 2025-01-02 10:11:12")),
        (request("Date: Sat, 28 Nov 2026 13:53:55 GMT"), request("Date: Sun, 01 Feb 2026 01:02:03 +0000")),
        (request('{"created_at": 1795874616}'), request('{"created_at": 1795874616123}')),
        (request("Today's date is 2026-11-28."), request("Today's date is 2027-01-02.")),
        (request("Today Date: 28 Nov 2026\n"), request("Today Date: 1 Dec 2026\n")),
        (request("Today is Saturday, November 28, 2026."), request("Today is Sunday, November 29th, 2026.")),
        (request("As of 28/11/2026 14:05"), request("As of 29/11/2026 09:12:01")),
        (request("It is now 14:05."), request("It is now 9:12 pm.")),
        (request(f"run {'0f' * 6}4abc9{'1' * 15}"), request(f"run {'f0' * 6}4cba8{'2' * 15}")),
        (request("score: 0.834523"), request("score: 0.834519")),
        (request() | {"headers": {"x": "1"}}, request() | {"server": "http://127.0.0.1:9"}),
        (request() | {"query": [["key", "a"], ["alt", "sse"]]}, request() | {"query": [["alt", "sse"], ["key", "b"]]}),
    ],
)
def test_what_means_the_same_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert asked(one).key == asked(other).key


@pytest.mark.parametrize(
    "other",
    [
        request("Ho"),
        request(seed=1),
        request(seed=0),
        request(stream=True),
        request(parallel_tool_calls=False),
        request(n=2),
        request(temperature=0.71),
        request("file-0123456789abcdef01234567 file-0123456789abcdef01234567"),
        request() | {"path": "/v1/completions"},
        request() | {"query": [["alt", "sse"]]},
    ],
)
def test_what_means_something_else_is_not(other: dict[str, Any]) -> None:
    assert asked(request("file-0123456789abcdef01234567 file-fedcba987654321001234567")).key != asked(other).key
    assert asked(request()).key != asked(other).key


def test_vectors_are_the_same_if_they_are_near(tmp_path: Path) -> None:
    vector = [0.1 * place for place in range(20)]
    library = Library(tmp_path)
    library.keep(Recording(provider="x/y", request=request(vector=vector), answer=answered("near")))
    near = [number + 1e-5 for number in vector]
    assert library.find("", "x/y", request(vector=near)) is not None
    assert library.find("", "x/y", request(vector=vector[::-1])) is None
    assert library.miss("", "x/y", request(vector=vector[::-1])).differences[0].path == "(vectors)"


@pytest.mark.parametrize(
    "one, other",
    [
        ("born on 2026-11-28", "born on 2026-11-29"),
        ("today I saw 28 llamas", "today I saw 29 llamas"),
        ("now count to 10", "now count to 20"),
        ("today we look at the year 1990", "today we look at the year 1991"),
    ],
)
def test_a_day_that_is_asked_about_is_none_that_passes(one: str, other: str) -> None:
    assert asked(request(one)).key != asked(request(other)).key


VECTORS = [[sign * 1.0, *([0.5] * 20)] for sign in (1, -1)]


def test_a_vector_may_have_whole_numbers_among_others_and_tokens_are_none() -> None:
    first, second = (asked(request(vector=[0, 1, *([0.25 + noise] * 20)])) for noise in (0, 1e-6))
    assert first.key == second.key and len(first.vectors) == 1
    assert asked(request(tokens=[1] * 20)).key != asked(request(tokens=[2] * 20)).key


def test_requests_with_vectors_that_are_far_apart_are_kept_beside_each_other(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for vector in VECTORS:
        kept(library, "nothing found", vector=vector)
    again = Library(tmp_path)
    kept(again, "one", vector=VECTORS[0])
    kept(again, "two", vector=VECTORS[0])
    last = Library(tmp_path)
    assert [found(last, vector=vector) for vector in (*VECTORS, *VECTORS)] == [
        "one", "nothing found", "two", "nothing found",
    ]  # fmt: skip


def test_the_recording_of_the_very_same_request_comes_before_those_that_the_rules_make_equal(tmp_path: Path) -> None:
    library, asked_for = Library(tmp_path), ("is 0.12345 much?", "is 0.99999 much?")
    for content, text in zip(asked_for, ("no", "yes"), strict=True):
        kept(library, text, content=content)
    again = Library(tmp_path)
    assert [found(again, content=content) for content in reversed(asked_for)] == ["yes", "no"]
    other = again.find("", "inference/a", request(asked_for[0]))
    assert other is not None and other.rule == "to the letter"
    assert found(Library(tmp_path), content="is 0.55555 much?") == "no"


def test_a_recording_whose_secrets_are_hidden_answers_who_does_not_hide_them(tmp_path: Path) -> None:
    library = Library(tmp_path)
    kept(library, "hi", content=f"I am {HIDDEN}, of {HIDDEN}.", key=HIDDEN)
    again = Library(tmp_path)
    one = again.find("", "inference/a", request("I am Ada, of of here.", key="k"))
    assert one is not None and one.rule == "the same but for what is hidden"
    for other in ("I am Ada.", "I am , of x.", "I am Ada, of x", "Am I Ada, of x."):
        assert again.find("", "inference/a", request(other, key="k")) is None


def test_a_test_may_be_called_as_a_file_is(tmp_path: Path) -> None:
    kept(Library(tmp_path), "x", scope="reads config.json")
    assert found(Library(tmp_path), "reads config.json") == "x"


def test_a_request_that_is_asked_again_gets_the_next_answer_and_the_last_one_for_ever(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for text in ("pending", "pending", "done"):
        kept(library, text)
    assert len(library) == 2  # the same answer twice in a row is one recording
    again = Library(tmp_path)
    assert [found(again) for _ in range(4)] == ["pending", "done", "done", "done"]
    again.begin("")
    assert found(again) == "pending"


def test_ten_answers_come_in_their_order(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for number in range(12):
        kept(library, str(number))
    again = Library(tmp_path)
    assert [found(again) for _ in range(12)] == [str(number) for number in range(12)]


def test_a_test_has_its_own_answers_first_then_those_of_none_then_those_of_others(tmp_path: Path) -> None:
    library = Library(tmp_path)
    kept(library, "own", scope="a.py::test_a")
    kept(library, "nobody's")
    kept(library, "other's", content="Ho", scope="a.py::test_b")
    again = Library(tmp_path)
    assert found(again, "a.py::test_a") == "own"
    assert found(again, "a.py::test_c") == "nobody's"
    last = again.find("a.py::test_a", "inference/a", request("Ho"))
    assert last is not None and last.rule == "another test's" and last.recording.answer == answered("other's")


def test_where_several_fit_the_rule_that_decided_is_said(tmp_path: Path) -> None:
    library = Library(tmp_path)
    kept(library, "a's", provider="inference/a")
    library.keep(Recording(provider="inference/b", request=request(), answer=answered("b's")))
    again = Library(tmp_path)
    one = again.find("", "inference/b", request())
    assert one is not None and (one.recording.answer, one.rule) == (answered("b's"), "the same provider")
    other = again.find("", "inference/c", request())
    assert other is not None and "answer 1 of 2" in other.rule


def test_recording_again_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    first = Library(tmp_path)
    kept(first, "old 1")
    kept(first, "old 2")
    kept(first, "other", content="Ho")
    second = Library(tmp_path)
    kept(second, "new")
    again = Library(tmp_path)
    assert [found(again), found(again)] == ["new", "new"]
    assert found(again, content="Ho") == "other"


def test_the_last_attempt_of_a_call_takes_the_place_of_those_before(tmp_path: Path) -> None:
    library = Library(tmp_path)
    one = Recording(provider="a/b", request=request(), answer={"status": 429, "json": {}})
    path = library.keep(one)
    library.keep(Recording(provider="a/b", request=request(), answer=answered("fine")), instead=path)
    assert [found(Library(tmp_path)), len(Library(tmp_path))] == ["fine", 1]


def test_the_nearest_is_one_that_could_have_answered(tmp_path: Path) -> None:
    library = Library(tmp_path)
    spain = kept(library, "x", content="What is the capital of Spain?", scope="one", provider="inference/a")
    none = kept(library, "x", content="Say a word.", provider="inference/b")
    asked = request("What is the capital of France?")
    assert library.miss("", "inference/a", asked).nearest == spain, "without a test those of all tests answer"
    assert library.miss("two", "inference/a", asked).nearest == none, "those of other tests come last"
    france = kept(library, "x", content="What is the capital of France, please?", provider="inference/b")
    assert library.miss("", "inference/a", asked).nearest == spain, "the same provider comes first"
    assert library.miss("two", "inference/a", asked).nearest == france


def test_a_miss_names_the_nearest_recording_and_each_member_that_differs(tmp_path: Path) -> None:
    library = Library(tmp_path)
    near = kept(library, "1", content="What is the capital of France? Answer in one word.")
    kept(library, "2", content="Something else entirely")
    miss = library.miss("t", "inference/a", request("What is the capital of Spain? Answer in one word.", seed=3))
    assert miss.nearest == near
    assert [one.path for one in miss.differences] == ["json.messages[0].content", "json.seed"]
    assert "'What is the capital of Spain? Answer in one word.'" in miss.words
    assert "json.seed: recorded (absent), asked 3" in miss.words
    other = library.miss("", "inference/a", {"call": "embeddings", "json": {}})
    assert other.nearest is None and other.words.endswith("nor is there anything like it")


def test_a_difference_deep_in_a_long_text_is_shown_where_it_is(tmp_path: Path) -> None:
    library = Library(tmp_path)
    long = "word " * 400
    kept(library, "1", content=f"{long}first {long}")
    [one] = library.miss("", "inference/a", request(f"{long}second {long}")).differences
    assert "first" in one.recorded and "second" in one.asked and len(one.asked) < 130


def test_the_parameters_of_a_test_are_no_folders(tmp_path: Path) -> None:
    path = kept(Library(tmp_path), "x", scope="tests/test_a.py::TestB::test_c[txt=ollama/llama3.2:3b-None]")
    assert path is not None
    *folders, name, _ = path.relative_to(tmp_path).parts
    assert folders == ["tests", "test_a.py", "TestB"] and name.startswith("test_c[txt-ollama-llama3.2-3b-None]")


@pytest.mark.parametrize("scope", ["../../etc/passwd::x", "a/b.py::test[../..]", "t" * 500, "Ä/ö.py::ü", "a\0b"])
def test_no_test_s_name_leads_out_of_the_folder(scope: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    library = Library(folder)
    path = kept(library, "x", scope=scope)
    assert path is not None and folder in path.resolve().parents
    assert found(Library(folder), scope) == "x"


def test_providers_with_one_name_in_two_apis_have_their_own(tmp_path: Path) -> None:
    library = Library(tmp_path)
    kept(library, "of inference", provider="inference/a")
    kept(library, "of safety", provider="safety/a")
    again = Library(tmp_path)
    assert found(again, provider="inference/a") == "of inference" and found(again, provider="safety/a") == "of safety"
