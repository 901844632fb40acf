"""Rows of installed packages, and of two files that belong together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.datasetio.subject import page, register, rows_of
from runtime.conformance.stacks import Served, run_config, serving

QUESTIONS = [{"id": "a", "question": "Of France?"}, {"id": "b", "question": "Of Spain?"}, {"id": "c", "question": "?"}]
ANSWERS = [{"id": "b", "answer": ["Madrid"], "n": 2}, {"id": "x", "answer": [], "n": 3}, {"id": "a", "answer": None}]
TOGETHER = [
    {"id": "a", "question": "Of France?", "answer": None, "n": None},
    {"id": "b", "question": "Of Spain?", "answer": ["Madrid"], "n": 2},
    {"id": "c", "question": "?", "answer": None, "n": None},
]
RECORDED = (
    "acme_questions/data/q.json", "acme_questions/data/more/a.json", "acme_questions/code.py", "../outside.json",
    "acme_questions-1.0.dist-info/direct_url.json", "acme_questions/gone.json",
)  # fmt: skip


def lines(rows: list[Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with data, as an installer leaves it; the folder that it lies in."""
    site = tmp_path / "site"
    about = site / "acme_questions-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-questions\nVersion: 1.0\n")
    (about / "RECORD").write_text("".join(f"{name},,\n" for name in RECORDED))
    (site / "acme_questions/data/more").mkdir(parents=True)
    (site / "acme_questions/data/q.json").write_text(lines(QUESTIONS))
    (site / "acme_questions/data/more/a.json").write_text(lines(ANSWERS))
    for name in ("acme_questions/code.py", "acme_questions/unrecorded.json", "../outside.json"):
        (site / name).write_text(lines(QUESTIONS))
    (about / "direct_url.json").write_text(lines(QUESTIONS))
    monkeypatch.syspath_prepend(site)
    return site


def run_of(config: dict[str, Any], **sections: Any) -> Any:
    entry = {"provider_id": "rows", "provider_type": "inline::localfs", "config": config}
    return run_config(providers={"inference": [], "datasetio": [entry]}, persistent=True, **sections)


@pytest_asyncio.fixture
async def served(tmp_path: Path, installed: Path) -> AsyncIterator[Served]:
    (tmp_path / "allowed" / "more").mkdir(parents=True)
    config = {
        "allowed_folders": [str(tmp_path / "allowed")],
        "allowed_packages": ["Acme_Questions", "llama-not-there"],
        "max_source_bytes": 200_000,
    }
    async with serving(run_of(config), tmp_path / "state") as running:
        yield running


async def refused(served: Served, uri: str, status: int = 400) -> str:
    answer = await register(served, {"type": "uri", "uri": uri})
    assert (answer.status, answer.error["param"]) == (status, "source"), answer.body
    message: str = answer.error["message"]
    return message


async def test_a_package_that_is_allowed_gives_its_data(served: Served) -> None:
    for uri in (
        "package://acme-questions/acme_questions/data/q.json",
        "package://ACME.questions/acme_questions/data/more/../q.json",
    ):
        answer = await register(served, {"type": "uri", "uri": uri})
        assert answer.status == 200, answer.body
        assert await rows_of(served) == QUESTIONS


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("acme-questions/acme_questions/data/p.json", "did you mean `acme_questions/data/q.json`"),
        ("acme-questions/acme_questions/code.py", "1.0 has no data file `acme_questions/code.py`"),
        ("acme-questions/acme_questions/unrecorded.json", "has no data file"),
        ("acme-questions/acme_questions-1.0.dist-info/direct_url.json", "has no data file"),
        ("acme-questions/../outside.json", "has no data file"),
        ("acme-questions/%2e%2e/outside.json", "has no data file"),
        ("acme-questions//etc/passwd", "has no data file"),
        ("acme-questions/acme_questions/gone.json", "No such file"),
        ("acme-questions", "has no data file"),
        ("llama-not-there/a.json", "among `additional_pip_packages` of the run.yaml, as in `llama-not-there==1.0`"),
        ("pytest/a.json", "`allowed_packages`"),
        ("", "it names no package"),
        ("acme questions/a.json", "it names no package"),
        ("[acme/a.json", "it is no address"),
    ],
)
async def test_what_a_package_does_not_give_is_said(served: Served, place: str, words: str) -> None:
    assert words in await refused(served, f"package://{place}")


