"""Suites: what is read of a file, what the server is given for it, and everything that is wrong with one at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llama_cli.evaluating.suite import Suite
from llama_cli.evaluating.suite_file import read_suite
from runtime.errors import ConfigInvalid

WHOLE = """
name: capitals
model: vendor/small
system: Answer with one word.
sampling: {max_tokens: 20, temperature: 0.5}
scoring_functions:
  - basic::equality
  - basic::regex_parser_math_response: {type: regex_parser, parsing_regexes: ["(.*)"]}
thresholds: {basic::equality: 0.8}
cases:
  - {id: france, category: europe, input: What is the capital of France?, expected: Paris}
  - {input: What is 6 times 7?, expected: 42, weight: 2}
"""


def read(folder: Path, text: str, name: str = "suite.yaml") -> Suite:
    file = folder / name
    file.write_text(text)
    return read_suite(str(file))


def problems(folder: Path, text: str, name: str = "suite.yaml") -> list[str]:
    with pytest.raises(ConfigInvalid) as refused:
        read(folder, text, name)
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]


def test_a_suite_is_a_dataset_a_benchmark_and_a_candidate(tmp_path: Path) -> None:
    suite = read(tmp_path, WHOLE)
    assert suite.dataset() == {
        "dataset_id": "eval-capitals",
        "purpose": "eval/question-answer",
        "source": {
            "type": "rows",
            "rows": [
                {
                    "id": "france",
                    "category": "europe",
                    "question": "What is the capital of France?",
                    "answer": "Paris",
                },
                {"question": "What is 6 times 7?", "answer": "42", "weight": 2},
            ],
        },
    }
    functions = ["basic::equality", "basic::regex_parser_math_response"]
    assert suite.registered() == {
        "benchmark_id": "eval-capitals",
        "dataset_id": "eval-capitals",
        "scoring_functions": functions,
    }
    assert suite.config() == {
        "eval_candidate": {
            "type": "model",
            "model": "vendor/small",
            "sampling_params": {
                "strategy": {"type": "top_p", "top_p": 1.0, "temperature": 0.5},
                "max_tokens": 20,
            },
            "system_message": {"role": "system", "content": "Answer with one word."},
        },
        "scoring_params": {functions[1]: {"type": "regex_parser", "parsing_regexes": ["(.*)"]}},
    }


@pytest.mark.parametrize(
    ("sampling", "strategy"),
    [
        ("{}", {"type": "greedy"}),
        ("{temperature: 0}", {"type": "greedy"}),
        ("{top_p: 0.5}", {"type": "top_p", "top_p": 0.5}),
        ("{top_k: 3}", {"type": "top_k", "top_k": 3}),
    ],
)
def test_sampling_is_told_as_the_api_has_it(tmp_path: Path, sampling: str, strategy: dict[str, Any]) -> None:
    suite = read(tmp_path, f"sampling: {sampling}\ncases: []\n")
    assert suite.sampling.params() == {"strategy": strategy}


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ("{options: {ignore_case: true}}", "basic"),
        ("{parsing_regexes: [a]}", "regex_parser"),
        ("{judge_model: m}", "llm_as_judge"),
        ("{type: basic, parsing_regexes: [a]}", "basic"),
        ("{aggregation_functions: [median]}", None),
    ],
)
def test_the_type_of_params_is_told_by_their_names(tmp_path: Path, params: str, kind: str | None) -> None:
    suite = read(tmp_path, f"model: m\nscoring_functions: {{f: {params}}}\ncases: []\n")
    assert suite.config()["scoring_params"]["f"].get("type") == kind


def test_the_names_of_params_are_those_of_the_api() -> None:
    from llama_cli.evaluating import suite
    from runtime.apis.scoring.params import BasicParams, LLMAsJudgeParams, RegexParserParams

    told = {
        model.model_fields["type"].default: model.model_fields.keys()
        for model in (BasicParams, RegexParserParams, LLMAsJudgeParams)
    }
    shared = {"type", "aggregation_functions"}
    assert {kind: set(names) - shared for kind, names in told.items()} == suite._TYPES


def test_what_an_agent_has_is_said_once(tmp_path: Path) -> None:
    text = "model: m\nsystem: s\nagent: {model: other, instructions: i, sampling_params: {}, toolgroups: [a]}\n"
    assert problems(tmp_path, f"{text}scoring_functions: [f]\ncases: [{{input: x}}]\n") == [
        "suite.yaml:3: agent.model: is said by `model` too (leave one of them out)",
        "suite.yaml:3: agent.instructions: is said by `system` too (leave one of them out)",
    ]
    suite = read(tmp_path, "agent: {model: m, instructions: i}\nscoring_functions: [f]\ncases: [{input: x}]\n")
    assert suite.config()["eval_candidate"] == {"type": "agent", "config": {"model": "m", "instructions": "i"}}


def test_a_suite_of_a_benchmark_has_no_cases(tmp_path: Path) -> None:
    assert problems(tmp_path, "benchmark: b\nmodel: m\ncases:\n- {input: x}\n") == [
        "suite.yaml:4: cases: a suite of a `benchmark` has that one's cases (leave one of them out)"
    ]


def test_one_conversation_makes_all_rows_conversations(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    suite = read(tmp_path, json.dumps({"cases": [{"messages": said, "expected": "x"}, {"input": "Bye"}]}))
    dataset = suite.dataset()
    assert dataset["purpose"] == "eval/messages-answer"
    assert dataset["source"]["rows"] == [
        {"messages": said, "answer": "x"},
        {"messages": [{"role": "user", "content": "Bye"}]},  # the server says which function needs an answer
    ]


def test_a_line_is_a_case_and_one_can_be_the_rest(tmp_path: Path) -> None:
    lines = [
        {"suite": {"model": "m", "scoring_functions": ["basic::equality"]}},
        {"question": "How is \U0001f999 called?", "answer": "llama"},
        {"input": "And?", "expected": 1},
    ]
    text = "\n\n".join(map(json.dumps, lines))
    suite = read(tmp_path, text, "my animals.jsonl")
    assert (suite.name, suite.model, [*suite.scoring_functions]) == ("my-animals", "m", ["basic::equality"])
    assert [(case.input, case.expected) for case in suite.cases] == [
        ("How is \U0001f999 called?", "llama"),
        ("And?", "1"),
    ]
    assert read(tmp_path, text, "lines.txt").cases == suite.cases, "what it is does not depend on its name"


def test_everything_that_is_wrong_is_said_with_its_line(tmp_path: Path) -> None:
    text = """name: my suite
