"""What cannot be evaluated is refused before anything is asked, with what there is instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import Upstream
from tests.conformance.eval.asking import AT, MODEL, SAME, Asking, Json, Repeating, asking_at, candidate, rows
from tests.support.datasets import rows_source

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(asking: Asking, status: int, name: str, config: Json | None = None) -> Json:
    return await asking.refused(status, f"{AT}/{name}/jobs", {"benchmark_config": config or candidate()})


async def test_what_is_not_there_is_named_with_close_names(asking: Asking, repeating: Repeating) -> None:
    await asking.benchmark("here", rows(1))
    error = await refused(asking, 404, "hare")
    assert error["param"] == "benchmark_id" and "`here`" in error["message"]
    error = await refused(asking, 404, "here", candidate("vendor/small-chet"))
    assert error["param"] == "benchmark_config.eval_candidate.model" and MODEL in error["message"]
    dataset = {"dataset_id": "goes", "purpose": "eval/question-answer", "source": rows_source(*rows(1))}
    await asking.done("POST", "/v1beta/datasets", dataset)
    await asking.done("POST", AT, {"benchmark_id": "lost", "dataset_id": "goes", "scoring_functions": [SAME]})
    assert (await asking.ask("DELETE", "/v1beta/datasets/goes")).status == 204
    error = await refused(asking, 404, "lost")
    assert error["param"] == "dataset_id" and "`goes`" in error["message"]
    assert repeating.asked == []
    assert (await asking.done("GET", f"{AT}/here/jobs"))["data"] == []


async def test_a_benchmark_of_what_is_not_there_is_not_registered(asking: Asking) -> None:
    await asking.benchmark("there", rows(1))
    asked: Json = {"benchmark_id": "unknown", "dataset_id": "there", "scoring_functions": [SAME]}
    error = await asking.refused(404, AT, {**asked, "dataset_id": "theer"})
    assert error["param"] == "dataset_id" and "`there`" in error["message"]
    error = await asking.refused(404, AT, {**asked, "scoring_functions": [SAME, "letters::sane"]})
    assert error["param"] == "scoring_functions" and f"`{SAME}`" in error["message"]
    error = await asking.refused(404, AT, {**asked, "dataset_id": "there@0123456789abcdef"})
    assert error["param"] == "dataset_id" and "0123456789abcdef" in error["message"]
    known = [one["identifier"] for one in (await asking.done("GET", AT))["data"]]
    assert "unknown" not in known
    [version] = (await asking.done("GET", "/v1beta/datasetio/versions/there"))["data"]
    await asking.done("POST", AT, {**asked, "dataset_id": f"there@{version['version']}"})


@pytest.mark.parametrize("field", ["dataset_id", "scoring_functions"])
async def test_a_benchmark_without_what_is_asked_or_scores_is_not_registered(asking: Asking, field: str) -> None:
    """As one may be elsewhere, whose provider has them."""
    await asking.benchmark("is-there", rows(1))
    asked: Json = {"benchmark_id": "half", "dataset_id": "is-there", "scoring_functions": [SAME]}
    del asked[field]
    error = await asking.refused(400, AT, asked)
    assert (error["param"], f"has no `{field}`" in error["message"]) == (field, True)


async def test_what_functions_are_told_is_looked_at_before_anything_is_asked(
    vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real functions, each of which knows its own params and columns."""
    vendor.misbehaves = repeating = Repeating()
    scoring = [
        {"provider_id": "basic", "provider_type": "inline::basic"},
        {"provider_id": "judge", "provider_type": "inline::llm-as-judge"},
    ]
    judge = {"type": "llm_as_judge", "judge_model": MODEL}
    wrong: list[tuple[str, Json, str]] = [
        ("basic::equality", {"type": "basic", "options": {"ignore_cas": True}}, "ignore_cas"),
        ("basic::equality", judge, "`basic`"),
        ("basic::regex_parser_math_response", {"type": "regex_parser", "parsing_regexes": ["("]}, "regular expression"),
        ("judge::base", judge, "prompt_template"),
        ("judge::base", {**judge, "prompt_template": "Rate {generated_answer} by {rubric}"}, "no column `rubric`"),
    ]
    async with asking_at(vendor, tmp_path, monkeypatch, providers={"scoring": scoring}) as asking:
        for function, told, words in wrong:
            await asking.benchmark("told", rows(1), function)
            error = await refused(asking, 400, "told", {**candidate(), "scoring_params": {function: told}})
            assert words in error["message"], error
    vendor.misbehaves = None
    assert repeating.asked == []


async def test_rows_of_which_none_says_what_is_expected_are_refused(asking: Asking, repeating: Repeating) -> None:
    """As a file has them whose column is empty: each row alone would be an error, once its model was asked."""
    await asking.benchmark("unexpected", [{"question": f"Say {one}", "answer": None} for one in range(3)])
    error = await refused(asking, 400, "unexpected")
    assert error["code"] == "missing_columns" and "No row of the dataset `unexpected`" in error["message"]
    await asking.done("POST", f"{AT}/unexpected/evaluations", {
        "input_rows": rows(1), "scoring_functions": [SAME], "benchmark_config": candidate(),
    })  # fmt: skip
    assert repeating.asked == ["Say 0"]


