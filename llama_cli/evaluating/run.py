"""A run as it is shown: its rows with what was asked, answered and scored, from a server or from a saved document.

A row that could not be answered or scored has an error in place of a score, and counts as no score at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from llama_cli.asking.evaluations import SUITES, time_of
from llama_cli.exits import ExitCode, Failure
from runtime.config.text import as_meant, read_text, shown

_ASKED = ("messages", "chat_completion_input", "question", "input_query", "completion_input")
_EXPECTED = ("answer", "expected_answer")


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a function says of a row: a number, a word, or why there is neither."""

    value: float | str | None
    error: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any], unanswered: str | None) -> Score:
        """given: as the server has it. unanswered: why there is no answer to score."""
        value = given.get("score")
        if value is None:
            return cls(value=None, error=unanswered or str(given.get("error") or "it has no score"))
        reason = next((given[key] for key in ("reason", "judge_feedback") if given.get(key)), None)
        said = None if reason is None else str(reason)
        return cls(value=float(value) if isinstance(value, bool | int | float) else str(value), reason=said)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case. given: all that the server says of it, `EvaluatedRow` of the API."""

    given: Mapping[str, Any]
    index: int
    name: str
    asked: str
    expected: str | None
    answer: str | None
    error: str | None
    scores: Mapping[str, Score]

    @classmethod
    def of(cls, given: Mapping[str, Any], functions: Sequence[str]) -> Row:
        row, generation = given["row"], given.get("generation") or {}
        answer = generation.get("generated_answer")
        error = generation.get("error")
        if answer is None and not error:
            error = "it has no answer"
        said = given.get("scores") or {}
        return cls(
            given=given,
            index=given["index"],
            name=str(row.get("id") or f"#{given['index'] + 1}"),
            asked=_text_of(next((row[key] for key in _ASKED if row.get(key) is not None), "")),
            expected=next((_text_of(row[key]) for key in _EXPECTED if row.get(key) is not None), None),
            answer=None if answer is None else _text_of(answer),
            error=str(error) if error else None,
            scores={name: Score.of(said.get(name) or {}, error and str(error)) for name in functions},
        )

    def column(self, name: str) -> str | None:
        value = self.given["row"].get(name)
        return None if value is None else _text_of(value)

    @property
    def why_not(self) -> str | None:
        """Why it could not be answered, or not be scored by one of the functions."""
        return self.error or next((score.error for score in self.scores.values() if score.error), None)


@dataclass(frozen=True, kw_only=True)
class Run:
    """job: as the server has it, `Job` of the API."""

    job: Mapping[str, Any]
    rows: Sequence[Row]

    @classmethod
    def of(cls, job: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Run:
        return cls(job=job, rows=[Row.of(row, job["scoring_functions"]) for row in rows])

    @property
    def id(self) -> str:
        return str(self.job["job_id"])

    @property
    def benchmark(self) -> str:
        return str(self.job["benchmark_id"])

    @property
    def name(self) -> str:
        """As a suite is called, where it is one's."""
        return self.benchmark.removeprefix(SUITES)

    @property
    def status(self) -> str:
        return str(self.job["status"])

    @property
    def functions(self) -> list[str]:
        return list(self.job["scoring_functions"])

    @property
    def candidate(self) -> Mapping[str, Any]:
        config = self.job.get("benchmark_config") or {}
        found: Mapping[str, Any] = config.get("eval_candidate") or {}
        return found

    @property
    def model(self) -> str:
        """The model, or that of the agent."""
        return str(self.candidate.get("model") or self._agent.get("model") or "")

    @property
    def system(self) -> str | None:
        """What the model, or the agent, is told before each case."""
        content = (self.candidate.get("system_message") or {}).get("content") or self._agent.get("instructions")
        return _text_of(content) if content else None

    @property
    def agent(self) -> str | None:
        """In words, where the candidate is one."""
        if self.candidate.get("type") != "agent":
            return None
        groups = [one if isinstance(one, str) else one["name"] for one in self._agent.get("toolgroups") or ()]
        return f"an agent with {', '.join(f'`{one}`' for one in groups)}" if groups else "an agent"

    @property
    def _agent(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.candidate.get("config") or {}
        return found

    @property
    def without_score(self) -> list[Row]:
        return [row for row in self.rows if row.why_not]

    def document(self) -> dict[str, Any]:
        """What `--json` prints of it, and `saved` reads."""
        return {
            "id": self.id,
            "benchmark_id": self.benchmark,
            "status": self.status,
            "model": self.model or None,
            "dataset_id": self.job.get("dataset_id"),
            "dataset_version": self.job.get("dataset_version"),
            "scoring_functions": self.functions,
            "benchmark_config": self.job.get("benchmark_config"),
            "created_at": time_of(self.job.get("created_at")),
            "ended_at": time_of(self.job.get("ended_at")),
            "error": self.job.get("error"),
            "rows": [dict(row.given) for row in self.rows],
        }


def saved(file: str) -> Run:
    """The run that a file holds, as `--json` has printed it. Raises NotFound, AccessDenied, ConfigInvalid; Failure
    (USAGE) for what is something else.
    """
    text = read_text(as_meant(file), what="run")
    try:
        given = json.loads(text)
        job = {**given, "job_id": given["id"]}
        for key in ("created_at", "ended_at"):
            job[key] = None if given[key] is None else int(datetime.fromisoformat(given[key]).timestamp())
        return Run.of(job, given["rows"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        hint = "save one with `llama stack eval show RUN --json > run.json`"
        raise Failure(f"`{shown(file)}` is no run as `--json` prints it", hint=hint, code=ExitCode.USAGE) from error


def _text_of(value: Any) -> str:
    """A text; of messages what is asked last; of anything else its JSON."""
    if isinstance(value, str):
        if value.startswith("[{"):  # messages in a column of text
            try:
                return _text_of(json.loads(value))
            except (ValueError, RecursionError):
                pass
        return value
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        texts = [one["text"] for one in value if isinstance(one.get("text"), str)]
        if texts:  # parts of a message
            return "\n".join(texts)
        asked = next((one for one in reversed(value) if one.get("role") == "user"), value[-1])
        if "content" in asked:
            return _text_of(asked["content"])
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])
    return json.dumps(value, ensure_ascii=False)