async def test_the_run_config_names_any_package_and_one_that_is_missing_is_a_503(
    tmp_path: Path, installed: Path
) -> None:
    sources = {
        "there": "package://acme-questions/acme_questions/data/q.json",
        "missing": "package://llama-missing/a.json",
    }
    datasets = [
        {"dataset_id": name, "purpose": "eval/question-answer", "source": {"type": "uri", "uri": uri}}
        for name, uri in sources.items()
    ]
    async with serving(run_of({}, registered_resources={"datasets": datasets}), tmp_path / "state") as served:
        assert await rows_of(served, "there") == QUESTIONS
        answer = await page(served, "missing")
        assert answer.status == 503 and "`llama-missing` is not installed" in answer.error["message"]
        uri = {"type": "uri", "uri": sources["there"]}
        refusal = await register(served, uri)
        assert refusal.status == 400 and "`allowed_packages`" in refusal.error["message"]


def release(site: Path, version: str, rows: list[Any]) -> None:
    """Let another version of the package be installed."""
    about = site / "acme_questions-1.0.dist-info"
    about.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-questions\nVersion: {version}\n")
    (site / "acme_questions/data/q.json").write_text(lines(rows))


async def test_rows_of_the_run_config_are_taken_again_from_another_version_of_their_package(
    tmp_path: Path, installed: Path
) -> None:
    source = {"type": "uri", "uri": "package://acme-questions/acme_questions/data/q.json"}
    dataset = {"dataset_id": "rows", "purpose": "eval/question-answer", "source": source}
    run = run_of({}, registered_resources={"datasets": [dataset]})
    async with serving(run, tmp_path / "state") as served:
        assert await rows_of(served) == QUESTIONS
        first = (await page(served)).json()["version"]
    (installed / "acme_questions/data/q.json").write_text(lines(QUESTIONS[:2]))
    async with serving(run, tmp_path / "state") as served:
        assert await rows_of(served) == QUESTIONS, "the same version says the same"
    release(installed, "1.1", QUESTIONS[:1])
    async with serving(run, tmp_path / "state") as served:
        assert await rows_of(served) == QUESTIONS[:1]
        assert await rows_of(served, version=first) == QUESTIONS
    (installed / "acme_questions-1.0.dist-info" / "METADATA").unlink()
    (installed / "acme_questions-1.0.dist-info").rename(installed / "gone")
    async with serving(run, tmp_path / "state") as served:
        assert await rows_of(served) == QUESTIONS[:1], "rows that are here need no package"


def put(folder: Path, first: str, second: str) -> str:
    """The address of two files that belong together."""
    (folder / "q ü.json").write_text(first)
    (folder / "more" / "a+b.json").write_text(second)
    return f"{(folder / 'q ü.json').as_uri()}?join=more/a%2Bb.json&on=id"


async def test_rows_of_a_second_file_are_joined_to_those_of_the_first(served: Served, tmp_path: Path) -> None:
    query = "?join=more/a.json&on=id"
    allowed = tmp_path / "allowed"
    for uri in (
        f"package://acme-questions/acme_questions/data/q.json{query}",
        put(allowed, lines(QUESTIONS), lines(ANSWERS)),
        put(allowed, json.dumps(QUESTIONS), json.dumps(ANSWERS)),
        put(allowed, "id,question\na,Of France?\nb,Of Spain?\nc,?\n", lines(ANSWERS)),
    ):
        answer = await register(served, {"type": "uri", "uri": uri})
        assert answer.status == 200, answer.body
        assert await rows_of(served) == TOGETHER