modle: x
sampling: {temperature: 9}
scoring_functions: [basic::equality]
thresholds: {basic::equality: high, basic::other: 0.3}
cases:
  - {id: a, input: x}
  - {id: a, input: x, messages: [{role: user, content: x}]}
  - {expected: y}
  - just text
  - {input: z, generated_answer: 3}
  - messages: [{role: usr, content: x}]
"""
    assert problems(tmp_path, text) == [
        "suite.yaml:1: name: expected text that matches the pattern `^[A-Za-z0-9._-]{1,64}$`, got `my suite`",
        "suite.yaml:2: modle: unknown key `modle` (did you mean `model`?)",
        "suite.yaml:3: sampling.temperature: expected a number of at most 2, got `9`",
        "suite.yaml:5: thresholds.basic::equality: expected a number, got `high`",
        "suite.yaml:5: thresholds.basic::other: `basic::other` is none of its `scoring_functions`: `basic::equality`",
        "suite.yaml:8: cases[1]: has `input` and `messages`, and is one question (write `input: TEXT`, or `messages`"
        " for a conversation)",
        "suite.yaml:8: cases[1].id: `a` is the id of another case, in line 7",
        "suite.yaml:9: cases[2]: asks nothing (write `input: TEXT`, or `messages` for a conversation)",
        "suite.yaml:10: cases[3]: expected a mapping, got `just text`",
        "suite.yaml:11: cases[4].generated_answer: is a column that an evaluation makes (give it another name)",
        "suite.yaml:12: cases[5].messages[0].role: expected `system`, `developer`, `user`, `assistant` or `tool`,"
        " got `usr` (did you mean `user`?)",
    ]


def test_wrong_lines_are_said_with_their_numbers(tmp_path: Path) -> None:
    assert problems(tmp_path, '{"input": "x"}\n\n{bad\n[1]\n{"input": "x", "question": "y"}\n', "a.jsonl") == [
        "a.jsonl:3: not valid JSON: Expecting property name enclosed in double quotes",
        "a.jsonl:4: cases[1]: expected a mapping, got a list",
        "a.jsonl:5: cases[2].question: is the same as `input`",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("- 1\n", "a suite is a mapping with"), ("", "a suite is a mapping with"), ("a: [", "not valid YAML")],
)
def test_what_is_no_suite_is_said_to_be_none(tmp_path: Path, text: str, said: str) -> None:
    [problem] = problems(tmp_path, text)
    assert said in problem