async def test_context_is_what_an_agent_finds_and_a_model_does_not(
    vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.misbehaves = repeating = Repeating()
    scoring = [{"provider_id": "judge", "provider_type": "inline::llm-as-judge"}]
    told = {"type": "llm_as_judge", "judge_model": MODEL, "prompt_template": "{generated_answer} by {context}?"}
    async with asking_at(vendor, tmp_path, monkeypatch, providers={"scoring": scoring}) as asking:
        await asking.benchmark("found", rows(1), "judge::base")
        error = await refused(asking, 400, "found", {**candidate(), "scoring_params": {"judge::base": told}})
        assert "no column `context`" in error["message"]
    vendor.misbehaves = None
    assert repeating.asked == []


async def test_params_of_a_function_that_does_not_score_are_refused(asking: Asking, repeating: Repeating) -> None:
    await asking.benchmark("params", rows(1))
    told: Json = {"type": "basic", "aggregation_functions": ["median"]}
    error = await refused(asking, 400, "params", {**candidate(), "scoring_params": {"letters::first": told}})
    assert error["param"] == "benchmark_config.scoring_params" and f"`{SAME}`" in error["message"]
    judge = {"type": "llm_as_judge", "judge_model": "vendor/judge"}
    error = await refused(asking, 404, "params", {**candidate(), "scoring_params": {SAME: judge}})
    assert error["param"] == f"benchmark_config.scoring_params.{SAME}.judge_model"
    ended = await asking.completed(f"{AT}/params", {**candidate(), "scoring_params": {SAME: told}})
    assert (await asking.result(ended))["scores"][SAME]["aggregated_results"] == {"median": {"median": 1.0}}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"frage": "Say 1", "answer": "1"}, "has none of the columns `messages`"),
        ({"question": None, "answer": "1"}, "has none of the columns `messages`"),
        (
            {"question": "Say 1", "solution": "1"},
            "has neither column of `expected_answer`, `answer`, which `letters::same`",
        ),
    ],
)
async def test_columns_that_are_missing_are_named_with_those_that_are_there(
    asking: Asking, repeating: Repeating, row: Any, words: str
) -> None:
    name = f"columns-{'-'.join(row)}"
    await asking.benchmark(name, [*rows(1), row])
    error = await refused(asking, 400, name)
    assert error["code"] == "missing_columns" and words in error["message"]
    assert f"Row 1 of the dataset `{name}`" in error["message"]
    assert error["message"].endswith(f"it has {', '.join(f'`{column}`' for column in row)}")
    asked = {"input_rows": [row], "scoring_functions": [SAME], "benchmark_config": candidate()}
    error = await asking.refused(400, f"{AT}/{name}/evaluations", asked)
    assert error["param"] == "input_rows" and "Row 0 of `input_rows`" in error["message"]
    assert repeating.asked == []


async def test_a_dataset_without_rows_is_refused(asking: Asking) -> None:
    await asking.benchmark("empty", [])
    assert "no rows" in (await refused(asking, 400, "empty"))["message"]


async def test_a_run_is_compared_with_another_one_of_its_benchmark(asking: Asking, repeating: Repeating) -> None:
    run = await asking.completed(await asking.benchmark("alone", rows(1)))
    other = await asking.completed(await asking.benchmark("elsewhere", rows(1)))
    path = f"{asking.path(run)}/compare"
    error = await asking.refused(404, f"{path}?baseline={other['job_id']}", method="GET")
    assert error["param"] == "baseline"
    assert (await asking.refused(400, f"{path}?baseline={run['job_id']}", method="GET"))["param"] == "baseline"
    assert (await asking.refused(400, path, method="GET"))["param"] == "baseline"


async def test_too_many_rows_for_one_answer_are_told_where_to_read_them(
    asking: Asking, repeating: Repeating, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await asking.completed(await asking.benchmark("many", rows(3)))
    monkeypatch.setattr("runtime.providers.eval._shared.results.MOST_ROWS", 2)
    error = await asking.refused(413, f"{asking.path(run)}/result", method="GET")
    assert "/rows" in error["message"]


async def test_wrong_forms_of_a_candidate_are_refused_by_name(asking: Asking) -> None:
    await asking.benchmark("forms", rows(1))
    error = await refused(asking, 400, "forms", {"eval_candidate": {"type": "llama"}})
    assert "eval_candidate" in error["param"]
    error = await refused(asking, 400, "forms", {**candidate(), "num_examples": 0})
    assert error["param"] == "benchmark_config.num_examples"
    system = {"role": "system", "content": {"type": "image", "image": {"url": {"uri": "https://a.example/b.png"}}}}
    error = await refused(asking, 400, "forms", candidate(system_message=system))
    assert error["param"] == "benchmark_config.eval_candidate.system_message.content"
