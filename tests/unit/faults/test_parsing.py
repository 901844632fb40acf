"""The language of faults, and what is said of a text that is none of it."""

from __future__ import annotations

import pytest

from runtime.errors import ConfigInvalid
from runtime.faults.parsing import HEADER, Fault, check_providers, closest, read_faults

NAMES = {"inference/openai": True, "files/openai": True, "vector_io/chromadb": True, "prompts/builtin": False}


def test_the_text_of_the_manual() -> None:
    [openai, chromadb] = read_faults(
        ["openai: 429 10%, timeout 2%, cut-stream 1%, slow 3s, bad-json 1%; chromadb: down 5s"]
    )
    assert openai.provider == "openai" and openai.faults == (
        Fault(name="429", kind="status", status=429, share=0.1),
        Fault(name="timeout", kind="timeout", share=0.02),
        Fault(name="cut-stream", kind="cut-stream", share=0.01),
        Fault(name="slow 3s", kind="slow", seconds=3.0),
        Fault(name="bad-json", kind="bad-json", share=0.01),
    )
    assert chromadb.faults == (Fault(name="down", kind="down", seconds=5.0),)


def test_how_often() -> None:
    [rule] = read_faults([" a : 503 every 3 ,timeout first 2, unreachable , down ,slow 1m30s 0.5%"])
    assert [(fault.every, fault.first, fault.share, fault.seconds) for fault in rule.faults] == [
        (3, 0, 1.0, None), (0, 2, 1.0, None), (0, 0, 1.0, None), (0, 0, 1.0, None), (0, 0, 0.005, 90.0),
    ]  # fmt: skip
    every, first = rule.faults[:2]
    assert [number for number in range(1, 8) if every.is_due(number)] == [3, 6]
    assert [number for number in range(1, 8) if first.is_due(number)] == [1, 2]


def test_the_closest_entry_counts_alone() -> None:
    rules = read_faults(["*: 500; openai: 429", "inference/openai: timeout"])
    found = {name: [one.name for one in closest(rules, name, of_every=of_every)] for name, of_every in NAMES.items()}
    assert found == {
        "inference/openai": ["timeout"], "files/openai": ["429"], "vector_io/chromadb": ["500"], "prompts/builtin": [],
    }  # fmt: skip


def test_nothing_is_said_to_go_wrong_but_by_header() -> None:
    assert read_faults(["header"]) == ()
    assert [rule.provider for rule in read_faults([" header ", "a: 500"])] == ["a"]


WRONG = {
    "": ["nothing is said to go wrong", "is a variable not set"],
    "openai 429": ["`openai 429` does not say which provider", "openai: 429 10%, slow 3s; chromadb: down 5s"],
    ": 429": ["does not say which provider"],
    "openai:": ["`openai`: a fault is missing", "400 to 599, timeout, unreachable"],
    "openai: 429,": ["`openai`: a fault is missing"],
    "openai: 429; openai: 500": ["`openai` has two entries", "with commas"],
    "openai: 200": ["`openai`: 200 is not the status of a failure", "400 to 599"],
    "openai: ٤٢٩": ["`٤٢٩` is no fault"],
    "openai: timout": ["`openai`: `timout` is no fault", "did you mean `timeout`?"],
    "openai: explode": ["`openai`: `explode` is no fault", "a fault is 400 to 599"],
    "openai: slow": ["`slow` does not say how slow", "as in `slow 3s`"],
    "openai: slow 10%": ["`slow` does not say how slow"],
    "openai: slow 3x": ["`3x` is not a duration", "`1m30s`"],
    "openai: slow 25h": ["`25h` is longer than a day"],
    "openai: timeout 30s": ["`timeout` has no duration", "`slow 30s, timeout` waits first"],
    "openai: 429 10": ["`429 10` does not say how often", "`10%`, `every 3` or `first 2`"],
    "openai: 429 every 0": ["`429 every 0` does not say how often"],
    "openai: 429 120%": ["`120%` is no share of requests"],
    "openai: 429 0%": ["`0%` is no share of requests"],
    "openai: 429 60%, timeout 50%": ["the shares of 429, timeout add up to 110%", "100% at most"],
    "openai: 429, timeout": ["the shares of 429, timeout add up to 200%"],
    "openai: cut-stream, bad-json 1%": ["the shares of cut-stream, bad-json add up to 101%"],
    "openai: down 10%": ["`down` is for all requests", "write `unreachable 10%`"],
    "openai: down 5s 10%": ["`down` is for all requests"],
    f"openai: {'x' * 500}": [f"`{'x' * 60}...` is no fault"],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_text(text: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        read_faults([text])
    [problem] = raised.value.problems
    said = f"{problem.message} {problem.hint}"
    assert problem.path == "--inject" and [words for words in WRONG[text] if words not in said] == []


def test_counted_faults_are_no_shares_and_answers_are_shared_out_for_themselves() -> None:
    assert read_faults(["a: 429 first 2, 503 every 5, 500 60%, timeout 40%, cut-stream 70%, bad-json 30%, slow 1s"])


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        read_faults(["openai: 429 ten, slwo 3s; chromadb", "pgvector: down 5"])
    assert [problem.message.partition(":")[0] for problem in raised.value.problems] == [
        "`openai`", "`openai`", "`chromadb` does not say which provider",
    ]  # fmt: skip


def test_a_request_is_not_down_by_itself() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        read_faults(["openai: down 5s"], where=HEADER)
    [problem] = raised.value.problems
    assert (problem.path, problem.hint) == (HEADER, "write `unreachable`")


def test_a_provider_that_there_is_not_is_named_with_the_nearest_or_how_to_turn_it_on() -> None:
    rules = read_faults(["opnai: 429; inference/opena: 429; groq: 429; *: 500; openai: 500; vector_io/chromadb: down"])
    with pytest.raises(ConfigInvalid) as raised:
        check_providers(rules, NAMES, {"groq": "set GROQ_API_KEY"})
    assert [(problem.message, problem.hint) for problem in raised.value.problems] == [
        ("there is no provider `opnai`", "did you mean `openai`?"),
        ("there is no provider `inference/opena`", "did you mean `inference/openai`?"),
        ("there is no provider `groq`", "provider `groq` is off: set GROQ_API_KEY, and start the server again"),
    ]
