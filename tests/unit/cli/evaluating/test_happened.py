"""Cases from what was really asked: which become some, what they expect, and which filters the server is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime import clock
from tests.support.evaluation_server import Evaluations, row
from tests.support.schemas import conform

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

NOW = 1_800_000_000
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def completion(number: int, *, answer: Any = "Old answer", messages: Any = None, **facts: Any) -> dict[str, Any]:
    """One that was asked so many seconds ago."""
    message = answer if isinstance(answer, dict) else {"role": "assistant", "content": answer}
    return {
        "id": f"chatcmpl-{number}",
        "created": NOW - number,
        "model": "older",
        "metadata": {},
        "input_messages": messages or [{"role": "user", "content": f"Question {number}?"}],
        "choices": [{"message": message}],
        **facts,
    }


def response(number: int, **facts: Any) -> dict[str, Any]:
    said = {"type": "output_text", "text": f"Answer {number}", "annotations": []}
    return {
        "id": f"resp-{number}",
        "created_at": NOW - number,
        "model": "older",
        "status": "completed",
        "instructions": None,
        "metadata": {"team": "a"},
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"Question {number}?"}]}
        ],
        "output": [{"type": "message", "role": "assistant", "content": [said]}],
        **facts,
    }


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "wall_time", lambda: float(NOW))
    monkeypatch.setattr("llama_cli.evaluating.choosing.wall_time", lambda: float(NOW))


def planned(cli: Cli, *options: str) -> tuple[list[Any], str]:
    """The rows that would be sent, and what is said beside them."""
    words = ["stack", "eval", "run", *options, "-m", "new", "--score", "basic::equality", "--dry-run"]
    ended = cli(*words, "--json")
    conform(ended.json(), "stack-eval-run")
    assert ended.code == 0
    return [one["row"] for one in ended.json()["rows"]], cli(*words).err


def test_the_newest_completions_become_cases_in_their_order(cli: Cli, server: Evaluations) -> None:
    server.kept = [completion(number) for number in range(5)]
    rows, _ = planned(cli, "--from-completions", "--limit", "3")
    assert [one["id"] for one in rows] == ["chatcmpl-2", "chatcmpl-1", "chatcmpl-0"]
    assert rows[2] == {
        "id": "chatcmpl-0",
        "messages": [{"role": "user", "content": "Question 0?"}],
        "answer": "Old answer",
        "former_model": "older",
    }


def test_filters_are_the_server_s(cli: Cli, server: Evaluations) -> None:
    server.kept = [completion(number) for number in (10, 20, 30, 40, 50)]
    rows, _ = planned(
        cli,
        "--from-completions",
        "--since",
        "35s",
        "--from-model",
        "older",
        "--metadata",
        "team=a",
        "--metadata",
        "x=1",
    )
    assert [one["id"] for one in rows] == ["chatcmpl-30", "chatcmpl-20", "chatcmpl-10"]
    first, second = server.asked[:2]
    assert first == {
        "limit": ["100"],
        "order": ["desc"],
        "model": ["older"],
        "metadata[team]": ["a"],
        "metadata[x]": ["1"],
    }
    assert second["after"] == ["chatcmpl-20"]


def test_what_cannot_be_asked_again_is_left_out_and_said(cli: Cli, server: Evaluations) -> None:
    image = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    server.kept = [
        completion(1, answer={"role": "assistant", "content": None, "tool_calls": [CALL]}),
        completion(2, messages=[{"role": "user", "content": "x"}, {"role": "tool", "content": "y"}]),
        completion(3, messages=[{"role": "user", "content": image}]),
        completion(4, answer=""),
        completion(5, messages=[{"role": "user", "content": [{"type": "text", "text": "In parts"}]}]),
    ]
    rows, said = planned(cli, "--from-completions")
    assert [one["messages"][0]["content"] for one in rows] == ["In parts"]
    assert "left out, since no model can be asked it again: 2 calls tools, 1 is no text, 1 has no answer" in said


def test_responses_become_cases_too(cli: Cli, server: Evaluations) -> None:
    server.kept = [
        response(1, instructions="Be brief."),
        response(2, previous_response_id="resp-0"),
        response(3, status="failed"),
        response(4, output=[{"type": "function_call", "name": "f"}]),
        response(5, metadata={"team": "b"}),
    ]
    rows, said = planned(cli, "--from-responses", "--metadata", "team=a")
    assert rows == [
        {
            "id": "resp-1",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Question 1?"}],
            "answer": "Answer 1",
            "former_model": "older",
        }
    ]
    assert "1 continues something, 1 has no answer, 1 calls tools" in said


def test_yesterday_s_questions_are_put_to_a_new_model(cli: Cli, server: Evaluations, tmp_path: Path) -> None:
    suite = tmp_path / "likeness.yaml"
    suite.write_text("model: new\nscoring_functions: [basic::equality]\n")
    server.kept = [completion(1), completion(2)]
    server.upcoming = [row(0), row(1)]
    ended = cli("stack", "eval", str(suite), "--from-completions")
    assert ended.code == 0, ended.err
    dataset = server.seen[0][1]
    assert (dataset["dataset_id"], dataset["purpose"]) == ("eval-likeness", "eval/messages-answer")


@pytest.mark.parametrize("options", [["--from-completions"], ["--from-responses"]])
def test_nothing_to_ask_is_said(cli: Cli, server: Evaluations, options: list[str]) -> None:
    ended = cli("stack", "eval", "run", *options, "-m", "new", "--score", "basic::equality")
    assert ended.code == 1 and "becomes a case" in ended.err and not server.seen


def test_one_source_at_a_time(cli: Cli) -> None:
    ended = cli("stack", "eval", "run", "--from-completions", "--from-responses", "-m", "x", "--score", "y")
    assert ended.code == 2 and "`--from-completions` is given too" in ended.err
    assert cli("stack", "eval", "run").code == 2