async def test_keys_are_the_same_where_their_json_is(served: Served, tmp_path: Path) -> None:
    first = [{"id": key, "n": number} for number, key in enumerate((1, "1", [1], {"a": 1}, 2.5, True, None))]
    second = [{"id": key, "m": number} for number, key in enumerate(({"a": 1}, 2.5, "1", [1], True, 1, None))]
    answer = await register(served, {"type": "uri", "uri": put(tmp_path / "allowed", lines(first), lines(second))})
    assert answer.status == 200, answer.body
    assert [row["m"] for row in await rows_of(served)] == [5, 2, 3, 0, 1, 4, None]


async def test_many_rows_keep_their_order(served: Served, tmp_path: Path) -> None:
    count = 5000
    first = [{"id": number} for number in range(count)]
    second = [{"id": number, "twice": 2 * number} for number in reversed(range(count))]
    answer = await register(served, {"type": "uri", "uri": put(tmp_path / "allowed", lines(first), lines(second))})
    assert answer.status == 200, answer.body
    assert await rows_of(served) == [{"id": number, "twice": 2 * number} for number in range(count)]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (lines(QUESTIONS), lines([{"key": "a", "answer": 1}]),
         "`more/a+b.json` has no column `id`, which `on` names\nhint: it has `key`, `answer`"),
        (lines([{"key": "a"}]), lines(ANSWERS), "first file has no column `id`"),
        (lines(QUESTIONS), lines([*ANSWERS, ANSWERS[0]]), '`more/a+b.json` has several rows whose `id` is "b"'),
        (lines(QUESTIONS), lines([{"id": "a", "question": "?"}]), "both files have the column `question`"),
        (lines(QUESTIONS), lines([{"id": "A", "answer": 1}]), "no row of `more/a+b.json` has the `id`"),
        (lines(QUESTIONS), '{"id": 1}\n{"id": }\n', "`more/a+b.json`: line 2 is no JSON"),
        (lines(QUESTIONS), "", "`more/a+b.json`: it is empty"),
        ('{"id": }\n', lines(ANSWERS), "line 1 is no JSON"),
    ],
)  # fmt: skip
async def test_files_that_do_not_belong_together_are_refused(
    served: Served, tmp_path: Path, first: str, second: str, words: str
) -> None:
    assert words in await refused(served, put(tmp_path / "allowed", first, second))
    assert [*(tmp_path / "state" / "datasetio" / "rows" / "temporary").iterdir()] == []


async def test_each_of_two_files_has_its_limit_and_is_allowed_for_itself(served: Served, tmp_path: Path) -> None:
    large = lines([{"id": "a", "answer": "x" * 200_001}])
    assert "more than 200000 bytes" in await refused(served, put(tmp_path / "allowed", lines(QUESTIONS), large), 413)
    (tmp_path / "secret.json").write_text(lines(ANSWERS))
    for join in ("../secret.json", "..%2Fsecret.json", str(tmp_path / "secret.json"), "missing.json"):
        uri = f"{(tmp_path / 'allowed' / 'q ü.json').as_uri()}?join={join}&on=id"
        assert "no such file below a folder that `allowed_folders` has" in await refused(served, uri)


@pytest.mark.parametrize("query", ["join=a.json", "on=id", "join=&on=id", "jion=a.json&on=id", "sheet=2"])
async def test_a_query_that_says_something_else_is_refused(served: Served, tmp_path: Path, query: str) -> None:
    (tmp_path / "allowed" / "q.json").write_text(lines(QUESTIONS))
    message = await refused(served, f"{(tmp_path / 'allowed' / 'q.json').as_uri()}?{query}")
    assert "join=FILE" in message


@pytest.mark.parametrize("uri", ["file://[", "huggingface://[", "https://[", "http://[::1", "s3://["])
async def test_what_is_no_address_is_the_callers_mistake(served: Served, uri: str) -> None:
    await refused(served, uri)
